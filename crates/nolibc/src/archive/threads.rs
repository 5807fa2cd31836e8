//! Threads: there is one, with thread-local variables and keys.

use super::errno::fail;
use super::hypercall::{fatal, script};
use super::single_thread::SingleThread;
use super::time::{sleep_for, sleep_until_on, to_nanoseconds};
use crate::locks;
use crate::semaphores::{self, sem_trywait};
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::ptr;
use libc::{
    CLOCK_MONOTONIC, CLOCK_REALTIME, EAGAIN, EINVAL, ENOMEM, ENOSYS, ESRCH, ETIMEDOUT,
    FUTEX_CLOCK_REALTIME, FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE,
    FUTEX_WAKE_BITSET, cpu_set_t, free, malloc, pthread_attr_t, pthread_key_t, pthread_t, sem_t,
    size_t, timespec,
};

weak! {
    pthread_self pthread_create pthread_join pthread_detach pthread_setname_np sched_yield
    pthread_attr_init pthread_attr_destroy pthread_attr_setstacksize pthread_attr_getstack
    pthread_attr_getguardsize pthread_getattr_np
    pthread_key_create pthread_key_delete pthread_setspecific pthread_getspecific
    sem_timedwait
}
weak! {
    pthread_mutex_init = locks::pthread_mutex_init,
    pthread_mutex_destroy = locks::pthread_mutex_destroy,
    pthread_mutex_lock = locks::pthread_mutex_lock,
    pthread_mutex_trylock = locks::pthread_mutex_trylock,
    pthread_mutex_unlock = locks::pthread_mutex_unlock,
    pthread_rwlock_init = locks::pthread_rwlock_init,
    pthread_rwlock_destroy = locks::pthread_rwlock_destroy,
    pthread_rwlock_rdlock = locks::pthread_rwlock_rdlock,
    pthread_rwlock_tryrdlock = locks::pthread_rwlock_tryrdlock,
    pthread_rwlock_wrlock = locks::pthread_rwlock_wrlock,
    pthread_rwlock_trywrlock = locks::pthread_rwlock_trywrlock,
    pthread_rwlock_unlock = locks::pthread_rwlock_unlock,
    pthread_once = locks::pthread_once,
    sem_init = semaphores::sem_init,
    sem_destroy = semaphores::sem_destroy,
    sem_post = semaphores::sem_post,
    sem_wait = semaphores::sem_wait,
    sem_trywait = semaphores::sem_trywait,
    sem_getvalue = semaphores::sem_getvalue,
}

/// The one thread's name for itself.
const SELF: pthread_t = 1;

extern "C" fn pthread_self() -> pthread_t {
    SELF
}

/// The error of a system that has no room for one more thread. The Rust test harness then runs the
/// test on the thread it has, which it does for no other error.
extern "C" fn pthread_create() -> c_int {
    EAGAIN
}

extern "C" fn pthread_join(_thread: pthread_t, _result: *mut *mut c_void) -> c_int {
    ESRCH
}

extern "C" fn pthread_detach(_thread: pthread_t) -> c_int {
    ESRCH
}

extern "C" fn pthread_setname_np(_thread: pthread_t, _name: *const c_char) -> c_int {
    0
}

/// What is to be called at a `fork` is never called: every `fork` fails.
#[unsafe(no_mangle)]
extern "C" fn pthread_atfork() -> c_int {
    0
}

extern "C" fn sched_yield() -> c_int {
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sched_getaffinity(
    _process: c_int,
    size: size_t,
    set: *mut cpu_set_t,
) -> c_int {
    if size < size_of::<u64>() {
        return fail(EINVAL);
    }
    // SAFETY: the caller gives `size` writable bytes.
    unsafe {
        crate::memory::memset(set.cast(), 0, size);
        set.cast::<u8>().write(1);
    }
    0
}

extern "C" fn pthread_attr_init(_attributes: *mut pthread_attr_t) -> c_int {
    0
}

extern "C" fn pthread_attr_destroy(_attributes: *mut pthread_attr_t) -> c_int {
    0
}

extern "C" fn pthread_attr_setstacksize(_attributes: *mut pthread_attr_t, _size: size_t) -> c_int {
    0
}

extern "C" fn pthread_getattr_np(thread: pthread_t, _attributes: *mut pthread_attr_t) -> c_int {
    if thread == SELF { 0 } else { ESRCH }
}

unsafe extern "C" fn pthread_attr_getstack(
    _attributes: *const pthread_attr_t,
    bottom: *mut *mut c_void,
    size: *mut size_t,
) -> c_int {
    let start = &raw const script::STACK_BOTTOM;
    let end = &raw const script::STACK_TOP;
    // SAFETY: the caller gives two places.
    unsafe {
        bottom.write(start.cast_mut());
        size.write(end.addr() - start.addr());
    }
    0
}

/// The page below the stack is the image's last read-only one.
unsafe extern "C" fn pthread_attr_getguardsize(
    _attributes: *const pthread_attr_t,
    size: *mut size_t,
) -> c_int {
    // SAFETY: the caller gives a place.
    unsafe { size.write(4096) };
    0
}

/// As many keys as POSIX promises.
const KEYS: usize = 128;

/// The values of the keys in use.
static VALUES: SingleThread<[Option<*mut c_void>; KEYS]> = SingleThread::new([None; KEYS]);

/// The place of `key`'s value, if the key is in use.
fn value_of(key: pthread_key_t) -> Option<&'static mut *mut c_void> {
    // SAFETY: callers in this file use the reference at once and call nothing meanwhile.
    unsafe { (*VALUES.get()).get_mut(key as usize)?.as_mut() }
}

/// The destructor would run at the end of a thread other than the first, and there is none.
unsafe extern "C" fn pthread_key_create(
    key: *mut pthread_key_t,
    _destructor: Option<unsafe extern "C" fn(*mut c_void)>,
) -> c_int {
    // SAFETY: nothing else refers to VALUES while this function runs; the caller gives a place.
    unsafe {
        let values = &mut *VALUES.get();
        let Some(index) = values.iter().position(Option::is_none) else {
            return EAGAIN;
        };
        values[index] = Some(ptr::null_mut());
        key.write(index as pthread_key_t);
    }
    0
}

extern "C" fn pthread_key_delete(key: pthread_key_t) -> c_int {
    if value_of(key).is_none() {
        return EINVAL;
    }
    // SAFETY: nothing else refers to VALUES while this function runs.
    unsafe { (*VALUES.get())[key as usize] = None };
    0
}

extern "C" fn pthread_setspecific(key: pthread_key_t, value: *const c_void) -> c_int {
    match value_of(key) {
        Some(place) => *place = value.cast_mut(),
        None => return EINVAL,
    }
    0
}

extern "C" fn pthread_getspecific(key: pthread_key_t) -> *mut c_void {
    value_of(key).map_or(ptr::null_mut(), |value| *value)
}

/// At zero it is a sleep: nobody posts the semaphore meanwhile.
unsafe extern "C" fn sem_timedwait(semaphore: *mut sem_t, deadline: *const timespec) -> c_int {
    // SAFETY: the caller gives a semaphore, and a time.
    let Some(deadline) = (unsafe {
        if sem_trywait(semaphore) == 0 {
            return 0;
        }
        // One before 1970 has passed.
        let tv_sec = (*deadline).tv_sec.max(0);
        to_nanoseconds(&timespec {
            tv_sec,
            ..*deadline
        })
    }) else {
        return fail(EINVAL);
    };
    fail(
        sleep_until_on(CLOCK_REALTIME, deadline)
            .err()
            .unwrap_or(ETIMEDOUT),
    )
}

type ThreadLocalDestructor = unsafe extern "C" fn(*mut c_void);

/// A thread-local variable with a destructor, and the one registered before it.
struct Registration {
    destructor: ThreadLocalDestructor,
    variable: *mut c_void,
    earlier: *mut Registration,
}

/// What there is once for each thread. solo5-posix exchanges it when another one goes on.
#[repr(C)]
pub(super) struct State {
    pub(super) errno: c_int,
    registered: *mut Registration,
}

#[unsafe(no_mangle)]
pub(super) static __solo5_thread_state: SingleThread<State> = SingleThread::new(State {
    errno: 0,
    registered: ptr::null_mut(),
});

/// Where the last thread-local variable registered stands.
fn registered() -> *mut *mut Registration {
    // SAFETY: this makes an address of a field; it reads nothing.
    unsafe { &raw mut (*__solo5_thread_state.get()).registered }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __cxa_thread_atexit_impl(
    destructor: ThreadLocalDestructor,
    variable: *mut c_void,
    _library: *mut c_void,
) -> c_int {
    // SAFETY: the allocation has the size and alignment of a registration; nothing else refers to
    // the list while this function runs.
    unsafe {
        let registration = malloc(size_of::<Registration>()).cast::<Registration>();
        if registration.is_null() {
            return fail(ENOMEM);
        }
        registration.write(Registration {
            destructor,
            variable,
            earlier: registered().read(),
        });
        registered().write(registration);
    }
    0
}

/// Runs the destructors of the thread's variables, last registered first, with those that they
/// register themselves.
#[unsafe(no_mangle)]
pub(super) extern "C" fn __solo5_end_thread_locals() {
    // SAFETY: each registration was made above, is taken off the list before its destructor is
    // called, and is freed once. Who registered it promised that the destructor takes the variable.
    unsafe {
        while let Some(registration) = registered().read().as_ref() {
            let &Registration {
                destructor,
                variable,
                earlier,
            } = registration;
            free(registered().replace(earlier).cast());
            destructor(variable);
        }
    }
}

/// `syscall(SYS_futex, …)`: what std's locks, condition variables and parked threads wait with.
/// Nobody can change the word while the only thread waits for that, so a wait is a sleep if it has a
/// deadline, and otherwise a deadlock.
///
/// # Safety
///
/// `word` and `timeout` are what the system call expects for `operation`.
pub(super) unsafe fn futex(
    word: *const u32,
    operation: c_int,
    value: c_uint,
    timeout: *const timespec,
) -> c_int {
    let clock = if operation & FUTEX_CLOCK_REALTIME == 0 {
        CLOCK_MONOTONIC
    } else {
        CLOCK_REALTIME
    };
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    match command {
        FUTEX_WAKE | FUTEX_WAKE_BITSET => return 0,
        FUTEX_WAIT | FUTEX_WAIT_BITSET => {}
        _ => return fail(ENOSYS),
    }
    // SAFETY: the caller gives an aligned word, and a timespec or null.
    let (current, timeout) = unsafe { (word.read_volatile(), timeout.as_ref()) };
    if current != value {
        return fail(EAGAIN);
    }
    let Some(timeout) = timeout else {
        fatal("deadlock: the only thread waits for another one to release a lock or to wake it");
    };
    let Some(time) = to_nanoseconds(timeout) else {
        return fail(EINVAL);
    };
    if command == FUTEX_WAIT {
        sleep_for(time);
    } else if let Err(error) = sleep_until_on(clock, time) {
        return fail(error);
    }
    fail(ETIMEDOUT)
}
