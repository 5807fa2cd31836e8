//! Signals between threads.

use std::sync::atomic::{AtomicU32, Ordering};

use libc::{SIGHUP, SIGUSR1, SIGUSR2};

use super::*;
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

fn on(handler: extern "C" fn(c_int), flags: c_int) -> Action {
    Action {
        handler: handler as *const () as usize,
        flags,
        mask: 0,
    }
}

fn this() -> &'static Thread {
    thread::current().expect("a thread")
}

#[test]
fn a_handler_runs_at_once_or_when_it_is_no_more_blocked() {
    static RAN: AtomicU32 = AtomicU32::new(0);
    extern "C" fn count(signal: c_int) {
        assert_eq!(signal, SIGUSR1);
        RAN.fetch_add(1, Ordering::Relaxed);
        // Blocked meanwhile, so that it is once more at the end.
        if RAN.load(Ordering::Relaxed) == 1 {
            assert_eq!(send(this(), SIGUSR1), Ok(()));
            assert_eq!(RAN.load(Ordering::Relaxed), 1);
        }
    }
    run(|| {
        let ran = || RAN.load(Ordering::Relaxed);
        assert_eq!(exchange(SIGUSR1, Some(on(count, 0))), Ok(DEFAULT));
        assert_eq!(send(this(), SIGUSR1), Ok(()));
        assert_eq!(ran(), 2);
        assert_eq!(mask(libc::SIG_BLOCK, Some(bit(SIGUSR1))), Ok(0));
        assert_eq!(send_to_program(SIGUSR1), Ok(()));
        assert_eq!(ran(), 2);
        assert_eq!(mask(libc::SIG_SETMASK, Some(0)), Ok(bit(SIGUSR1)));
        assert_eq!(ran(), 3);
        assert_eq!(exchange(SIGUSR1, Some(DEFAULT)), Ok(on(count, 0)));
    });
}

#[test]
fn another_thread_runs_its_handler_when_it_goes_on() {
    static RAN_ON: AtomicU32 = AtomicU32::new(0);
    extern "C" fn note(_signal: c_int) {
        RAN_ON.store(this().number.cast_unsigned(), Ordering::Relaxed);
    }
    run(|| {
        let restart = on(note, SA_RESTART | SA_RESETHAND);
        assert_eq!(exchange(SIGUSR2, Some(restart)), Ok(DEFAULT));
        let other = spawn(|| {
            let [all, strict] = [Interruption::by_all(), Interruption::unless_restarted()];
            while all.check().is_ok() {
                give_way();
            }
            assert_eq!((all.check(), strict.check()), (fail(libc::EINTR), Ok(())));
        });
        give_way();
        assert_eq!(send(other, SIGUSR2), Ok(()));
        assert_eq!(RAN_ON.load(Ordering::Relaxed), 0);
        let number = other.number.cast_unsigned();
        together([other]);
        assert_eq!(RAN_ON.load(Ordering::Relaxed), number);
        assert_eq!(exchange(SIGUSR2, None), Ok(DEFAULT));
    });
}

#[test]
fn a_thread_that_has_not_begun_is_told_first() {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    extern "C" fn tell(_signal: c_int) {
        TOLD.fetch_add(1, Ordering::Relaxed);
    }
    run(|| {
        assert_eq!(exchange(SIGHUP, Some(on(tell, 0))), Ok(DEFAULT));
        let other = spawn(|| assert_eq!(TOLD.load(Ordering::Relaxed), 1));
        assert_eq!(send(other, SIGHUP), Ok(()));
        assert_eq!(TOLD.load(Ordering::Relaxed), 0);
        together([other]);
        assert_eq!(exchange(SIGHUP, Some(DEFAULT)), Ok(on(tell, 0)));
    });
}

#[test]
fn what_cannot_be_is_an_error() {
    assert_eq!(exchange(0, None), fail(EINVAL));
    assert_eq!(exchange(65, None), fail(EINVAL));
    assert_eq!(exchange(SIGKILL, Some(DEFAULT)), fail(EINVAL));
    assert_eq!(exchange(SIGKILL, None), Ok(DEFAULT));
    assert_eq!(
        exchange(SIGSEGV, None).map(|action| action.handler),
        Ok(SIG_IGN)
    );
    run(|| {
        assert_eq!(send(this(), -1), fail(EINVAL));
        assert_eq!(send_to_program(65), fail(EINVAL));
        assert_eq!(send_to_program(0), Ok(()));
        assert_eq!(mask(9, Some(bit(SIGHUP))), fail(EINVAL));
    });
}
