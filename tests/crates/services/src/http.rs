//! HTTP: servers and clients.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::{block_on, listen};

/// What axum serves: a text, and the length of what was posted.
fn application() -> Router {
    let hello = async |Path(name): Path<String>| format!("hello {name}");
    let length = async |body: Bytes| body.len().to_string();
    Router::new()
        .route("/hello/{name}", get(hello))
        .route("/length", post(length))
}

pub(crate) async fn serve(listener: TcpListener) {
    axum::serve(listener, application()).await.unwrap();
}

/// `axum::serve` until it is told to end, which it does when the last answer is out.
pub(crate) fn axum() {
    block_on(async {
        let (listener, address) = listen().await;
        let (end, ended) = oneshot::channel();
        let server = axum::serve(listener, application()).with_graceful_shutdown(async {
            ended.await.unwrap();
        });
        let server = tokio::spawn(server.into_future());
        ask_by_reqwest(address).await;
        end.send(()).unwrap();
        server.await.unwrap().unwrap();
    });
}

/// Requests one after the other over a connection that is kept, then many at once.
pub(crate) async fn ask_by_reqwest(address: SocketAddr) {
    let client = reqwest::Client::new();
    let hello = |name: String| {
        let request = client.get(format!("http://{address}/hello/{name}"));
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    for number in 0..3 {
        assert_eq!(hello(number.to_string()).await, format!("hello {number}"));
    }
    let request = client.post(format!("http://{address}/length"));
    let answer = request.body(vec![b'x'; 300_000]).send().await.unwrap();
    // More than axum takes of a body would be 2 MB.
    assert_eq!(answer.text().await.unwrap(), "300000");
    let many = (0..20).map(|number| tokio::spawn(hello(number.to_string())));
    for (number, answer) in many.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(answer.await.unwrap(), format!("hello {number}"));
    }
    let absent = client.get(format!("http://{address}/nowhere")).send().await;
    assert_eq!(absent.unwrap().status(), 404);
}

/// The client against axum's server.
pub(crate) fn reqwest() {
    block_on(async {
        let (listener, address) = listen().await;
        tokio::spawn(serve(listener));
        ask_by_reqwest(address).await;
        let (_, nobody) = listen().await;
        let refused = reqwest::get(format!("http://{nobody}/")).await.unwrap_err();
        assert!(refused.is_connect(), "{refused:?}");
    });
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let version = request.version();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let text = format!("{version:?}: {}", String::from_utf8_lossy(&body));
    Ok(Response::new(Full::new(text.into())))
}

/// HTTP/1 and 2 on one port, as each client speaks, until `end`; then what is being answered is finished.
pub(crate) async fn serve_by_hyper_util(listener: TcpListener, end: impl Future) {
    let server = auto::Builder::new(TokioExecutor::new());
    let graceful = GracefulShutdown::new();
    let mut end = pin!(end);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            _ = &mut end => break,
        };
        let connection = server.serve_connection(TokioIo::new(accepted.0), service_fn(echo));
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move { connection.await.unwrap() });
    }
    graceful.shutdown().await;
}

/// By its pool of connections, in both versions.
pub(crate) async fn ask_by_hyper_util(address: SocketAddr) {
    for (http2, version) in [(false, Version::HTTP_11), (true, Version::HTTP_2)] {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(http2)
            .build_http::<Full<Bytes>>();
        for number in 0..5 {
            let request = Request::post(format!("http://{address}/"))
                .body(Full::from(number.to_string()))
                .unwrap();
            let answer = client.request(request).await.unwrap();
            assert_eq!(answer.version(), version);
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, format!("{version:?}: {number}"));
        }
    }
}

pub(crate) fn hyper_util() {
    block_on(async {
        let (listener, address) = listen().await;
        let (end, ended) = oneshot::channel::<()>();
        let server = tokio::spawn(serve_by_hyper_util(listener, ended));
        ask_by_hyper_util(address).await;
        end.send(()).unwrap();
        server.await.unwrap();
    });
}

/// Without a runtime: it waits on the thread that asks.
pub(crate) fn ask_by_ureq(address: SocketAddr) {
    for number in 0..3 {
        let answer = ureq::get(format!("http://{address}/hello/{number}")).call();
        let text = answer.unwrap().into_body().read_to_string().unwrap();
        assert_eq!(text, format!("hello {number}"));
    }
    let sent = ureq::post(format!("http://{address}/length")).send(&vec![b'x'; 300_000][..]);
    assert_eq!(
        sent.unwrap().into_body().read_to_string().unwrap(),
        "300000"
    );
    let absent = ureq::get(format!("http://{address}/nowhere")).call();
    assert!(
        matches!(absent, Err(ureq::Error::StatusCode(404))),
        "{absent:?}"
    );
}

/// Against axum's server, which other threads of the program run meanwhile.
pub(crate) fn ureq() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (listener, address) = runtime.block_on(listen());
    runtime.spawn(serve(listener));
    ask_by_ureq(address);
}
