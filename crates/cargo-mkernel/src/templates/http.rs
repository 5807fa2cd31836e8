//! HTTP server.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use axum::Router;
use axum::routing::get;
use clap::Parser;
use mkernel::cli;
use mkernel::http::{self, Options};
use mkernel::net::TcpListener;

/// Serves / and /healthz
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
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, arguments.port));
    let listener = TcpListener::bind(&online.stack, everywhere)?;
    let server = http::serve(listener, router(), Options::default());
    server.shutdown_on(mkernel::shutdown()).await?;
    Ok(())
}

fn router() -> Router {
    Router::new()
        .route("/", get(async || "Hello World!\n"))
        .route("/healthz", get(async || "ok\n"))
}
