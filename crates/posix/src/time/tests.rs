use std::cell::Cell;
use std::rc::Rc;

use libc::SIGUSR1;

use super::*;
use crate::signals::{self, Action};
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

const SECOND: timespec = timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

extern "C" fn handler(_signal: c_int) {}

/// What `sleeps` gives, which a signal finds after half a second.
fn interrupted(sleeps: impl FnOnce() -> c_int + 'static) -> c_int {
    let given = Rc::new(Cell::new(None));
    let ours = given.clone();
    run(move || {
        let action = Action {
            handler: handler as *const () as usize,
            // It has no sleep go on.
            flags: libc::SA_RESTART,
            mask: 0,
        };
        signals::exchange(SIGUSR1, Some(action)).expect("a signal");
        let sleeper = spawn(move || ours.set(Some(sleeps())));
        give_way();
        assert_eq!(sleep_for(Duration::from_millis(500)), Ok(()));
        assert_eq!(signals::send(sleeper, SIGUSR1), Ok(()));
        together([sleeper]);
        assert_eq!(inside(Instant::now).as_nanos(), 500_000_000);
    });
    given.get().expect("it has slept")
}

#[test]
fn a_sleep_ends_with_a_handler_and_tells_what_is_left() {
    let result = interrupted(|| {
        // As std has it: what is left takes the place of the time.
        let mut time = SECOND;
        let place = &raw mut time;
        // SAFETY: it is a time, and a place for one.
        let result = unsafe { nanosleep(place, place) };
        assert_eq!((time.tv_sec, time.tv_nsec), (0, 500_000_000));
        result
    });
    assert_eq!(result, -1);
    // SAFETY: it is a time; no place for one is given.
    let result = interrupted(|| unsafe { nanosleep(&SECOND, ptr::null_mut()) });
    assert_eq!(result, -1);
    assert_eq!(interrupted(|| usleep(1_000_000)), -1);
    // Of three and a half.
    assert_eq!(interrupted(|| sleep(4) as c_int), 3);
}

#[test]
fn a_sleep_until_a_time_tells_nothing_of_what_is_left() {
    for (flags, left) in [(0, (0, 500_000_000)), (TIMER_ABSTIME, (7, 7))] {
        let result = interrupted(move || {
            let mut place = timespec {
                tv_sec: 7,
                tv_nsec: 7,
            };
            // SAFETY: it is a time, and a place for one.
            let result = unsafe { clock_nanosleep(CLOCK_MONOTONIC, flags, &SECOND, &mut place) };
            assert_eq!((place.tv_sec, place.tv_nsec), left);
            result
        });
        assert_eq!(result, EINTR);
    }
}

#[test]
fn one_that_nothing_disturbs_is_as_long_as_it_should_be() {
    run(|| {
        // SAFETY: it is a time; no place for one is given.
        assert_eq!(unsafe { nanosleep(&SECOND, ptr::null_mut()) }, 0);
        assert_eq!((usleep(1_000), sleep(2)), (0, 0));
        assert_eq!(inside(Instant::now).as_nanos(), 3_001_000_000);
    });
}

#[test]
fn a_time_that_is_not_given_is_an_address_that_is_none() {
    run(|| {
        // SAFETY: they are null, as each may be.
        unsafe {
            assert_eq!(nanosleep(ptr::null(), ptr::null_mut()), -1);
            assert_eq!(*libc::__errno_location(), EFAULT);
            for flags in [0, TIMER_ABSTIME] {
                let slept = clock_nanosleep(CLOCK_MONOTONIC, flags, ptr::null(), ptr::null_mut());
                assert_eq!(slept, EFAULT);
            }
        }
        assert_eq!(inside(Instant::now).as_nanos(), 0);
    });
}
