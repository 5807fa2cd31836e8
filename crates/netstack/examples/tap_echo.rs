//! Serves TCP echo on port 7 over a TAP interface, from an ordinary process.
//!
//! As root (or in a user namespace of your own):
//!
//! ```text
//! ip tuntap add dev tap0 mode tap
//! ip addr add 10.0.0.1/24 dev tap0
//! ip link set tap0 up
//! cargo run --release -p solo5-netstack --example tap_echo -- tap0 10.0.0.2/24
//! ```
//!
//! Then `nc 10.0.0.2 7` from another terminal.

mod tap;

use async_executor::LocalExecutor;
use netstack::proto::link::ethernet::MacAddr;
use netstack::{Config, Stack, TcpListener, TcpStream};
use std::error::Error;
use std::io;
use std::rc::Rc;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(interface), Some(address)) = (args.next(), args.next()) else {
        return Err("usage: tap_echo INTERFACE ADDRESS/PREFIX".into());
    };
    let device = tap::TapDevice::open(&interface, MacAddr([2, 0, 0, 0, 0, 2]))?;
    let config = Config::default().address(address.parse()?);
    let (stack, runner) = Stack::new(device, tap::HostTimer::new(), config)?;
    let executor = Rc::new(LocalExecutor::new());
    executor.spawn(serve(stack, executor.clone())).detach();
    Ok(async_io::block_on(executor.run(runner))?)
}

async fn serve(stack: Stack, executor: Rc<LocalExecutor<'static>>) -> io::Result<()> {
    let listener = TcpListener::bind(&stack, ([0, 0, 0, 0], 7))?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        executor
            .spawn(async move {
                if let Err(error) = echo(&stream).await {
                    eprintln!("{peer}: {error}");
                }
            })
            .detach();
    }
}

async fn echo(stream: &TcpStream) -> io::Result<()> {
    while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
        stream.write_chunk(chunk).await?;
    }
    stream.shutdown()
}
