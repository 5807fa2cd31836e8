use libc::{CLOCK_MONOTONIC, TFD_NONBLOCK};

use super::*;
use crate::descriptors::calls;
use crate::testing::run;
use crate::wait::wait_until;

const MILLISECOND: Time = Duration::from_millis(1);

fn pause(time: Duration) {
    let deadline = Some(blocking::now() + time);
    let outcome = wait_until("a test", deadline, |_| core::task::Poll::<()>::Pending);
    assert_eq!(outcome, None);
}

/// A timer that does not let reads wait.
fn timer(setting: Setting) -> c_int {
    let fd = calls::make_timer(CLOCK_MONOTONIC, TFD_NONBLOCK).expect("room");
    let former = calls::with_timer(fd, |timer| Ok(timer.set(setting)));
    assert_eq!(former, Ok(Setting::default()));
    fd
}

fn read(fd: c_int) -> Result<u64> {
    let mut count = [0; 8];
    assert_eq!(calls::read(fd, &mut [IoSliceMut::new(&mut count)])?, 8);
    Ok(u64::from_ne_bytes(count))
}

#[test]
fn who_never_waits_for_a_timer_sees_that_it_rang() {
    run(|| {
        let at = blocking::time(blocking::now()) + 10 * MILLISECOND;
        let fd = timer(Setting {
            at: Some(at),
            interval: 4 * MILLISECOND,
        });
        pause(9 * MILLISECOND);
        assert_eq!(read(fd), Err(Errno::AGAIN));
        pause(10 * MILLISECOND);
        // At 10, 14 and 18.
        assert_eq!(read(fd), Ok(3));
        assert_eq!(read(fd), Err(Errno::AGAIN));
        pause(4 * MILLISECOND);
        let next = calls::with_timer(fd, |timer| Ok(timer.setting().at));
        assert_eq!(next, Ok(Some(at + 16 * MILLISECOND)));
        calls::close(fd).expect("open");
    });
}

#[test]
fn one_that_rings_once_is_not_set_any_more() {
    run(|| {
        let fd = timer(Setting {
            at: Some(blocking::time(blocking::now()) + MILLISECOND),
            interval: Duration::ZERO,
        });
        pause(2 * MILLISECOND);
        let setting = calls::with_timer(fd, |timer| Ok(timer.setting()));
        assert_eq!(setting, Ok(Setting::default()));
        assert_eq!(read(fd), Ok(1));
        calls::close(fd).expect("open");
    });
}
