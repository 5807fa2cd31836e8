//! Key-value service over HTTP, durable on the block device `data`.

use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::Parser;
use http_body_util::BodyExt;
use mkernel::block::{self, Disk};
use mkernel::cli;
use mkernel::http::hyper::service::service_fn;
use mkernel::http::hyper::{Method, Request, Response, StatusCode};
use mkernel::http::{self, Body, Options};
use mkernel::net::TcpListener;
use mkernel::store::{self, Batch, Kv, MOST_VALUE_BYTES};

/// Keeps values under keys: GET, PUT and DELETE /KEY
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
    /// The TCP port to listen on
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

fn main() -> ExitCode {
    cli::run(serve)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let disk = block::open(mkernel::block!("data")?)?;
    let (kv, committer) = Kv::open(disk, &store::Options::default())?;
    let committing = mkernel::spawn(committer);
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, arguments.port));
    let listener = TcpListener::bind(&online.stack, everywhere)?;
    let service = service_fn(move |request| {
        let kv = kv.clone();
        async move { Ok::<_, Infallible>(answer(&kv, request).await) }
    });
    let mut options = Options::default();
    options.body_octets = MOST_VALUE_BYTES as u64;
    let server = http::serve(listener, service, options);
    server.shutdown_on(mkernel::shutdown()).await?;
    // It ends when nobody is left who could ask it for something.
    committing.await?;
    Ok(())
}

async fn answer(kv: &Kv<Disk>, request: Request<Body>) -> Response<String> {
    let (status, text) = match entry(kv, request).await {
        Ok(Some(value)) => (StatusCode::OK, String::from_utf8_lossy(&value).into_owned()),
        Ok(None) => (StatusCode::NOT_FOUND, "no such key\n".to_owned()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response
}

/// What is there now: after a change, which is on the disk when this returns, nothing or an empty value.
async fn entry(
    kv: &Kv<Disk>,
    request: Request<Body>,
) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
    let (head, body) = request.into_parts();
    let key = head.uri.path().trim_start_matches('/').as_bytes();
    let mut batch = Batch::new();
    match head.method {
        Method::PUT => batch.put(key, &body.collect().await?.to_bytes())?,
        Method::DELETE => batch.delete(key)?,
        _ => return Ok(kv.get(key)?),
    }
    kv.commit(batch).await?;
    Ok(Some(Vec::new()))
}
