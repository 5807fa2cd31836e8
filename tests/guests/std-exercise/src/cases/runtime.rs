//! Thread-local variables, clocks, the environment, unwinding and locks.

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::{Condvar, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[repr(align(64))]
struct Aligned(Cell<u64>);

thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(7) };
    static NAMES: RefCell<Vec<String>> = RefCell::new(vec!["first".to_owned()]);
    static ALIGNED: Aligned = const { Aligned(Cell::new(1)) };
}

pub(crate) fn thread_local() {
    COUNT.set(COUNT.get() + 1);
    assert_eq!(COUNT.get(), 8);
    NAMES.with_borrow_mut(|names| names.push("second".to_owned()));
    assert_eq!(NAMES.take(), ["first", "second"]);
    ALIGNED.with(|aligned| {
        assert_eq!(std::ptr::from_ref(aligned).addr() % 64, 0);
        assert_eq!(aligned.0.replace(2), 1);
    });
}

pub(crate) fn instant() {
    let start = Instant::now();
    let duration = Duration::from_millis(20);
    std::thread::sleep(duration);
    assert!(start.elapsed() >= duration);
    let earlier = Instant::now();
    assert!(Instant::now() >= earlier);
}

/// The host's clock is right if it is later than the day this was written.
pub(crate) fn system_time() {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    assert!(now > Duration::from_secs(1_760_000_000), "{now:?}");
}

pub(crate) fn environment() {
    assert_eq!(std::env::vars_os().count(), 0);
    // SAFETY: there is one thread, and nothing reads the environment meanwhile.
    unsafe {
        std::env::set_var("COLOUR", "green");
        std::env::set_var("SHAPE", "round");
        std::env::set_var("COLOUR", "blue");
    }
    assert_eq!(std::env::var("COLOUR").as_deref(), Ok("blue"));
    assert_eq!(std::env::vars().count(), 2);
    // SAFETY: as above.
    unsafe { std::env::remove_var("COLOUR") };
    assert!(std::env::var("COLOUR").is_err());
    assert_eq!(std::env::var("SHAPE").as_deref(), Ok("round"));
    // SAFETY: as above.
    unsafe { std::env::remove_var("SHAPE") };
}

struct Raise<'a>(&'a Cell<u32>);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// A panic runs the destructors on its way through many frames.
pub(crate) fn catch_unwind() {
    fn deeper(depth: u32, dropped: &Cell<u32>) -> u32 {
        let _raise = Raise(dropped);
        if depth == 0 {
            panic!("at the bottom");
        }
        deeper(depth - 1, dropped) + 1
    }
    let dropped = Cell::new(0);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let caught = panic::catch_unwind(panic::AssertUnwindSafe(|| deeper(100, &dropped)));
    panic::set_hook(hook);
    let payload = caught.expect_err("it panicked");
    assert_eq!(payload.downcast_ref(), Some(&"at the bottom"));
    assert_eq!(dropped.get(), 101);
}

/// Walking the stack ends before `main`'s callers; there is no file to take symbols from.
pub(crate) fn backtrace() {
    let text = std::backtrace::Backtrace::force_capture().to_string();
    assert!(text.contains("0:"), "{text}");
}

/// A wait that nobody can end lasts until its timeout.
pub(crate) fn locks_with_timeouts() {
    let lock = Mutex::new(0);
    let guard = lock.lock().expect("not poisoned");
    assert!(lock.try_lock().is_err());
    let timeout = Duration::from_millis(5);
    let (_guard, result) = Condvar::new()
        .wait_timeout(guard, timeout)
        .expect("not poisoned");
    assert!(result.timed_out());

    let (sender, receiver) = mpsc::channel();
    assert_eq!(
        receiver.recv_timeout(timeout),
        Err(mpsc::RecvTimeoutError::Timeout)
    );
    sender.send(5).expect("the receiver lives");
    assert_eq!(receiver.recv_timeout(timeout), Ok(5));

    let start = Instant::now();
    std::thread::park_timeout(timeout);
    assert!(start.elapsed() >= timeout);
}
