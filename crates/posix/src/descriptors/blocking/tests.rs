use std::cell::Cell;
use std::rc::Rc;

use libc::{EMFILE, O_RDWR};

use super::*;
use crate::descriptors::calls::to_read;
use crate::descriptors::pipe::pipe;
use crate::error::fail;
use crate::testing::{run, spawn, together};

/// As of `accept` where there is no descriptor, in a loop that goes on whatever came of it.
#[test]
fn who_asks_again_for_what_fails_gives_way() {
    run(|| {
        let ran = Rc::new(Cell::new(false));
        let other = ran.clone();
        let other = spawn(move || other.set(true));
        let open = Open::new(Rc::new(pipe().0), O_RDWR);
        for times in 1.. {
            let failed = call(&open, to_read(&open), |_| fail::<()>(EMFILE));
            assert_eq!(failed, fail(EMFILE));
            if ran.get() {
                break;
            }
            assert!(times <= RESTLESS, "nobody else runs");
        }
        together([other]);
    });
}
