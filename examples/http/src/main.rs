//! An HTTP server: a page, an echo, a download of any size and a WebSocket, as an `axum::Router`.

mod busy;
mod download;
mod websocket;

use std::error::Error;
use std::net::{Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header;
use axum::response::Html;
use axum::routing::{get, post};
use clap::Parser;
use mkernel::cli;
use mkernel::http::{self, Options};
use mkernel::net::TcpListener;
use mkernel::tls::{self, ServerOptions};

use crate::download::Download;
use crate::websocket::WebSockets;

/// Serves a page, /echo, /healthz, /download/OCTETS and a WebSocket at /ws
#[derive(Parser)]
#[command(name = "http")]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
    /// The TCP port to listen on; 80, with TLS 443, unless set
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    #[command(flatten)]
    tls: cli::Tls,
    /// Steps that a task computes between two yields, for measurements; 0: there is no such task
    #[arg(long, default_value_t = 0, hide = true)]
    busy: u64,
}

const PAGE: &str = include_str!("page.html");
const SCRIPT: &str = include_str!("page.js");
/// What the page may load, and who may show it.
const POLICY: &str = "default-src 'self'; img-src data:; frame-ancestors 'none'";

fn main() -> ExitCode {
    cli::run(serve)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let identities = arguments.tls.identities()?;
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let port = arguments
        .port
        .unwrap_or(if identities.is_empty() { 80 } else { 443 });
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let listener = TcpListener::bind(&online.stack, everywhere)?;
    let (websockets, upgraded) = websocket::channel();
    // They belong to a task, and a handler only sends them there.
    let _serving = mkernel::spawn(websocket::serve(upgraded));
    let _computing = (arguments.busy > 0).then(|| mkernel::spawn(busy::compute(arguments.busy)));
    let mut server = http::serve(listener, router(websockets), Options::default());
    if !identities.is_empty() {
        server = server.tls(tls::Server::new(identities, ServerOptions::default())?);
    }
    server.shutdown_on(mkernel::shutdown()).await?;
    Ok(())
}

fn router(websockets: WebSockets) -> Router {
    Router::new()
        .route(
            "/",
            get(async || ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE))),
        )
        .route(
            "/page.js",
            get(async || ([(header::CONTENT_TYPE, "text/javascript")], SCRIPT)),
        )
        .route("/healthz", get(async || "ok\n"))
        .route("/echo", post(async |content: Body| content))
        .route("/download/{octets}", get(download))
        .route("/ws", get(websocket::upgrade))
        .with_state(websockets)
}

async fn download(Path(octets): Path<u64>) -> Body {
    Body::new(Download::new(octets))
}
