//! Sends back what it hears on TCP port 3000; with `--copy`, while it copies the first half of the block device `disk` to the
//! second again and again.
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

/// Sends back what it hears.
#[derive(Parser)]
#[command(name = "copying-echo")]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
    /// Copies one half of the disk to the other all the time
    #[arg(long)]
    copy: bool,
}

fn main() -> ExitCode {
    cli::run(serve)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let disk = mkernel::block::open(mkernel::block!("disk")?)?;
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 3000));
    let listener = TcpListener::bind(&online.stack, everywhere)?;
    let _copying = arguments
        .copy
        .then(|| mkernel::spawn(copy(Queue::new(disk.into_inner()))));
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
