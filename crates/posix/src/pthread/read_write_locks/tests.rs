use std::cell::{Cell, RefCell};
use std::rc::Rc;

use libc::PTHREAD_RWLOCK_INITIALIZER;
use nolibc::locks::pthread_rwlock_destroy;

use super::*;
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

type Lock = Rc<Cell<pthread_rwlock_t>>;

fn lock() -> Lock {
    Rc::new(Cell::new(PTHREAD_RWLOCK_INITIALIZER))
}

/// Calls a function with an initialised lock.
fn call(function: unsafe extern "C" fn(*mut pthread_rwlock_t) -> c_int, lock: &Lock) -> c_int {
    // SAFETY: `lock` has initialised it, and nothing else refers to it.
    unsafe { function(lock.as_ptr()) }
}

#[test]
fn readers_share_and_a_writer_has_it_alone() {
    run(|| {
        let lock = lock();
        assert_eq!(call(pthread_rwlock_rdlock, &lock), 0);
        assert_eq!(call(pthread_rwlock_tryrdlock, &lock), 0);
        assert_eq!(call(pthread_rwlock_trywrlock, &lock), EBUSY);
        assert_eq!(call(pthread_rwlock_destroy, &lock), EBUSY);
        assert_eq!(call(pthread_rwlock_unlock, &lock), 0);
        assert_eq!(call(pthread_rwlock_unlock, &lock), 0);
        assert_eq!(call(pthread_rwlock_unlock, &lock), EPERM);
        assert_eq!(call(pthread_rwlock_trywrlock, &lock), 0);
        assert_eq!(call(pthread_rwlock_tryrdlock, &lock), EBUSY);
        assert_eq!(call(pthread_rwlock_wrlock, &lock), EDEADLK);
        assert_eq!(call(pthread_rwlock_unlock, &lock), 0);
        assert_eq!(call(pthread_rwlock_destroy, &lock), 0);
    });
}

#[test]
fn who_comes_to_read_does_not_wait_for_who_waits_to_write() {
    run(|| {
        let lock = lock();
        let order = Rc::new(RefCell::new(Vec::new()));
        let thread = |name, function| {
            let (lock, order) = (lock.clone(), order.clone());
            spawn(move || {
                assert_eq!(call(function, &lock), 0);
                order.borrow_mut().push(name);
                give_way();
                assert_eq!(call(pthread_rwlock_unlock, &lock), 0);
            })
        };
        // Twice by one thread, with a writer that waits since then.
        assert_eq!(call(pthread_rwlock_rdlock, &lock), 0);
        let writer = thread("writer", pthread_rwlock_wrlock);
        give_way();
        assert_eq!(call(pthread_rwlock_rdlock, &lock), 0);
        assert_eq!(call(pthread_rwlock_unlock, &lock), 0);
        let readers = [0, 1].map(|_| thread("reader", pthread_rwlock_rdlock));
        give_way();
        assert_eq!(*order.borrow(), ["reader", "reader"]);
        assert_eq!(call(pthread_rwlock_unlock, &lock), 0);
        together([writer].into_iter().chain(readers));
        assert_eq!(*order.borrow(), ["reader", "reader", "writer"]);
    });
}
