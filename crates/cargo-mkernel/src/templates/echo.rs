//! TCP echo server: one task for each connection.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::Parser;
use futures_lite::future;
use mkernel::net::{TcpListener, TcpStream};
use mkernel::{Care, Orphans, cli};

/// Sends back what it receives
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
    /// The TCP port to listen on
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

fn main() -> ExitCode {
    cli::run(serve)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, arguments.port));
    let listener = TcpListener::bind(&online.stack, everywhere)?;
    let mut connections = Orphans::new();
    let accept = async {
        loop {
            let (stream, _) = listener.accept().await?;
            connections.spawn(echo(stream));
            // A connection that failed is its client's affair.
            while let Care::Finished(_) = connections.care() {}
        }
    };
    let told_to_end = async {
        mkernel::shutdown().await;
        io::Result::Ok(())
    };
    future::or(told_to_end, accept).await?;
    Ok(())
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
        stream.write_chunk(chunk).await?;
    }
    stream.shutdown()?;
    stream.flushed().await
}
