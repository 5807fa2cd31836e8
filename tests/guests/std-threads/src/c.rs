//! What C code does with threads.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;

/// The objects that its threads share.
struct Shared {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    condition: UnsafeCell<libc::pthread_cond_t>,
    lock: UnsafeCell<libc::pthread_rwlock_t>,
    barrier: UnsafeCell<MaybeUninit<libc::pthread_barrier_t>>,
    semaphore: UnsafeCell<MaybeUninit<libc::sem_t>>,
    arrived: UnsafeCell<usize>,
}

const THREADS: usize = 4;

/// Meets the others at the barrier, counts itself, and waits until all have; gives what it has taken.
extern "C" fn meet(shared: *mut c_void) -> *mut c_void {
    // SAFETY: `objects` gives its own, which are initialised and stay until the threads have ended; what they guard is changed
    // by who holds them.
    unsafe {
        let shared = &*shared.cast::<Shared>();
        libc::pthread_barrier_wait(shared.barrier.get().cast());
        assert_eq!(libc::pthread_mutex_lock(shared.mutex.get()), 0);
        *shared.arrived.get() += 1;
        while *shared.arrived.get() < THREADS {
            let waited = libc::pthread_cond_wait(shared.condition.get(), shared.mutex.get());
            assert_eq!(waited, 0);
        }
        assert_eq!(libc::pthread_cond_broadcast(shared.condition.get()), 0);
        assert_eq!(libc::pthread_mutex_unlock(shared.mutex.get()), 0);
        assert_eq!(libc::pthread_rwlock_rdlock(shared.lock.get()), 0);
        libc::sched_yield();
        assert_eq!(libc::pthread_rwlock_unlock(shared.lock.get()), 0);
        assert_eq!(libc::sem_post(shared.semaphore.get().cast()), 0);
        libc::pthread_exit(ptr::without_provenance_mut(7))
    }
}

/// Mutex, condition variable, read-write lock, barrier, semaphore, and threads with attributes.
pub(crate) fn objects() {
    let shared = Shared {
        mutex: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
        condition: UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER),
        lock: UnsafeCell::new(libc::PTHREAD_RWLOCK_INITIALIZER),
        barrier: UnsafeCell::new(MaybeUninit::uninit()),
        semaphore: UnsafeCell::new(MaybeUninit::uninit()),
        arrived: UnsafeCell::new(0),
    };
    // SAFETY: places for what is initialised, and then what was; each thread is joined once.
    unsafe {
        let (barrier, semaphore) = (shared.barrier.get().cast(), shared.semaphore.get().cast());
        assert_eq!(
            libc::pthread_barrier_init(barrier, ptr::null(), THREADS as u32),
            0
        );
        assert_eq!(libc::sem_init(semaphore, 0, 0), 0);
        assert_eq!(libc::pthread_rwlock_wrlock(shared.lock.get()), 0);
        let mut attributes = MaybeUninit::uninit();
        assert_eq!(libc::pthread_attr_init(attributes.as_mut_ptr()), 0);
        assert_eq!(
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), 64 << 10),
            0
        );
        let threads = [0; THREADS].map(|_: u8| {
            let mut thread = 0;
            let argument = ptr::from_ref(&shared).cast_mut().cast();
            let made = libc::pthread_create(&raw mut thread, attributes.as_ptr(), meet, argument);
            assert_eq!(made, 0);
            thread
        });
        assert_eq!(libc::pthread_attr_destroy(attributes.as_mut_ptr()), 0);
        libc::usleep(1_000);
        assert_eq!(libc::pthread_rwlock_unlock(shared.lock.get()), 0);
        for _ in 0..THREADS {
            assert_eq!(libc::sem_wait(semaphore), 0);
        }
        for thread in threads {
            let mut result = ptr::null_mut();
            assert_eq!(libc::pthread_join(thread, &raw mut result), 0);
            assert_eq!(result.addr(), 7);
        }
        assert_eq!(libc::sem_trywait(semaphore), -1);
        assert_eq!(libc::pthread_barrier_destroy(barrier), 0);
        assert_eq!(libc::sem_destroy(semaphore), 0);
    }
}

/// Each thread's number is its own, also by the function that is asked for by name.
pub(crate) fn numbers() {
    let number = || {
        // SAFETY: the name is a string of C, and the function of that name takes nothing and gives a number.
        unsafe {
            let found = libc::dlsym(libc::RTLD_DEFAULT, c"gettid".as_ptr());
            assert!(!found.is_null());
            let gettid = std::mem::transmute::<*mut c_void, extern "C" fn() -> i32>(found);
            assert_eq!(gettid(), libc::gettid());
            gettid()
        }
    };
    let other = std::thread::spawn(number).join().unwrap();
    assert_ne!(number(), other);
}
