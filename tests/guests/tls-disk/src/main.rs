//! Says back over TLS, on port 443, what it hears. It is known by what the block device `tls` has. What comes on port 7 it
//! writes there, reads the device again, and tells what came of that.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use futures_lite::io::{copy, split};
use mkernel::block::{BlockDevice, Disk};
use mkernel::net::TcpListener;
use mkernel::tls::{self, Identity, Server, ServerOptions};
use mkernel::{Orphans, cli};

/// Says back over TLS what it hears
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
}

fn main() -> ExitCode {
    cli::run(serve)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let mut disk = mkernel::block::open(mkernel::block!("tls")?)?;
    let server = Server::new(
        Identity::read_all(&mut disk).await?,
        ServerOptions::default(),
    )?;
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let listener = TcpListener::bind(&online.stack, ([0, 0, 0, 0], 443))?;
    let control = TcpListener::bind(&online.stack, ([0, 0, 0, 0], 7))?;
    let echo = async {
        let mut connections = Orphans::new();
        loop {
            let (stream, _) = listener.accept().await?;
            let server = server.clone();
            connections.spawn(async move {
                // Whatever a client does is its affair.
                if let Ok(stream) = server.accept(stream).await {
                    let (mut reader, mut writer) = split(stream);
                    let _ = copy(&mut reader, &mut writer).await;
                }
            });
            while let mkernel::Care::Finished(_) = connections.care() {}
        }
    };
    let reloads = async {
        loop {
            let (stream, _) = control.accept().await?;
            let mut text = Vec::new();
            while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
                text.extend_from_slice(&chunk);
            }
            disk.write_at(0, &text)?;
            let said = match reload(&server, &mut disk).await {
                Ok(()) => "reloaded\n".to_owned(),
                Err(error) => format!("{error}\n"),
            };
            stream.write_all(said.as_bytes()).await?;
        }
    };
    futures_lite::future::race(echo, reloads).await
}

async fn reload(server: &Server, disk: &mut BlockDevice<Disk>) -> Result<(), tls::Error> {
    server.reload(Identity::read_all(disk).await?)
}
