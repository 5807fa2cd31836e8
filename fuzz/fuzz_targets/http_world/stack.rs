//! A stack with nobody else on its link.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use miou_rs::{Sleep, sleep_until};
use netstack::proto::link::ethernet::MacAddr;
use netstack::{Config, FrameDevice, Received, Stack};

/// A link on which nothing comes.
struct Silence;

impl FrameDevice for Silence {
    fn mtu(&self) -> usize {
        1500
    }

    fn mac(&self) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, 1])
    }

    fn try_read(&mut self, _: &mut BytesMut) -> io::Result<Option<Received>> {
        Ok(None)
    }

    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[derive(Default)]
struct Alarm(Option<Sleep>);

impl netstack::Timer for Alarm {
    fn now(&self) -> netstack::proto::Instant {
        netstack::proto::Instant::from_nanos(miou_rs::Instant::now().as_nanos())
    }

    fn poll_until(
        &mut self,
        context: &mut Context<'_>,
        deadline: netstack::proto::Instant,
    ) -> Poll<()> {
        let deadline = miou_rs::Instant::from_nanos(deadline.as_nanos());
        let sleep = self.0.get_or_insert_with(|| sleep_until(deadline));
        if sleep.deadline() != deadline {
            sleep.reset(deadline);
        }
        Pin::new(sleep).poll(context)
    }
}

/// A stack that speaks with itself.
pub fn loopback() -> Stack {
    let config = Config::default().seed([7; 32]);
    let spawn = |runner| miou_rs::spawn_driver("network", runner);
    Stack::start(Silence, Alarm::default(), config, spawn).expect("a stack")
}
