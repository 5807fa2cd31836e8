//! Signals between threads.

mod awaited;

use std::sync::atomic::{AtomicU32, Ordering};

use libc::{SIGHUP, SIGUSR1, SIGUSR2};

use super::*;
use crate::descriptors::calls::{self, Patience};
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

/// As `ppoll` and its like have it, of no descriptors: what it comes to, and how often the handler has run then.
#[test]
fn a_call_that_waits_may_let_other_signals_through() {
    static LET: AtomicU32 = AtomicU32::new(0);
    extern "C" fn count(_signal: c_int) {
        LET.fetch_add(1, Ordering::Relaxed);
    }
    fn poll(set: Set, entries: &mut [libc::pollfd], patience: Patience) -> (Result<usize>, u32) {
        let outcome = with_blocked(Some(set), || calls::poll(entries, patience));
        (outcome, LET.load(Ordering::Relaxed))
    }
    run(|| {
        let one = bit(SIGUSR1);
        assert_eq!(exchange(SIGUSR1, Some(on(count, SA_RESTART))), Ok(DEFAULT));
        assert_eq!(mask(libc::SIG_BLOCK, Some(one)), Ok(0));
        let interrupted = fail(libc::EINTR);
        // It waits already, or comes meanwhile.
        assert_eq!(send(this(), SIGUSR1), Ok(()));
        assert_eq!(poll(one, &mut [], Patience::None), (Ok(0), 0));
        assert_eq!(poll(0, &mut [], Patience::Forever), (interrupted, 1));
        let main = this();
        let other = spawn(move || assert_eq!(send(main, SIGUSR1), Ok(())));
        assert_eq!(poll(0, &mut [], Patience::Forever), (interrupted, 2));
        together([other]);
        // What is ready is told first; then the signal waits on.
        assert_eq!(send(this(), SIGUSR1), Ok(()));
        let mut entries = [libc::pollfd {
            fd: calls::make_event(1, 0).expect("room"),
            events: libc::POLLIN,
            revents: 0,
        }];
        assert_eq!(poll(0, &mut entries, Patience::Forever), (Ok(1), 2));
        calls::close(entries[0].fd).expect("open");
        assert_eq!(poll(0, &mut [], Patience::None), (interrupted, 3));
        // What only the call has blocked comes when it has ended.
        assert_eq!(mask(libc::SIG_SETMASK, Some(0)), Ok(one));
        let sends = || send(this(), SIGUSR1).map(|()| LET.load(Ordering::Relaxed));
        assert_eq!(with_blocked(Some(one), sends), Ok(3));
        assert_eq!(LET.load(Ordering::Relaxed), 4);
        assert_eq!(exchange(SIGUSR1, Some(DEFAULT)).map(drop), Ok(()));
    });
}

/// The same of `epoll_pwait`.
#[test]
fn an_instance_of_epoll_may_let_other_signals_through() {
    extern "C" fn nothing(_signal: c_int) {}
    run(|| {
        let epoll = calls::make_epoll(0).expect("room");
        let wait = |patience| with_blocked(Some(0), || calls::wait_epoll(epoll, 1, patience));
        assert_eq!(exchange(SIGHUP, Some(on(nothing, 0))), Ok(DEFAULT));
        assert_eq!(mask(libc::SIG_BLOCK, Some(bit(SIGHUP))), Ok(0));
        for patience in [Patience::None, Patience::Forever] {
            assert_eq!(send(this(), SIGHUP), Ok(()));
            assert_eq!(wait(patience), fail(libc::EINTR));
        }
        assert_eq!(wait(Patience::None), Ok(Vec::new()));
        assert_eq!(exchange(SIGHUP, Some(DEFAULT)).map(drop), Ok(()));
        calls::close(epoll).expect("open");
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
