//! Signals that are waited for in place of a handler.

use core::time::Duration;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{
    EAGAIN, EINTR, SIG_BLOCK, SIG_SETMASK, SIGALRM, SIGCHLD, SIGHUP, SIGPIPE, SIGTERM, SIGUSR1,
    SIGUSR2, SIGWINCH,
};

use super::super::*;
use super::{on, this};
use crate::descriptors::blocking::now;
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

static RAN: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_signal: c_int) {
    RAN.fetch_add(1, Ordering::Relaxed);
}

fn ran() -> u32 {
    RAN.swap(0, Ordering::Relaxed)
}

/// Takes one that is there.
fn take_now(set: Set) -> Result<c_int> {
    await_one(set, Some(now()))
}

/// The way of servers: all threads have it blocked, and one of them waits for it.
#[test]
fn a_signal_to_the_program_goes_to_who_waits_for_it() {
    run(|| {
        let set = bit(SIGTERM) | bit(SIGHUP);
        assert_eq!(mask(SIG_BLOCK, Some(set)), Ok(0));
        let waiting = spawn(move || {
            assert_eq!(await_one(set, None), Ok(SIGHUP));
            assert_eq!(await_one(set, None), Ok(SIGTERM));
        });
        give_way();
        // Both are there when it goes on: the lowest first.
        assert_eq!(send_to_program(SIGTERM), Ok(()));
        assert_eq!(send_to_program(SIGHUP), Ok(()));
        together([waiting]);
        // While none waits, it is for whoever does next, or has it blocked no more.
        assert_eq!(send_to_program(SIGHUP), Ok(()));
        assert_eq!(pending(), bit(SIGHUP));
        assert_eq!(take_now(bit(SIGTERM)), fail(EAGAIN));
        let other = spawn(|| {
            assert_eq!(pending(), bit(SIGHUP));
            assert_eq!(exchange(SIGHUP, Some(on(count, 0))), Ok(DEFAULT));
            assert_eq!(mask(SIG_SETMASK, Some(0)).map(drop), Ok(()));
            assert_eq!(ran(), 1);
        });
        together([other]);
        assert_eq!(pending(), 0);
        assert_eq!(exchange(SIGHUP, Some(DEFAULT)).map(drop), Ok(()));
    });
}

/// As on Linux, where it was tried: the handler has blocked what the thread has, and one of a signal that is waited for runs
/// in it.
#[test]
fn a_handler_of_another_signal_runs_as_if_none_was_waited_for() {
    static BLOCKED: AtomicU32 = AtomicU32::new(u32::MAX);
    extern "C" fn look(_signal: c_int) {
        let blocked = mask(SIG_BLOCK, None).expect("a thread");
        BLOCKED.store(blocked as u32, Ordering::Relaxed);
        assert_eq!(send(this(), SIGUSR1), Ok(()));
        assert_eq!(RAN.load(Ordering::Relaxed), 1);
    }
    run(|| {
        assert_eq!(exchange(SIGUSR1, Some(on(count, 0))), Ok(DEFAULT));
        assert_eq!(exchange(SIGUSR2, Some(on(look, 0))), Ok(DEFAULT));
        assert_eq!(mask(SIG_BLOCK, Some(bit(SIGHUP))), Ok(0));
        let main = this();
        let other = spawn(move || {
            // What has no handler ends no call.
            assert_eq!(send(main, SIGCHLD), Ok(()));
            give_way();
            assert_eq!(send(main, SIGUSR2), Ok(()));
        });
        let set = bit(SIGUSR1) | bit(SIGTERM);
        assert_eq!(await_one(set, None), fail(EINTR));
        let expected = bit(SIGHUP) | bit(SIGUSR2);
        assert_eq!(u64::from(BLOCKED.load(Ordering::Relaxed)), expected);
        assert_eq!(ran(), 1);
        together([other]);
        // What is waited for comes first, and then the handler of the other.
        let other = spawn(move || {
            assert_eq!(send(main, SIGUSR2), Ok(()));
            assert_eq!(send(main, SIGTERM), Ok(()));
        });
        assert_eq!(await_one(set, None), Ok(SIGTERM));
        assert_eq!(ran(), 1);
        together([other]);
        for signal in [SIGUSR1, SIGUSR2] {
            assert_eq!(exchange(signal, Some(DEFAULT)).map(drop), Ok(()));
        }
        assert_eq!(mask(SIG_SETMASK, Some(0)), Ok(bit(SIGHUP)));
    });
}

#[test]
fn each_of_two_that_wait_takes_one_of_two_signals_that_come_at_once() {
    run(|| {
        let set = bit(SIGUSR1) | bit(SIGUSR2);
        assert_eq!(mask(SIG_BLOCK, Some(set)), Ok(0));
        let waiting = [(); 2].map(|()| spawn(move || assert!(await_one(set, None).is_ok())));
        give_way();
        assert_eq!(send_to_program(SIGUSR1), Ok(()));
        assert_eq!(send_to_program(SIGUSR2), Ok(()));
        // Nobody has taken them yet.
        assert_eq!(pending(), set);
        together(waiting);
        assert_eq!(pending(), 0);
        assert_eq!(mask(SIG_SETMASK, Some(0)), Ok(set));
    });
}

#[test]
fn a_time_passes_or_another_signals_handler_ends_it() {
    run(|| {
        let start = now();
        let second = Duration::from_secs(1);
        assert_eq!(await_one(bit(SIGUSR1), Some(start + second)), fail(EAGAIN));
        assert_eq!(now(), start + second);
        assert_eq!(exchange(SIGUSR2, Some(on(count, SA_RESTART))), Ok(DEFAULT));
        let main = this();
        let other = spawn(move || assert_eq!(send(main, SIGUSR2), Ok(())));
        assert_eq!(await_one(bit(SIGUSR1), None), fail(EINTR));
        assert_eq!(ran(), 1);
        // What is waited for has no handler, blocked or not: as on Linux.
        let other = [
            other,
            spawn(move || assert_eq!(send(main, SIGUSR2), Ok(()))),
        ];
        assert_eq!(await_one(bit(SIGUSR2), None), Ok(SIGUSR2));
        assert_eq!((ran(), this().signals.blocked.get()), (0, 0));
        together(other);
        assert_eq!(exchange(SIGUSR2, Some(DEFAULT)).map(drop), Ok(()));
    });
}

#[test]
fn a_pause_lets_through_what_it_says() {
    run(|| {
        let one = bit(SIGALRM);
        assert_eq!(exchange(SIGALRM, Some(on(count, SA_RESTART))), Ok(DEFAULT));
        assert_eq!(mask(SIG_BLOCK, Some(one)), Ok(0));
        // What waits already, and what comes.
        for _ in 0..2 {
            assert_eq!(send_to_program(SIGALRM), Ok(()));
            assert_eq!(ran(), 0);
            with_blocked(Some(0), pause);
            assert_eq!((ran(), mask(SIG_BLOCK, None)), (1, Ok(one)));
        }
        let main = this();
        let other = spawn(move || assert_eq!(send(main, SIGALRM), Ok(())));
        with_blocked(Some(0), pause);
        assert_eq!(ran(), 1);
        together([other]);
        assert_eq!(exchange(SIGALRM, Some(DEFAULT)).map(drop), Ok(()));
    });
}

/// Signals to one thread, which has all of them blocked: what comes of the same calls on Linux.
#[test]
fn what_waits_is_taken_as_linux_takes_it() {
    const SIGNALS: [c_int; 7] = [
        SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGTERM, SIGCHLD, SIGWINCH,
    ];
    let mut random = fastrand::Rng::with_seed(17);
    let calls: Vec<(bool, Set)> = (0..500)
        .map(|_| {
            let set = SIGNALS.map(|signal| bit(signal) * Set::from(random.u8(..3) == 0));
            (random.bool(), set.into_iter().sum())
        })
        .collect();
    let each = |set: Set| SIGNALS.into_iter().filter(move |it| set & bit(*it) != 0);
    let linux = linux::outcomes(&calls, each);
    run(move || {
        assert_eq!(mask(SIG_BLOCK, Some(!0)), Ok(0));
        for (index, (sends, set)) in calls.into_iter().enumerate() {
            let outcome = match sends {
                true => {
                    each(set).for_each(|signal| assert_eq!(send(this(), signal), Ok(())));
                    Ok(0)
                }
                false => take_now(set),
            };
            assert_eq!((outcome, pending()), linux[index], "call {index}");
        }
        while take_now(!0).is_ok() {}
    });
}

mod linux {
    use super::*;

    fn of(set: Set) -> libc::sigset_t {
        // SAFETY: zeros are a set; its first word has a bit for each signal.
        unsafe {
            let mut all: libc::sigset_t = core::mem::zeroed();
            (&raw mut all).cast::<Set>().write(set);
            all
        }
    }

    /// What comes of each call, and what waits then.
    pub(super) fn outcomes<I: Iterator<Item = c_int>>(
        calls: &[(bool, Set)],
        each: impl Fn(Set) -> I,
    ) -> Vec<(Result<c_int>, Set)> {
        let blocked = of(calls.iter().fold(0, |all, (_, set)| all | set));
        let mut former = of(0);
        let mut waiting = of(0);
        let none = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: all are live. Signals go to this thread alone, which has them blocked, and takes all at the end.
        let told = unsafe {
            libc::pthread_sigmask(SIG_BLOCK, &raw const blocked, &raw mut former);
            let take = |set: Set| {
                let set = of(set);
                let taken =
                    libc::sigtimedwait(&raw const set, core::ptr::null_mut(), &raw const none);
                let error = std::io::Error::last_os_error().raw_os_error();
                if taken > 0 {
                    Ok(taken)
                } else {
                    fail(error.unwrap_or_default())
                }
            };
            let call = |(sends, set): &(bool, Set)| {
                let outcome = match sends {
                    true => {
                        for signal in each(*set) {
                            libc::pthread_kill(libc::pthread_self(), signal);
                        }
                        Ok(0)
                    }
                    false => take(*set),
                };
                libc::sigpending(&raw mut waiting);
                (outcome, (&raw const waiting).cast::<Set>().read())
            };
            let told = calls.iter().map(call).collect();
            while take(!0).is_ok() {}
            told
        };
        // SAFETY: it is live.
        unsafe { libc::pthread_sigmask(SIG_SETMASK, &raw const former, core::ptr::null_mut()) };
        told
    }
}
