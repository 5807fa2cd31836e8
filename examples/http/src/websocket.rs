//! A WebSocket (RFC 6455) that sends back what it receives.

use std::io;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use async_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_lite::{AsyncReadExt, StreamExt};
use log::debug;
use mkernel::http::Upgraded;
use mkernel::http::hyper::upgrade::{self, OnUpgrade};
use mkernel::miou_rs::sync::{Receiver, Sender, bounded};
use mkernel::{Care, Orphans, timeout};

/// Connections that are about to be WebSockets, for the task that serves them.
pub(crate) type WebSockets = Sender<OnUpgrade>;

/// Those that may wait for their task.
const WAITING: usize = 64;
/// WebSockets at a time, as no other client can have the place of one: half as many as there are places in little
/// memory.
const MOST: usize = 8;
/// One that says nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(300);
/// How long one whose message is too long is listened to.
const LINGER: Duration = Duration::from_secs(2);
/// Octets of a message.
const LONGEST: usize = 64 << 10;

pub(crate) fn channel() -> (WebSockets, Receiver<OnUpgrade>) {
    bounded(WAITING)
}

/// Answers the opening handshake: RFC 6455 section 4.2.
pub(crate) async fn upgrade(
    State(websockets): State<WebSockets>,
    mut request: Request,
) -> Response {
    let headers = request.headers();
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let asked = names(headers, header::UPGRADE, "websocket")
        && names(headers, header::CONNECTION, "upgrade");
    let (true, Some(key)) = (asked, key) else {
        return upgrade_required();
    };
    if !names(headers, header::SEC_WEBSOCKET_VERSION, "13") {
        return upgrade_required();
    }
    if request.method() != Method::GET || !is_nonce(key.as_bytes()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let accept = derive_accept_key(key.as_bytes());
    if websockets.try_send(upgrade::on(&mut request)).is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let headers = [
        (header::CONNECTION, "upgrade".to_owned()),
        (header::UPGRADE, "websocket".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response()
}

/// To what: RFC 9110 sections 7.8 and 15.5.22, RFC 6455 section 4.4.
fn upgrade_required() -> Response {
    let headers = [
        (header::CONNECTION, "upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_VERSION, "13"),
    ];
    (StatusCode::UPGRADE_REQUIRED, headers).into_response()
}

/// Whether it is base64 of 16 octets: RFC 6455 section 4.2.1.
fn is_nonce(key: &[u8]) -> bool {
    let is_digit = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    let digits = key.strip_suffix(b"==");
    digits.is_some_and(|digits| digits.len() == 22 && digits.iter().all(is_digit))
}

/// Whether the list in field `name` has `value`.
fn names(headers: &HeaderMap, name: header::HeaderName, value: &str) -> bool {
    headers.get_all(name).into_iter().any(|field| {
        let mut values = field.to_str().unwrap_or_default().split(',');
        values.any(|it| it.trim().eq_ignore_ascii_case(value))
    })
}

/// Serves WebSockets until nobody sends them any more.
pub(crate) async fn serve(upgraded: Receiver<OnUpgrade>) {
    let mut websockets = Orphans::new();
    while let Ok(upgraded) = upgraded.recv().await {
        while let Care::Finished(_) = websockets.care() {}
        if websockets.len() < MOST {
            websockets.spawn(async move {
                // One that fails is its client's affair.
                if let Err(error) = echo(upgraded).await {
                    debug!("a WebSocket has ended: {error}");
                }
            });
        }
    }
}

async fn echo(upgraded: OnUpgrade) -> Result<(), Box<dyn std::error::Error>> {
    let stream = Upgraded::from(upgraded.await?);
    let config = WebSocketConfig::default()
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST))
        .read_buffer_size(4 << 10)
        // Who reads nothing and goes on with pings is kept no more than the answers to a few.
        .write_buffer_size(0)
        .max_write_buffer_size(2 * LONGEST);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    match answer_messages(&mut socket).await {
        Err(error @ Error::Capacity(_)) => {
            let _ = timeout(LINGER, refuse(&mut socket)).await;
            Err(error.into())
        }
        outcome => Ok(outcome?),
    }
}

async fn answer_messages(socket: &mut WebSocketStream<Upgraded>) -> Result<(), Error> {
    let late = |_| Error::Io(io::ErrorKind::TimedOut.into());
    while let Some(message) = timeout(IDLE, socket.next()).await.map_err(late)? {
        match message {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                let sent = timeout(IDLE, socket.send(message)).await;
                sent.map_err(late)??;
            }
            Ok(_) => {}
            Err(Error::ConnectionClosed) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Says that a message is too long (RFC 6455 section 7.4.1), and listens whether that is heard: what comes after a reset
/// would take it away.
async fn refuse(socket: &mut WebSocketStream<Upgraded>) -> Result<(), Error> {
    let close = CloseFrame {
        code: CloseCode::Size,
        reason: Utf8Bytes::from_static("at most 64 KiB"),
    };
    socket.close(Some(close)).await?;
    let mut rest = [0; 1 << 10];
    while socket.get_mut().read(&mut rest).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    /// What such a handshake is answered.
    fn answer(method: Method, key: Option<&str>, version: &str) -> Response {
        let (websockets, _upgraded) = channel();
        let mut request = Request::builder()
            .method(method)
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", version);
        if let Some(key) = key {
            request = request.header("sec-websocket-key", key);
        }
        let request = request.body(Body::empty()).expect("a request");
        block_on(upgrade(State(websockets), request))
    }

    #[test]
    fn rfc6455_section_4_2_1_a_handshake_is_a_get_with_a_nonce() {
        let response = answer(Method::GET, Some(KEY), "13");
        assert_eq!(response.status(), 101);
        let accept = &response.headers()["sec-websocket-accept"];
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for method in [Method::HEAD, Method::POST] {
            assert_eq!(answer(method, Some(KEY), "13").status(), 400);
        }
        for key in [
            "",
            "x",
            "dGhlIHNhbXBsZSBub25j",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZ-==",
        ] {
            assert_eq!(answer(Method::GET, Some(key), "13").status(), 400, "{key}");
        }
    }

    #[test]
    fn rfc9110_section_15_5_22_what_is_required_is_said() {
        for response in [
            answer(Method::GET, Some(KEY), "8"),
            answer(Method::GET, None, "13"),
        ] {
            assert_eq!(response.status(), 426);
            let headers = response.headers();
            assert_eq!(headers["connection"], "upgrade");
            assert_eq!(headers["upgrade"], "websocket");
            assert_eq!(headers["sec-websocket-version"], "13");
        }
    }
}
