//! Sends back what it hears on TCP port 3000; with `--copy`, while it copies the first half of the block device `disk` to the
//! second again and again, with `--flush`, while it makes durable one block after the other.
#![forbid(unsafe_code)]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use blockdev::scheduled::Queue;
use clap::Parser;
use futures_lite::io;
use mkernel::block::Disk;
use mkernel::cli;
use mkernel::net::TcpListener;

/// Octets that are read and written at a time.
const PIECE: usize = 1 << 20;
/// Octets that are made durable at a time.
const BLOCK: usize = 4096;

/// Sends back what it hears.
#[derive(Parser)]
#[command(name = "copying-echo")]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
    /// Copies one half of the disk to the other all the time
    #[arg(long)]
    copy: bool,
    /// Writes to the disk and flushes it all the time
    #[arg(long, conflicts_with = "copy")]
    flush: bool,
}

fn main() -> ExitCode {
    cli::run(serve)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let disk = mkernel::block::open(mkernel::block!("disk")?)?;
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 3000));
    let listener = TcpListener::bind(&online.stack, everywhere)?;
    let disk = Queue::new(disk.into_inner());
    let _busy = match (arguments.copy, arguments.flush) {
        (true, _) => Some(mkernel::spawn(copy(disk))),
        (_, true) => Some(mkernel::spawn(flush(disk))),
        _ => None,
    };
    let mut connections = mkernel::Orphans::new();
    loop {
        let (stream, _) = listener.accept().await?;
        connections.spawn(async move { io::copy(&stream, &mut &stream).await.map(drop) });
        while let mkernel::Care::Finished(_) = connections.care() {}
    }
}

async fn copy(disk: Queue<Disk>) {
    let half = disk.capacity() / 2 / PIECE as u64 * PIECE as u64;
    let mut copied = 0_u64;
    let outcome: Result<(), Box<dyn Error>> = async {
        let mut octets = vec![0; PIECE];
        loop {
            let place = copied % half;
            octets = disk.read_into(place, octets).await?;
            octets = disk.write(half + place, octets).await?;
            copied += PIECE as u64;
            if copied.is_multiple_of(1 << 30) {
                println!("copied {copied}");
            }
        }
    }
    .await;
    if let Err(error) = outcome {
        println!("not copied further: {error}");
    }
}

async fn flush(disk: Queue<Disk>) {
    let outcome: Result<(), Box<dyn Error>> = async {
        let mut octets = vec![1; BLOCK];
        for flushed in 1_u64.. {
            let place = flushed * BLOCK as u64 % disk.capacity();
            octets = disk.write(place, octets).await?;
            disk.flush().await?;
            if flushed.is_multiple_of(1000) {
                println!("flushed {flushed} times");
            }
        }
        Ok(())
    }
    .await;
    if let Err(error) = outcome {
        println!("not flushed further: {error}");
    }
}
