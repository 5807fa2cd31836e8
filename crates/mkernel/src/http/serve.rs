//! The server.

use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use ::http::StatusCode;
use futures_core::Stream;
use log::info;
use miou_rs::{Instant, Orphans, timeout};
use netstack::{TcpListener, TcpStream};

use super::connection::{Server, refuse};
use super::handle::Handle;
use super::options::Options;
use super::peer::{Order, Peer};
use super::places::Peers;
use super::service::Service;
use super::wire::{Io, Wire};

/// Connections that are told at one time that there is no room; more are reset.
const REFUSED: usize = 64;

/// Serves HTTP/1.1 and HTTP/2 on the connections of `listener`: awaiting it does.
///
/// HTTP/2 is spoken with who begins with its preface (prior knowledge, RFC 9113 section 3.3), with TLS by ALPN. The service is one
/// of `tower` or of `hyper`, and sees only requests that RFC 9112 lets it see and `options` allow:
///
/// | status | for |
/// | --- | --- |
/// | 400 | what is no request; `Content-Length` and `Transfer-Encoding` both, two lengths, a bare LF, a folded line; no `Host`, two or a bad one, a target that is not for its method, CONNECT without a port; chunks that are none, 16 KiB of extensions |
/// | 408 | a header, or content, that does not come in time |
/// | 413 | content longer than [`Options::body_octets`], announced or not |
/// | 414 | a request line longer than [`Options::header_octets`]; over HTTP/2 it is 431 |
/// | 431 | a header larger than [`Options::header_octets`], or of more than [`Options::header_count`] fields |
/// | 500 | a service that fails |
/// | 501 | a transfer coding other than `chunked` |
/// | 503 | no room among [`Options::connections`]; with TLS it is a reset |
///
/// ```no_run
/// use std::convert::Infallible;
/// use hyper::{Request, Response, service::service_fn};
/// use mkernel::http::{self, Body, Options};
/// use mkernel::net::TcpListener;
///
/// # async fn example(stack: mkernel::net::Stack) -> std::io::Result<()> {
/// let echo = service_fn(async |request: Request<Body>| {
///     Ok::<_, Infallible>(Response::new(request.into_body()))
/// });
/// let listener = TcpListener::bind(&stack, ([0, 0, 0, 0], 80))?;
/// http::serve(listener, echo, Options::default()).await
/// # }
/// ```
pub fn serve<S: Service<Kind>, Kind>(
    listener: TcpListener,
    service: S,
    options: Options,
) -> Serve<S, Kind> {
    Serve {
        listener,
        service,
        options,
        shutdown: Box::pin(std::future::pending()),
        #[cfg(feature = "tls")]
        tls: None,
        kind: PhantomData,
    }
}

/// A server that is to be awaited: see [`serve`]. Its future is dropped to end it at once.
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serve<S, Kind> {
    listener: TcpListener,
    service: S,
    options: Options,
    shutdown: Pin<Box<dyn Future<Output = ()>>>,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::Server>,
    kind: PhantomData<fn(Kind)>,
}

impl<S, Kind> std::fmt::Debug for Serve<S, Kind> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<S, Kind> Serve<S, Kind> {
    /// Shuts down gracefully when `signal` is ready: no connection is accepted any more, idle ones are closed,
    /// and those being served end with their answer (HTTP/1 by `Connection: close`, HTTP/2 by GOAWAY); after
    /// [`Options::shutdown_time`] what is left is cut off. Connections that were upgraded are the service's to end.
    pub fn shutdown_on(mut self, signal: impl Future<Output = ()> + 'static) -> Self {
        self.shutdown = Box::pin(signal);
        self
    }

    /// Secures each connection by `server`. It offers HTTP/2 and HTTP/1.1 by ALPN unless its options name protocols.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, server: crate::tls::Server) -> Self {
        self.tls = Some(server.or_protocols(&[b"h2", b"http/1.1"]));
        self
    }
}

impl<S: Service<Kind>, Kind: 'static> IntoFuture for Serve<S, Kind> {
    /// `Ok` after a shutdown, the error of the stack if that ended first.
    type Output = io::Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = io::Result<()>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(run(self))
    }
}

async fn run<S: Service<Kind>, Kind: 'static>(serve: Serve<S, Kind>) -> io::Result<()> {
    let Serve {
        listener,
        service,
        options,
        mut shutdown,
        #[cfg(feature = "tls")]
        tls,
        ..
    } = serve;
    #[cfg(feature = "tls")]
    let secure = tls.is_some();
    #[cfg(not(feature = "tls"))]
    let secure = false;
    let free = nolibc::free_memory();
    let room = options.room(free, secure);
    let shutdown_time = options.shutdown_time;
    let peers = Rc::new(Peers::new(room, reserve(free)));
    let server = Rc::new(Server {
        service: Rc::new(service),
        options: Rc::new(options),
        peers: peers.clone(),
        #[cfg(feature = "tls")]
        tls,
        kind: PhantomData,
    });
    let name = if secure { "HTTPS" } else { "HTTP" };
    info!("{name} is served at {}", listener.local_addr()?);
    let mut connections = Orphans::new();
    let mut refusals = Orphans::new();
    loop {
        let next = poll_fn(|context| {
            Handle::close_lost();
            if shutdown.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            forget_finished(&mut connections, context);
            forget_finished(&mut refusals, context);
            listener.poll_accept(context).map(Some)
        });
        let Some(accepted) = next.await else { break };
        let (stream, address) = accepted?;
        let peer = Rc::new(Peer::new(address, Instant::now()));
        if !peers.has_room() && !peers.make_room() {
            peers.complain(address, "503");
            // A handshake costs more than there is.
            if !secure && refusals.len() < REFUSED {
                refusals.spawn(refuse_stream(stream, peer));
            } else {
                stream.abort();
            }
            continue;
        }
        let (server, place) = (server.clone(), peers.enter(peer.clone()));
        connections.spawn_named("http", async move {
            server.connection(stream, peer, place).await;
        });
    }
    drop(listener);
    peers.tell_all(Order::Finish);
    let finish = poll_fn(|context| {
        Handle::close_lost();
        forget_finished(&mut connections, context);
        match connections.len() {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    });
    // What is left is cancelled with `connections`.
    let _ = timeout(shutdown_time, finish).await;
    Ok(())
}

/// Octets that stay free, out of so many: as much as a few connections, and the stack for them, may take at one time, or
/// a few pieces of answers.
pub(super) fn reserve(free: usize) -> usize {
    (free / 32).clamp(256 << 10, 1 << 20)
}

/// Takes the results of tasks that have ended, and has the task woken when others do.
fn forget_finished(tasks: &mut Orphans<()>, context: &mut Context<'_>) {
    // Bounded by the tasks that there are. One that panicked has ended alone.
    while let Poll::Ready(Some(_)) = Pin::new(&mut *tasks).poll_next(context) {}
}

async fn refuse_stream(stream: TcpStream, peer: Rc<Peer>) {
    let wire = Wire::new(Io::Plain(stream), peer, None);
    refuse(&wire, StatusCode::SERVICE_UNAVAILABLE).await;
}
