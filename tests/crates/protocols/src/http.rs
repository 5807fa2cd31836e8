//! HTTP, versions 1 and 2.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Json, Path, Query};
use axum::routing::get;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tower::{ServiceExt as _, service_fn as tower_service};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::block_on;

async fn echo(request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let text = format!("{path}: {}", String::from_utf8_lossy(&body));
    Ok(http::Response::new(Full::new(text.into())))
}

/// Two requests over one connection.
pub(crate) fn hyper() {
    block_on(async {
        let (client, server) = tokio::io::duplex(4_096);
        let service = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(server), service_fn(echo));
        tokio::spawn(service);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(client))
            .await
            .unwrap();
        tokio::spawn(connection);
        for number in 0..2 {
            let request = http::Request::post(format!("/{number}"))
                .body(Full::new(Bytes::from_static(b"body")))
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), http::StatusCode::OK);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, format!("/{number}: body"));
            sender.ready().await.unwrap();
        }
    });
}

#[derive(Deserialize, Serialize)]
struct Sum {
    of: Vec<u32>,
    total: Option<u32>,
}

#[derive(Deserialize)]
struct Times {
    times: u32,
}

/// Its routes and extractors; `axum::serve` wants tokio's sockets.
pub(crate) fn axum() {
    let hello = |Path(name): Path<String>, Query(Times { times }): Query<Times>| async move {
        format!("hello {name} ").repeat(times as usize)
    };
    let sum = |Json(sum): Json<Sum>| async move {
        let total = Some(sum.of.iter().sum());
        Json(Sum { total, ..sum })
    };
    let application: axum::Router = axum::Router::new()
        .route("/hello/{name}", get(hello))
        .route("/sum", axum::routing::post(sum));
    let ask = |request: http::Request<axum::body::Body>| {
        let response = application.clone().oneshot(request);
        block_on(async {
            let response = response.await.unwrap();
            let status = response.status();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
        })
    };
    let get = |path: &str| {
        http::Request::get(path)
            .body(axum::body::Body::empty())
            .unwrap()
    };
    assert_eq!(
        ask(get("/hello/you?times=2")),
        (200, "hello you hello you ".to_owned())
    );
    assert_eq!(ask(get("/hello/you")).0, 400);
    assert_eq!(ask(get("/nowhere")).0, 404);
    let json = http::Request::post("/sum")
        .header("content-type", "application/json")
        .body(r#"{"of":[1,2,3]}"#.into())
        .unwrap();
    assert_eq!(ask(json), (200, r#"{"of":[1,2,3],"total":6}"#.to_owned()));
}

/// A header set and a body that is too long.
pub(crate) fn tower_http() {
    let server = http::HeaderValue::from_static("unikernel");
    let service = tower::ServiceBuilder::new()
        .layer(SetResponseHeaderLayer::overriding(
            http::header::SERVER,
            server,
        ))
        .layer(RequestBodyLimitLayer::new(8))
        .service(tower_service(
            |_: http::Request<tower_http::body::Limited<Full<Bytes>>>| async {
                Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::from("fine")))
            },
        ));
    let ask = |length: usize| {
        let request = http::Request::post("/")
            .header("content-length", length)
            .body(Full::<Bytes>::from(vec![b'x'; length]))
            .unwrap();
        block_on(service.clone().oneshot(request)).unwrap()
    };
    assert_eq!(ask(5).status(), 200);
    assert_eq!(ask(5).headers()["server"], "unikernel");
    assert_eq!(ask(9).status(), 413);
}

/// Two streams at once, and data in both directions.
pub(crate) fn h2() {
    block_on(async {
        let (client, server) = tokio::io::duplex(4_096);
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(server).await.unwrap();
            while let Some(request) = connection.accept().await {
                let (request, mut answer) = request.unwrap();
                tokio::spawn(async move {
                    let mut body = request.into_body();
                    let data = body.data().await.unwrap().unwrap();
                    let mut stream = answer
                        .send_response(http::Response::new(()), false)
                        .unwrap();
                    stream.send_data(data, true).unwrap();
                });
            }
        });
        let (client, connection) = h2::client::handshake(client).await.unwrap();
        tokio::spawn(connection);
        let ask = async |text: &'static str| {
            let mut client = client.clone().ready().await.unwrap();
            let request = http::Request::post("https://unikernel.example/")
                .body(())
                .unwrap();
            let (response, mut stream) = client.send_request(request, false).unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            stream.send_data(text.into(), true).unwrap();
            let mut body = response.await.unwrap().into_body();
            body.data().await.unwrap().unwrap()
        };
        let (first, second) = tokio::join!(ask("first"), ask("second"));
        assert_eq!((&first[..], &second[..]), (&b"first"[..], &b"second"[..]));
    });
}
