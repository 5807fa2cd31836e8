//! TCP echo server: one promise per connection, kept as orphans.
use std::{
    error::Error,
    io,
    net::{Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use futures_lite::future;
use mkernel::{
    Care, Orphans, cli,
    log::warn,
    net::{TcpListener, TcpStream},
    timeout,
};

/// How long clients may take to finish once the unikernel is told to end: less than the tender's ten seconds.
const GRACE: Duration = Duration::from_secs(5);

/// Sends back what it receives.
#[derive(Parser)]
#[command(name = "echo")]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
    /// The TCP port to listen on
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

fn main() -> ExitCode {
    cli::run(serve)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, arguments.port));
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
    let told = async {
        mkernel::shutdown().await;
        io::Result::Ok(())
    };
    future::or(told, accept).await?;
    drop(listener);
    let finish = async { while connections.next().await.is_some() {} };
    if timeout(GRACE, finish).await.is_err() {
        warn!("{} clients have not finished", connections.len());
    }
    Ok(())
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
        stream.write_chunk(chunk).await?;
    }
    stream.shutdown()?;
    stream.flushed().await
}
