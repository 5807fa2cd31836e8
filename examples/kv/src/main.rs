//! A key-value service over HTTP, durable on the block device `data`.

mod answer;
mod lines;
mod room;
mod service;

use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mkernel::http::hyper::service::service_fn;
use mkernel::http::{self, Body, Options, hyper::Request};
use mkernel::net::TcpListener;
use mkernel::store::{self, Kv};
use mkernel::tls::{self, ServerOptions};
use mkernel::{block, cli};

use crate::room::Room;
use crate::service::Contents;

/// Keeps values under keys: GET, PUT and DELETE /k/KEY, GET /range, POST /batch, GET /healthz
#[derive(Parser)]
#[command(name = "kv")]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
    /// The TCP port to listen on; 80, with TLS 443, unless set
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    #[command(flatten)]
    tls: cli::Tls,
    /// Bytes of memory for what has been read and is to be written
    #[arg(long, default_value_t = 8 << 20)]
    cache: usize,
    /// Bytes of content that may be on the way from and to clients at once; what is beyond is answered with 503
    #[arg(long, default_value_t = 8 << 20)]
    contents: usize,
    /// Seconds that the content of a request may take to come; what takes longer is answered with 408
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    content_time: u64,
    /// Serve although the host cannot make writes durable: what is answered may be lost with the power
    #[arg(long)]
    without_flush: bool,
}

fn main() -> ExitCode {
    cli::run(serve)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let identities = arguments.tls.identities()?;
    let disk = block::open(mkernel::block!("data")?)?;
    let mut options = store::Options::default();
    options.cache_bytes = arguments.cache;
    options.require_flush = !arguments.without_flush;
    let (kv, committer) = Kv::open(disk, &options)?;
    let committing = mkernel::spawn(committer);
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let port = arguments
        .port
        .unwrap_or(if identities.is_empty() { 80 } else { 443 });
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let listener = TcpListener::bind(&online.stack, everywhere)?;
    let contents = Contents {
        room: Room::new(arguments.contents),
        time: Duration::from_secs(arguments.content_time),
    };
    let service = service_fn(move |request: Request<Body>| {
        let (kv, contents) = (kv.clone(), contents.clone());
        async move { Ok::<_, Infallible>(service::answer(&kv, &contents, request).await) }
    });
    let mut options = Options::default();
    options.body_octets = store::MOST_BATCH_BYTES as u64;
    let mut server = http::serve(listener, service, options);
    if !identities.is_empty() {
        server = server.tls(tls::Server::new(identities, ServerOptions::default())?);
    }
    server.shutdown_on(mkernel::shutdown()).await?;
    // It ends when nobody is left who could ask it for something.
    committing.await?;
    Ok(())
}
