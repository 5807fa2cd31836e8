use core::mem::MaybeUninit;
use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

struct Shared {
    barrier: Cell<MaybeUninit<pthread_barrier_t>>,
    arrived: Cell<u32>,
    leaders: Cell<u32>,
}

#[test]
fn all_go_on_when_the_last_has_arrived_and_again() {
    run(|| {
        let shared = Rc::new(Shared {
            barrier: Cell::new(MaybeUninit::uninit()),
            arrived: Cell::new(0),
            leaders: Cell::new(0),
        });
        let barrier = shared.barrier.as_ptr().cast();
        // SAFETY: a place.
        unsafe {
            assert_eq!(pthread_barrier_init(barrier, core::ptr::null(), 0), EINVAL);
            assert_eq!(pthread_barrier_init(barrier, core::ptr::null(), 3), 0);
        }
        let threads = [0, 1, 2].map(|delay| {
            let shared = shared.clone();
            spawn(move || {
                for round in 1..=4 {
                    (0..delay).for_each(|_| give_way());
                    shared.arrived.set(shared.arrived.get() + 1);
                    // SAFETY: initialised above.
                    match unsafe { pthread_barrier_wait(shared.barrier.as_ptr().cast()) } {
                        PTHREAD_BARRIER_SERIAL_THREAD => {
                            shared.leaders.set(shared.leaders.get() + 1)
                        }
                        result => assert_eq!(result, 0),
                    }
                    assert!(shared.arrived.get() >= 3 * round);
                }
            })
        });
        together(threads);
        assert_eq!((shared.arrived.get(), shared.leaders.get()), (12, 4));
        // SAFETY: initialised above.
        assert_eq!(unsafe { pthread_barrier_destroy(barrier) }, 0);
    });
}
