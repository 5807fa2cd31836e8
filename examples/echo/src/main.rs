//! TCP echo server: one promise per connection, kept as orphans.
use std::{
    error::Error,
    io,
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use clap::Parser;
use mkernel::{
    Care, Orphans, cli,
    net::{TcpListener, TcpStream},
};

/// Sends back what it receives.
#[derive(Parser)]
#[command(name = "echo")]
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
    loop {
        let (stream, _) = listener.accept().await?;
        connections.spawn(echo(stream));
        // A connection that failed is its client's affair.
        while let Care::Finished(_) = connections.care() {}
    }
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
        stream.write_chunk(chunk).await?;
    }
    stream.shutdown()
}
