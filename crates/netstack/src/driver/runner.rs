//! The future that drives a stack.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::driver::DriverRef;

/// Drives a [`Stack`](crate::Stack): reads frames, runs timers, sends. Spawn it, or await it beside
/// the tasks that use the stack.
///
/// In each turn it first sends what the tasks have queued since the last one, then reads a batch of
/// frames, wakes the tasks concerned, and has itself run again after them: so what a task answers
/// leaves together with the acknowledgement, and one batch costs one acknowledgement. After a batch
/// that brought connections to accept it lets the tasks run twice, so that those started for them
/// can answer too.
///
/// It ends when nobody holds the stack, a socket or a stream of it any more and what they had written is
/// delivered; or with the error of a broken device. The stack ends with it, or when it is dropped:
/// whoever waits, or calls later, gets an error (`NetworkDown` if the runner was dropped).
#[must_use = "a stack does nothing unless its runner is polled"]
#[derive(Debug)]
pub struct Runner {
    driver: DriverRef,
}

impl Runner {
    pub(crate) fn new(driver: DriverRef) -> Self {
        Self { driver }
    }
}

impl Future for Runner {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let turn = self.driver.with(|driver| {
            // Polled again after its end it says the same.
            driver.check()?;
            driver.turn(context)
        });
        match turn {
            Ok(_) if self.driver.is_done() => Poll::Ready(Ok(())),
            Ok(again) => {
                if again {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Err(error) => {
                self.driver.with(|driver| driver.break_off(&error));
                Poll::Ready(Err(error))
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let down = io::ErrorKind::NetworkDown.into();
        self.driver.with(|driver| driver.break_off(&down));
    }
}
