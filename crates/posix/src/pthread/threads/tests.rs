use core::time::Duration;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use miou_rs::{Builder, Instant};

use super::super::mutexes::{pthread_mutex_lock, pthread_mutex_unlock};
use super::*;
use crate::testing::{call, run, run_with, spawn, together};

/// The result of a thread.
pub(crate) fn join(thread: &Thread) -> *mut c_void {
    let mut result = ptr::null_mut();
    // SAFETY: a thread that nobody else joins.
    let error = unsafe { pthread_join(number_of(thread), &raw mut result) };
    assert_eq!(error, 0);
    result
}

/// Has a thread end without anybody who joins it.
pub(crate) fn detach(thread: &Thread) {
    // SAFETY: a thread that nobody has joined or detached.
    assert_eq!(unsafe { pthread_detach(number_of(thread)) }, 0);
}

#[test]
fn join_gives_the_result_also_when_the_thread_has_ended_before() {
    extern "C" fn next(argument: *mut c_void) -> *mut c_void {
        ptr::without_provenance_mut(argument.addr() + 1)
    }
    run(|| {
        for turns in 0..3 {
            let mut number = 0;
            let argument = ptr::without_provenance_mut(41);
            // SAFETY: a place, and no attributes.
            let result = unsafe { pthread_create(&raw mut number, ptr::null(), next, argument) };
            assert_eq!(result, 0);
            (0..turns).for_each(|_| give_way());
            // SAFETY: made above.
            assert_eq!(join(unsafe { of(number) }).addr(), 42);
        }
        assert_eq!(Thread::all().count(), 1);
    });
}

/// Others may end meanwhile, and leave memory for one.
#[test]
fn who_tries_again_to_make_a_thread_gives_way() {
    extern "C" fn never(_: *mut c_void) -> *mut c_void {
        unreachable!("there is no memory for it")
    }
    run(|| {
        let ran = Rc::new(Cell::new(false));
        let other = ran.clone();
        let other = spawn(move || other.set(true));
        let mut large = Attributes::DEFAULT;
        large.stack_size = usize::MAX >> 2;
        let mut number = 0;
        for times in 1.. {
            // SAFETY: a place, and attributes.
            let result = unsafe {
                let attributes = (&raw const large).cast();
                pthread_create(&raw mut number, attributes, never, ptr::null_mut())
            };
            assert_eq!(result, EAGAIN);
            if ran.get() {
                break;
            }
            assert!(times <= 32, "nobody else runs");
        }
        join(other);
    });
}

#[test]
fn detached_threads_leave_nothing() {
    run(|| {
        let ended = Rc::new(Cell::new(0));
        let body = || {
            let ended = ended.clone();
            call(move || ended.set(ended.get() + 1))
        };
        thread::spawn(64 << 10, body(), true).expect("memory");
        let [early, late] = [0, 1].map(|_| thread::spawn(64 << 10, body(), false).expect("memory"));
        // SAFETY: two threads, one before and one after its end.
        unsafe {
            assert_eq!(pthread_detach(number_of(early)), 0);
            assert_eq!(pthread_detach(number_of(early)), EINVAL);
            assert_eq!(pthread_join(number_of(early), ptr::null_mut()), EINVAL);
            give_way();
            give_way();
            assert_eq!(pthread_detach(number_of(late)), 0);
        }
        assert_eq!(ended.get(), 3);
        assert_eq!(Thread::all().count(), 1);
    });
}

#[test]
fn a_thread_cannot_wait_for_its_own_end() {
    run(|| {
        // SAFETY: it is there.
        let error = unsafe { pthread_join(pthread_self(), ptr::null_mut()) };
        assert_eq!(error, EDEADLK);
    });
}

#[test]
fn names_have_fifteen_octets() {
    run(|| {
        let own = pthread_self();
        let mut name = [0; 16];
        // SAFETY: it is there; C strings, and a place of its size.
        unsafe {
            assert_eq!(
                pthread_setname_np(own, c"sixteen octets !".as_ptr()),
                ERANGE
            );
            assert_eq!(pthread_setname_np(own, c"fifteen octets!".as_ptr()), 0);
            assert_eq!(pthread_getname_np(own, name.as_mut_ptr(), 15), ERANGE);
            assert_eq!(pthread_getname_np(own, name.as_mut_ptr(), 16), 0);
            assert_eq!(CStr::from_ptr(name.as_ptr()), c"fifteen octets!");
        }
    });
}

#[test]
fn more_memory_than_there_is_is_an_error() {
    run(|| {
        assert!(thread::spawn(isize::MAX as usize, call(|| ()), false).is_none());
        assert!(thread::spawn(usize::MAX, call(|| ()), false).is_none());
        assert_eq!(Thread::all().count(), 1);
    });
}

/// A counter that threads change under a lock of pthread's, giving way and sleeping in between.
struct Shared {
    mutex: RefCell<libc::pthread_mutex_t>,
    inside: Cell<bool>,
    count: Cell<usize>,
}

#[test]
fn a_thousand_threads_exclude_each_other_in_any_order() {
    for seed in 0..8 {
        run_with(Builder::new().seed(seed), move || {
            let shared = Rc::new(Shared {
                mutex: RefCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
                inside: Cell::new(false),
                count: Cell::new(0),
            });
            let mut random = fastrand::Rng::with_seed(seed);
            let threads: Vec<_> = (0..1_000)
                .map(|_| {
                    let (shared, mut random) = (shared.clone(), random.fork());
                    spawn(move || {
                        for _ in 0..3 {
                            shared.exclusive(&mut random);
                        }
                    })
                })
                .collect();
            together(threads);
            assert_eq!(shared.count.get(), 3_000);
        });
    }
}

impl Shared {
    fn exclusive(&self, random: &mut fastrand::Rng) {
        let mutex = self.mutex.as_ptr();
        // SAFETY: initialised, and there as long as the threads.
        unsafe { assert_eq!(pthread_mutex_lock(mutex), 0) };
        assert!(!self.inside.replace(true));
        match random.u8(0..4) {
            0 => give_way(),
            1 => {
                let deadline = inside(Instant::now) + Duration::from_micros(random.u64(1..50));
                assert!(!park("a test", 1, ALL, Some(deadline)));
            }
            _ => {}
        }
        self.count.set(self.count.get() + 1);
        self.inside.set(false);
        // SAFETY: as above.
        unsafe { assert_eq!(pthread_mutex_unlock(mutex), 0) };
    }
}
