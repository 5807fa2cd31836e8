use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::testing::{run, spawn, together};

#[test]
fn a_wake_that_comes_while_the_future_waits_by_a_call_that_blocks_is_not_lost() {
    run(|| {
        let waker = Rc::new(Cell::new(None::<Waker>));
        let woken = waker.clone();
        let other = spawn(move || {
            while woken.take().map(Waker::wake).is_none() {
                give_way();
            }
        });
        let mut polls = 0;
        crate::block_on(poll_fn(|context| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            waker.set(Some(context.waker().clone()));
            // The wake comes within these.
            (0..4).for_each(|_| give_way());
            Poll::Pending
        }));
        together([other]);
    });
}

#[test]
fn a_future_that_waits_by_a_call_that_blocks_is_polled_again_when_it_is_woken() {
    run(|| {
        let mut polls = 0;
        let mut pause = Box::pin(miou_rs::sleep(Duration::from_secs(1)));
        crate::block_on(poll_fn(|context| {
            polls += 1;
            give_way();
            pause.as_mut().poll(context)
        }));
        assert_eq!(polls, 2);
    });
}
