//! The service as a user of Linux would write it: hyper over tokio, and rustls.
//!
//! `peer-tokio current|multi|axum BUSY [CERTIFICATE KEY]`: `/healthz` and `/download/OCTETS` on port 80, or with a
//! certificate and its key, files in PEM, on port 443. With a number of steps for BUSY other than 0 a task spins
//! that many, yields, and begins anew. `axum` is one thread with an `axum::Router`, as ours has one, of `/healthz` alone.

use std::{convert::Infallible, env, error::Error, net::Ipv4Addr, sync::Arc};

use anyhow::{Context as _, Result, bail};
use axum::{Router, routing::get, serve::ListenerExt as _};
use bench_common::busy::spin;
use bytes::Bytes;
use http_body_util::{Either, Full, StreamBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Frame, Incoming},
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    runtime::Builder,
    task::yield_now,
};
use tokio_rustls::TlsAcceptor;

type BoxError = Box<dyn Error + Send + Sync>;

/// Octets of a chunk of a download.
const CHUNK: usize = 64 << 10;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [threads, busy, tls @ ..] = &arguments[..] else {
        bail!("usage: peer-tokio current|multi|axum BUSY [CERTIFICATE KEY]");
    };
    let busy: u64 = busy.parse().context("BUSY")?;
    let acceptor = match tls {
        [certificate, key] => Some(acceptor(certificate, key)?),
        _ => None,
    };
    let mut builder = match *threads {
        "current" | "axum" => Builder::new_current_thread(),
        "multi" => Builder::new_multi_thread(),
        other => bail!("{other}: expected current, multi or axum"),
    };
    let routed = *threads == "axum";
    let runtime = builder.enable_all().build()?;
    runtime.block_on(async {
        if busy > 0 {
            tokio::spawn(async move {
                loop {
                    spin(busy);
                    yield_now().await;
                }
            });
        }
        // As a task, so that a worker has it.
        if routed {
            tokio::spawn(serve_router()).await?
        } else {
            tokio::spawn(serve(acceptor)).await?
        }
    })
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(acceptor: Option<TlsAcceptor>) -> Result<()> {
    let port = if acceptor.is_some() { 443 } else { 80 };
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A connection that failed is its client's affair.
            match acceptor {
                None => connection(stream).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection(stream).await;
                    }
                }
            }
        });
    }
}

async fn serve_router() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).await?;
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("a socket takes it"));
    let router = Router::new().route("/healthz", get(async || "ok\n"));
    Ok(axum::serve(listener, router).await?)
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin) {
    // As above.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await;
}

async fn answer(
    request: Request<Incoming>,
) -> Result<Response<impl Body<Data = Bytes, Error = BoxError>>, Infallible> {
    let path = request.uri().path();
    let plain = |text: &'static str| Response::new(Either::Left(Full::new(text.into())));
    let mut response = if path == "/healthz" {
        plain("ok\n")
    } else if let Some(octets) = path
        .strip_prefix("/download/")
        .and_then(|it| it.parse().ok())
    {
        let mut response = Response::new(Either::Right(download(octets)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(octets));
        response
    } else {
        let mut response = plain("not found\n");
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    };
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
}

/// A body of so many octets.
fn download(octets: u64) -> impl Body<Data = Bytes, Error = Infallible> {
    let chunk = Bytes::from(vec![b'm'; CHUNK]);
    let chunks = (0..octets.div_ceil(CHUNK as u64)).map(move |number| {
        let left = octets - number * CHUNK as u64;
        Ok(Frame::data(chunk.slice(..CHUNK.min(left as usize))))
    });
    StreamBody::new(futures_util::stream::iter(chunks))
}
