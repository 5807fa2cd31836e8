//! TCP echo server: one promise per connection, kept as orphans.
use std::{error::Error, net::Ipv4Addr};

use clap::Parser;
use mkernel::{Orphans, net::{Config, Ipv4Cidr, TcpListener, TcpStream}};

/// Sends back what it receives.
#[derive(Parser)]
#[command(name = "echo")]
struct Arguments {
    /// Our address, with the length of the network's prefix
    #[arg(long, default_value = "10.0.0.2/24")]
    ipv4: Ipv4Cidr,
    /// The gateway to all other networks
    #[arg(long)]
    ipv4_gateway: Option<Ipv4Addr>,
    /// The TCP port to listen on
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { ipv4, ipv4_gateway, port } = Arguments::parse();
    mkernel::run(async move {
        let stack = mkernel::stack(mkernel::net!("service")?, ipv4, ipv4_gateway);
        let listener = TcpListener::bind(&stack, port)?;
        let mut connections = Orphans::new();
        loop {
            let (stream, _) = listener.accept().await?;
            connections.spawn(echo(stream));
            while connections.care().is_some() {}
        }
    })
}

async fn echo(stream: TcpStream) -> std::io::Result<()> {
    while let Some(chunk) = stream.read_chunk().await? {
        stream.write_chunk(chunk).await?;
    }
    stream.shutdown().await
}
