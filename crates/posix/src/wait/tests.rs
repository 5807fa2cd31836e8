use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;

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
