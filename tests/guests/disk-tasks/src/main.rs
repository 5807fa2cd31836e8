//! Tasks share the partitions of the block device `disk`: one copies the first to the second, through
//! a cache, while others write to the third, each of them to be durable; and one only counts its
//! turns. At last one flushes, while another asks all the time whether a flush has ended.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use blockdev::partition::{Partition, Table};
use blockdev::scheduled::{AsyncCursor, Config, Queue};
use blockdev::{CacheConfig, Cached};
use futures_lite::{AsyncWriteExt, io};
use mkernel::block::Disk;

type Part = Partition<Rc<RefCell<Disk>>>;

/// How often one flushes beside another.
const FLUSHES: u32 = 30;
/// Tasks that write, and octets of what each does.
const WRITERS: u8 = 32;
const RECORD: usize = 5000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut disk = mkernel::block::open(mkernel::block!("disk")?)?;
    let table = Table::read(&mut disk)?;
    let disk = Rc::new(RefCell::new(disk.into_inner()));
    let mut parts = Vec::new();
    for entry in &table.entries {
        println!("{}: {} octets at {}", entry.number, entry.len, entry.start);
        parts.push(entry.open(disk.clone())?);
    }
    let [from, to, records] = <[Part; 3]>::try_from(parts).map_err(|_| "not three partitions")?;
    mkernel::run(async {
        work(from, to, records).await?;
        flush_beside_one_who_asks(&disk).await
    })
}

async fn work(from: Part, to: Part, records: Part) -> Result<(), Box<dyn Error>> {
    let turns = Rc::new(Cell::new(0_u64));
    let counted = turns.clone();
    let counter = mkernel::spawn(async move {
        loop {
            counted.set(counted.get() + 1);
            mkernel::yield_now().await;
        }
    });

    let records = Queue::new(records);
    let writers = (0..WRITERS).map(|number| {
        let records = records.clone();
        mkernel::spawn(async move {
            let place = u64::from(number) * RECORD as u64;
            records.write(place, vec![number + 1; RECORD]).await?;
            records.flush().await
        })
    });
    let writers: Vec<_> = writers.collect();

    let from = Queue::new(from);
    let octets = from.capacity();
    let to = Queue::new(Cached::new(to, CacheConfig::default()));
    let copied = io::copy(AsyncCursor::new(from), &mut AsyncCursor::new(to.clone())).await?;
    AsyncCursor::new(to).close().await?;
    for writer in writers {
        writer.await??;
    }
    drop(counter);

    let all = records.read(0, usize::from(WRITERS) * RECORD).await?;
    let right = |(at, octet): (usize, &u8)| usize::from(*octet) == at / RECORD + 1;
    if copied != octets || !all.iter().enumerate().all(right) {
        return Err(format!("{copied} octets copied of {octets}, or records mixed up").into());
    }
    // Each slice of the copy, read and written, let others run.
    if turns.get() < 2 * octets / Config::default().slice as u64 {
        return Err(format!("only {} turns while {octets} were copied", turns.get()).into());
    }
    println!("{copied} octets copied");
    Ok(())
}

/// Who asks is told of the ends of flushes before the one who sleeps is woken.
async fn flush_beside_one_who_asks(disk: &Rc<RefCell<Disk>>) -> Result<(), Box<dyn Error>> {
    let [sleeps, asks] = [Queue::new(disk.clone()), Queue::new(disk.clone())];
    for _ in 0..FLUSHES {
        let queue = sleeps.clone();
        let sleeping = mkernel::spawn(async move { queue.flush().await });
        let mut asking = pin!(asks.flush());
        poll_fn(|context| {
            context.waker().wake_by_ref();
            asking.as_mut().poll(context)
        })
        .await?;
        sleeping.await??;
    }
    println!("{FLUSHES} flushes beside as many");
    Ok(())
}
