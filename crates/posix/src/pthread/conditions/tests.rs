use core::time::Duration;
use std::cell::Cell;
use std::rc::Rc;

use libc::{PTHREAD_COND_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

use super::super::mutexes::{pthread_mutex_lock, pthread_mutex_unlock};
use super::*;
use crate::scheduler::inside;
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

struct Shared {
    mutex: Cell<pthread_mutex_t>,
    condition: Cell<pthread_cond_t>,
    value: Cell<u32>,
}

fn shared() -> Rc<Shared> {
    Rc::new(Shared {
        mutex: Cell::new(PTHREAD_MUTEX_INITIALIZER),
        condition: Cell::new(PTHREAD_COND_INITIALIZER),
        value: Cell::new(0),
    })
}

impl Shared {
    fn lock(&self) {
        // SAFETY: initialised.
        assert_eq!(unsafe { pthread_mutex_lock(self.mutex.as_ptr()) }, 0);
    }

    fn unlock(&self) {
        // SAFETY: initialised.
        assert_eq!(unsafe { pthread_mutex_unlock(self.mutex.as_ptr()) }, 0);
    }

    fn wait(&self) {
        // SAFETY: both are initialised.
        let result = unsafe { pthread_cond_wait(self.condition.as_ptr(), self.mutex.as_ptr()) };
        assert_eq!(result, 0);
    }
}

/// Threads that wait once each, and count that they were woken, with the lock.
fn waiting(shared: &Rc<Shared>, count: usize) -> Vec<&'static crate::thread::Thread> {
    let threads = (0..count).map(|_| {
        let shared = shared.clone();
        spawn(move || {
            shared.lock();
            shared.wait();
            shared.value.set(shared.value.get() + 1);
            // Those that are woken together have the lock one after the other.
            let value = shared.value.get();
            give_way();
            assert_eq!(shared.value.get(), value);
            shared.unlock();
        })
    });
    let threads = threads.collect();
    give_way();
    threads
}

#[test]
fn signal_wakes_one_and_broadcast_all() {
    run(|| {
        let shared = shared();
        let threads = waiting(&shared, 5);
        pthread_cond_signal(shared.condition.as_ptr());
        (0..3).for_each(|_| give_way());
        assert_eq!(shared.value.get(), 1);
        pthread_cond_broadcast(shared.condition.as_ptr());
        together(threads);
        assert_eq!(shared.value.get(), 5);
    });
}

#[test]
fn a_signal_without_anybody_who_waits_is_lost() {
    run(|| {
        let shared = shared();
        pthread_cond_signal(shared.condition.as_ptr());
        let threads = waiting(&shared, 1);
        give_way();
        assert_eq!(shared.value.get(), 0);
        pthread_cond_signal(shared.condition.as_ptr());
        together(threads);
    });
}

#[test]
fn a_deadline_is_of_the_clock_of_the_attributes() {
    run(|| {
        let shared = shared();
        let mut attributes = core::mem::MaybeUninit::uninit();
        let deadline = timespec {
            tv_sec: 0,
            tv_nsec: 3_000_000,
        };
        // SAFETY: places, and what was initialised in them before.
        unsafe {
            assert_eq!(pthread_condattr_init(attributes.as_mut_ptr()), 0);
            let clock = libc::CLOCK_PROCESS_CPUTIME_ID;
            let unknown = pthread_condattr_setclock(attributes.as_mut_ptr(), clock);
            assert_eq!(unknown, EINVAL);
            let known = pthread_condattr_setclock(attributes.as_mut_ptr(), CLOCK_MONOTONIC);
            assert_eq!(known, 0);
            let condition = shared.condition.as_ptr();
            assert_eq!(pthread_cond_init(condition, attributes.as_ptr()), 0);
            shared.lock();
            let result =
                pthread_cond_timedwait(condition, shared.mutex.as_ptr(), &raw const deadline);
            assert_eq!(result, ETIMEDOUT);
        }
        let now = inside(miou_rs::Instant::now);
        assert_eq!(
            now,
            miou_rs::Instant::from_nanos(0) + Duration::from_millis(3)
        );
        // The lock is held again.
        shared.unlock();
    });
}

#[test]
fn waiting_without_the_lock_is_an_error() {
    run(|| {
        let shared = shared();
        // SAFETY: both are initialised.
        let result = unsafe { pthread_cond_wait(shared.condition.as_ptr(), shared.mutex.as_ptr()) };
        assert_eq!(result, libc::EPERM);
    });
}
