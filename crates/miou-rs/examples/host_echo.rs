//! A TCP echo server on Linux: `cargo run --example host_echo --features host`,
//! then `nc 127.0.0.1 3000`. Another port may be given.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use miou_rs::host::Async;
use miou_rs::{Care, Orphans};

fn main() -> io::Result<()> {
    let port = match std::env::args().nth(1) {
        None => 3000,
        Some(port) => port.parse().map_err(|_| {
            io::Error::other(format!("{port:?} is not a port; expected 0 to 65535"))
        })?,
    };
    miou_rs::run(async {
        let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, port))?;
        println!("listening on {}", listener.get_ref().local_addr()?);
        let mut connections = Orphans::new();
        loop {
            let (stream, peer) = listener.accept().await?;
            connections.spawn(async move {
                let copied = futures_lite::io::copy(&stream, &stream).await;
                (peer, copied)
            });
            while let Care::Finished(result) = connections.care() {
                match result {
                    Ok((peer, Ok(bytes))) => println!("{peer}: {bytes} bytes"),
                    Ok((peer, Err(error))) => println!("{peer}: {error}"),
                    Err(aborted) => println!("{aborted}"),
                }
            }
        }
    })
}
