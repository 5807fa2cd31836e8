//! Exercises std's files on the block device `storage`, one case for each run, which the first argument names:
//!
//! - `trace SEED DIRECTORY` makes calls drawn from a seed in a new directory, and prints what each came to;
//! - `count` counts on from where an earlier run was ended, and prints each number when it is durable;
//! - `sync` says whether a file can be made durable;
//! - `leave` writes a file and ends, without making it durable; `find` prints it;
//! - `save` writes that file when it ends, by a handler that is there before the first file is.
//!
//! Built for Linux it is an ordinary program, with whose trace that of the unikernel is compared.

use std::io::{self, Write};
use std::{env, fs};

use mkernel as _;

mod count;
mod trace;

fn leave() -> io::Result<()> {
    fs::write("/left", "behind")
}

extern "C" fn save() {
    leave().expect("room");
}

extern "C" fn nothing() {}

fn at_end(handler: extern "C" fn()) {
    // SAFETY: the function may be called when the program ends.
    assert_eq!(unsafe { libc::atexit(handler) }, 0);
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["trace", seed, directory] => {
            trace::run(seed.parse().expect("a number"), directory.as_ref());
            Ok(())
        }
        ["count"] => count::run(),
        ["sync"] => {
            let mut file = fs::File::create("/file")?;
            file.write_all(b"text")?;
            println!("{:?}", file.sync_all().map_err(|error| error.kind()));
            Ok(())
        }
        ["leave"] => leave(),
        ["save"] => {
            at_end(save);
            // As many as there is room for in ISO C.
            (1..32).for_each(|_| at_end(nothing));
            fs::write("/first", "")
        }
        ["find"] => {
            println!("{}", fs::read_to_string("/left")?);
            Ok(())
        }
        _ => panic!("{arguments:?}: expected a case"),
    }
}
