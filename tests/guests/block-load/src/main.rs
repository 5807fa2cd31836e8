//! Reads and writes the block device `disk`: `block-load CASE DEPTH SECONDS`; prints how many operations were done, and
//! in how many nanoseconds.
#![forbid(unsafe_code)]

mod pattern;

use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, Instant};

use blockdev::scheduled::Queue;
use mkernel::block::{BlockDevice, Disk};

use crate::pattern::Pattern;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [case, depth, seconds] = &arguments[..] else {
        return Err("expected CASE DEPTH SECONDS".into());
    };
    let pattern = Pattern::named(case).ok_or_else(|| format!("{case:?}: no such case"))?;
    let depth: usize = depth.parse()?;
    let time = Duration::from_secs_f64(seconds.parse()?);
    let disk = mkernel::block::open(mkernel::block!("disk")?)?;
    let start = Instant::now();
    let operations = match depth {
        1 => one_by_one(disk, pattern, time)?,
        _ => mkernel::run(at_depth(disk, pattern, depth, time))?,
    };
    println!("{operations} {}", start.elapsed().as_nanos());
    Ok(())
}

fn one_by_one(
    mut disk: BlockDevice<Disk>,
    pattern: Pattern,
    time: Duration,
) -> Result<u64, Box<dyn Error>> {
    let mut octets = vec![1; pattern.octets];
    let start = Instant::now();
    let mut operations = 0;
    for place in pattern.places(disk.capacity()) {
        if start.elapsed() > time {
            break;
        }
        match pattern.writes {
            true => disk.write_blocks(place, &octets)?,
            false => disk.read_blocks(place, &mut octets)?,
        }
        if pattern.synced {
            disk.flush()?;
        }
        operations += 1;
    }
    Ok(operations)
}

async fn at_depth(
    disk: BlockDevice<Disk>,
    pattern: Pattern,
    depth: usize,
    time: Duration,
) -> Result<u64, Box<dyn Error>> {
    let capacity = disk.capacity();
    let queue = Queue::new(disk.into_inner());
    let operations = Rc::new(Cell::new(0));
    let start = Instant::now();
    let tasks: Vec<_> = (0..depth)
        .map(|task| {
            let (queue, operations) = (queue.clone(), operations.clone());
            mkernel::spawn(async move {
                let mut octets = vec![1; pattern.octets];
                for place in pattern.places(capacity).skip(task).step_by(depth) {
                    if start.elapsed() > time {
                        break;
                    }
                    octets = match pattern.writes {
                        true => queue.write(place, octets).await?,
                        false => queue.read_into(place, octets).await?,
                    };
                    if pattern.synced {
                        queue.flush().await?;
                    }
                    operations.set(operations.get() + 1);
                }
                Ok::<_, Box<dyn Error>>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(operations.get())
}
