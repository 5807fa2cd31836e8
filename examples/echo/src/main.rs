//! TCP echo server: one promise per connection, kept as orphans.
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use clap::Parser;
use mkernel::{
    Care, Orphans,
    net::{self, Cidr, Config, TcpListener, TcpStream},
};

/// Sends back what it receives.
#[derive(Parser)]
#[command(name = "echo")]
struct Arguments {
    /// Our address, with the length of the network's prefix
    #[arg(long, default_value = "10.0.0.2/24")]
    ipv4: Cidr,
    /// The router to all other networks
    #[arg(long)]
    ipv4_gateway: Option<Ipv4Addr>,
    /// The TCP port to listen on
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let mut config = Config::default().address(arguments.ipv4);
    config.gateway = arguments.ipv4_gateway;
    mkernel::run(async move {
        let stack = net::start(mkernel::net!("service")?, config)?;
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, arguments.port));
        let listener = TcpListener::bind(&stack, everywhere)?;
        let mut connections = Orphans::new();
        loop {
            let (stream, _) = listener.accept().await?;
            connections.spawn(echo(stream));
            // A connection that failed is its client's affair.
            while let Care::Finished(_) = connections.care() {}
        }
    })
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
        stream.write_chunk(chunk).await?;
    }
    stream.shutdown()
}
