//! Sets that are waited for. What they tell at once is compared with Linux' beside `epoll`.

use core::time::Duration;
use std::io::IoSlice;

use libc::{EBADF, EINTR, O_NONBLOCK, SIGUSR1};

use super::*;
use crate::descriptors::blocking::now;
use crate::descriptors::calls::{self, Patience};
use crate::error::{Result, fail};
use crate::signals;
use crate::testing::{run, spawn, together};
use crate::thread;
use crate::wait::give_way;

/// A set of these, of four words.
fn of(fds: &[c_int]) -> Option<Vec<u64>> {
    let mut set = vec![0; 4];
    for fd in fds {
        set[*fd as usize / 64] |= 1 << (fd % 64);
    }
    Some(set)
}

fn select(sets: &mut Sets, patience: Patience) -> Result<usize> {
    calls::select(sets, 256, patience)
}

#[test]
fn descriptors_that_are_not_open_are_an_error_and_leave_the_sets() {
    run(|| {
        let [reader, writer] = calls::make_pipe(0).expect("room");
        calls::close(reader).expect("open");
        for (read, count, outcome) in [
            (reader, 256, fail(EBADF)),
            (255, 256, fail(EBADF)),
            (255, 255, Ok(1)),
            (reader, reader as usize, Ok(0)),
        ] {
            let mut sets = [of(&[read]), of(&[writer]), None];
            assert_eq!(calls::select(&mut sets, count, Patience::None), outcome);
            let left = match outcome {
                Ok(1) => [of(&[]), of(&[writer]), None],
                Ok(_) => [of(&[]), of(&[]), None],
                Err(_) => [of(&[read]), of(&[writer]), None],
            };
            assert_eq!(sets, left);
        }
        calls::close(writer).expect("open");
    });
}

#[test]
fn it_waits_for_what_a_set_is_about_and_nothing_else() {
    run(|| {
        let [reader, writer] = calls::make_pipe(O_NONBLOCK).expect("room");
        let soon = || Patience::Until(now() + Duration::from_secs(3));
        // An end of file is something to read, but neither room to write nor out of the ordinary.
        let closing = spawn(move || calls::close(writer).expect("open"));
        let mut sets = [None, of(&[reader]), of(&[reader])];
        let start = now();
        assert_eq!(select(&mut sets, soon()), Ok(0));
        assert_eq!(sets, [None, of(&[]), of(&[])]);
        assert_eq!(
            now().saturating_duration_since(start),
            Duration::from_secs(3)
        );
        together([closing]);
        let mut sets = [of(&[reader]), None, of(&[reader])];
        assert_eq!(select(&mut sets, Patience::Forever), Ok(1));
        assert_eq!(sets, [of(&[reader]), None, of(&[])]);
        calls::close(reader).expect("open");
    });
}

#[test]
fn another_thread_makes_it_ready() {
    run(|| {
        let [reader, writer] = calls::make_pipe(0).expect("room");
        let writing = spawn(move || {
            give_way();
            assert_eq!(calls::write(writer, &mut [IoSlice::new(b"x")]), Ok(1));
        });
        let mut sets = [of(&[reader]), None, None];
        assert_eq!(select(&mut sets, Patience::Forever), Ok(1));
        assert_eq!(sets, [of(&[reader]), None, None]);
        together([writing]);
        for fd in [reader, writer] {
            calls::close(fd).expect("open");
        }
    });
}

/// Also one whose action says that calls go on.
#[test]
fn a_handler_ends_it_and_leaves_the_sets() {
    extern "C" fn nothing(_signal: c_int) {}
    run(|| {
        let [reader, writer] = calls::make_pipe(0).expect("room");
        let action = signals::Action {
            handler: nothing as *const () as usize,
            flags: libc::SA_RESTART,
            mask: 0,
        };
        let former = signals::exchange(SIGUSR1, Some(action)).expect("a signal");
        let main = thread::current().expect("a thread");
        let sending = spawn(move || assert_eq!(signals::send(main, SIGUSR1), Ok(())));
        let mut sets = [of(&[reader]), None, None];
        assert_eq!(select(&mut sets, Patience::Forever), fail(EINTR));
        assert_eq!(sets, [of(&[reader]), None, None]);
        together([sending]);
        assert_eq!(signals::exchange(SIGUSR1, Some(former)), Ok(action));
        for fd in [reader, writer] {
            calls::close(fd).expect("open");
        }
    });
}
