//! Two stacks on one wire: a server on one, clients on the other.

use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::service::service_fn;
use miou_rs::{Builder, Promise, sleep, spawn};
use netstack::{Config, Stack, TcpListener, TcpStream};

use crate::fake::Machine;
use crate::http::{Body, BodyError, Options, Upgraded, serve};
use crate::net::start_on;
use crate::source::Solo5;

pub(super) const SECOND: Duration = Duration::from_secs(1);
const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 80);

pub(super) struct World {
    client: Stack,
    server: Stack,
}

/// Runs `test` in virtual time.
pub(super) fn run<F: Future>(test: impl FnOnce(World) -> F) -> F::Output {
    let machine = Machine::default();
    let source = Rc::new(Solo5::new(machine.clone()));
    let [one, other] = machine.wire(false);
    Builder::new().run_with(source.clone(), async {
        let stack = |device, host: u8| {
            let address = format!("10.0.0.{host}/24").parse().expect("an address");
            let config = Config::default().address(address).seed([host; 32]);
            start_on(&source, device, config).expect("a stack")
        };
        let (client, server) = (stack(one, 1), stack(other, 2));
        test(World { client, server }).await
    })
}

pub(super) type Serving = Promise<io::Result<()>>;

impl World {
    pub(super) fn listener(&self) -> TcpListener {
        self.listener_at(SERVER.1)
    }

    pub(super) fn listener_at(&self, port: u16) -> TcpListener {
        TcpListener::bind(&self.server, (SERVER.0, port)).expect("a free port")
    }

    /// Starts a server of [`answer`].
    pub(super) fn serve(&self, options: Options) -> Serving {
        self.serve_until(options, std::future::pending())
    }

    pub(super) fn serve_until(
        &self,
        options: Options,
        signal: impl Future<Output = ()> + 'static,
    ) -> Serving {
        let server = serve(self.listener(), service_fn(answer), options);
        spawn(server.shutdown_on(signal).into_future())
    }

    pub(super) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.client, SERVER).await;
        stream.expect("connected")
    }

    pub(super) fn stack(&self) -> &Stack {
        &self.client
    }

    /// Sends `octets` on a connection of their own, and returns what comes until it ends.
    pub(super) async fn ask(&self, octets: impl AsRef<[u8]>) -> String {
        let stream = self.connect().await;
        stream.write_all(octets.as_ref()).await.expect("sent");
        rest(&stream).await
    }

    /// The status that `octets` are answered with.
    pub(super) async fn status(&self, octets: impl AsRef<[u8]>) -> u16 {
        let answer = self.ask(octets).await;
        status(&answer)
    }
}

/// The status of the first answer in `text`; 0 if there is none.
pub(super) fn status(text: &str) -> u16 {
    let code = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    code.and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// What comes until the stream ends.
pub(super) async fn rest(stream: &TcpStream) -> String {
    let mut text = Vec::new();
    while let Some(chunk) = stream.read_chunk(usize::MAX).await.expect("no reset") {
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text).expect("UTF-8")
}

/// What comes up to and with `end`.
pub(super) async fn until(stream: &TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut octet = [0];
        stream.read_exact(&mut octet).await.expect("more");
        text.push(char::from(octet[0]));
    }
    text
}

type Answer = Response<BoxBody<Bytes, BodyError>>;

pub(super) fn full(text: impl Into<Bytes>) -> BoxBody<Bytes, BodyError> {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed()
}

/// Answers what the path asks for.
pub(super) async fn answer(mut request: Request<Body>) -> Result<Answer, &'static str> {
    let body = match request.uri().path() {
        "/echo" => request.into_body().boxed(),
        path @ ("/count" | "/late") => {
            if path == "/late" {
                sleep(100 * SECOND).await;
            }
            match request.into_body().collect().await {
                Ok(content) => full(content.to_bytes().len().to_string()),
                Err(error) => full(error.to_string()),
            }
        }
        "/slow" => {
            sleep(100 * SECOND).await;
            full("slow")
        }
        "/large" => full(vec![b'x'; 10 << 20]),
        "/error" => return Err("on purpose"),
        "/panic" => panic!("on purpose"),
        "/upgrade" => {
            let upgrade = hyper::upgrade::on(&mut request);
            let echo = spawn(async {
                let stream = Upgraded::from(upgrade.await.expect("upgraded"));
                let (mut reader, mut writer) = futures_lite::io::split(stream);
                let copied = futures_lite::io::copy(&mut reader, &mut writer).await;
                assert_eq!(copied.expect("no error"), 4);
                futures_lite::AsyncWriteExt::close(&mut writer)
                    .await
                    .expect("ended");
            });
            std::mem::forget(echo);
            let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert("connection", "upgrade".parse().expect("a value"));
            headers.insert("upgrade", "echo".parse().expect("a value"));
            return Ok(response);
        }
        _ => full("hello"),
    };
    Ok(Response::new(body))
}

/// The same for services that cannot fail.
pub(super) async fn hello(_: Request<Body>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("hello")))
}
