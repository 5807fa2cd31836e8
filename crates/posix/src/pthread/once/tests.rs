use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

std::thread_local!(static CALLS: Cell<u32> = const { Cell::new(0) });

unsafe extern "C" fn slow() {
    give_way();
    CALLS.with(|calls| calls.set(calls.get() + 1));
}

#[test]
fn it_is_called_once_and_all_wait_until_it_has_returned() {
    run(|| {
        let once = Rc::new(Cell::new(libc::PTHREAD_ONCE_INIT));
        let threads = [0, 1, 2].map(|_| {
            let once = once.clone();
            spawn(move || {
                // SAFETY: initialised, and a function that may be called.
                assert_eq!(unsafe { pthread_once(once.as_ptr(), Some(slow)) }, 0);
                assert_eq!(CALLS.with(Cell::get), 1);
            })
        });
        together(threads);
        // SAFETY: initialised.
        assert_eq!(unsafe { pthread_once(once.as_ptr(), None) }, EINVAL);
    });
}
