//! What `block-load` does in a unikernel, by a Linux process with `pread`, `pwrite` and `fdatasync`: `peer FILE CASE SECONDS`.

#[path = "../../../../../tests/guests/block-load/src/pattern.rs"]
mod pattern;

use std::env;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::pattern::Pattern;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file, case, seconds] = &arguments[..] else {
        bail!("expected FILE CASE SECONDS");
    };
    let pattern = Pattern::named(case).with_context(|| format!("{case:?}: no such case"))?;
    let time = Duration::from_secs_f64(seconds.parse()?);
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    let capacity = file.metadata()?.len();
    let mut octets = vec![1; pattern.octets];
    let start = Instant::now();
    let mut operations = 0_u64;
    for place in pattern.places(capacity) {
        if start.elapsed() > time {
            break;
        }
        match pattern.writes {
            true => file.write_all_at(&octets, place)?,
            false => file.read_exact_at(&mut octets, place)?,
        }
        if pattern.synced {
            file.sync_data()?;
        }
        operations += 1;
    }
    println!("{operations} {}", start.elapsed().as_nanos());
    Ok(())
}
