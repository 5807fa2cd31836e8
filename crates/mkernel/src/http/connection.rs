//! A client's connection, from its first octet to its last.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use ::http::StatusCode;
use hyper::server::conn::{http1, http2};
use log::debug;
use miou_rs::hyper::Executor;
use miou_rs::{Instant, sleep_until, timeout};
use netstack::TcpStream;

use super::handle::Handle;
use super::options::Options;
use super::peer::{Order, Peer, Wait};
use super::places::{Peers, Place};
#[cfg(feature = "tls")]
use super::remote::PeerCertificates;
use super::service::{Guard, Service};
use super::wire::{Io, Version, Wire};

/// How long, and for how many octets, a client is listened to that has been told that the connection ends, so
/// that it hears it: RFC 9112 section 9.6.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_OCTETS: usize = 4 << 20;

/// What `hyper` may read ahead, or keep to be written, on a connection of HTTP/1.
const BUFFER: usize = 16 << 10;

/// What a connection's task needs of its server.
pub(super) struct Server<S, Kind> {
    pub(super) service: Rc<S>,
    pub(super) options: Rc<Options>,
    pub(super) peers: Rc<Peers>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<crate::tls::Server>,
    pub(super) kind: PhantomData<fn(Kind)>,
}

/// Why a connection ends.
enum End {
    /// As HTTP has it, or because it broke.
    Over,
    /// The client kept us waiting, or has to make room.
    Given(Option<Wait>),
}

impl<S: Service<Kind>, Kind: 'static> Server<S, Kind> {
    pub(super) async fn connection(&self, stream: TcpStream, peer: Rc<Peer>, place: Place) {
        self.serve_client(stream, &peer, place).await;
        if peer.order() == Order::Leave {
            debug!("{}: made room for others", peer.address);
        }
    }

    async fn serve_client(&self, stream: TcpStream, peer: &Rc<Peer>, place: Place) {
        // Answers are written whole; small ones need not wait for those before.
        let _ = stream.set_nodelay(true);
        let Some(io) = self.secure(stream, peer).await else {
            return;
        };
        let wire = Rc::new(Wire::new(io, peer.clone(), Some(place)));
        let mut last_words = LINGER_OCTETS;
        let end = self.watch(peer, self.talk(wire.clone(), peer)).await;
        peer.upgraded
            .set(matches!(end, End::Over) && peer.upgrading.get());
        if !peer.upgraded.get() {
            // Who keeps the request of an upgrade that was refused keeps neither connection nor place.
            wire.take_back();
        }
        match end {
            End::Over if peer.upgraded.get() => {
                self.peers.keep(peer);
                return;
            }
            // Of a shutdown it need not hear before it has asked; else there may be tickets of TLS on their way to it.
            End::Over if peer.arriving.get() && peer.order() != Order::Serve => last_words = 0,
            End::Over => {}
            End::Given(wait) if !has_a_last_word(&wire, wait).await => return abort(wire),
            End::Given(_) => {}
        }
        unless_told(peer, linger(&wire, last_words)).await;
    }

    /// Secures the connection, if it is to be.
    #[cfg(feature = "tls")]
    async fn secure(&self, stream: TcpStream, peer: &Peer) -> Option<Io> {
        let Some(tls) = &self.tls else {
            return Some(Io::Plain(stream));
        };
        let mut secured = None;
        // What a client does wrong it is told by an alert.
        let handshake = async {
            if begins(&stream, peer).await {
                match tls.accept(stream).await {
                    Ok(stream) => secured = Some(stream),
                    Err(error) => debug!("{}: no handshake: {error}", peer.address),
                }
            }
        };
        let end = self.watch(peer, handshake).await;
        peer.active.set(Instant::now());
        let stream = secured.filter(|_| matches!(end, End::Over))?;
        if let Some(shown) = stream.peer_certificates() {
            // There were none before.
            let _ = peer.certificates.set(PeerCertificates(shown.into()));
        }
        Some(Io::Tls(stream))
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, stream: TcpStream, _: &Peer) -> Option<Io> {
        Some(Io::Plain(stream))
    }

    /// Goes on with `talk` until it ends, or the client's time is over, or it has to leave.
    async fn watch(&self, peer: &Peer, talk: impl Future<Output = ()>) -> End {
        let mut talk = pin!(talk);
        let idle = self.options.idle();
        let mut alarm = sleep_until(Instant::now());
        let mut look = Instant::now() + idle;
        poll_fn(|context| {
            peer.listen(context.waker());
            if talk.as_mut().poll(context).is_ready() {
                return Poll::Ready(End::Over);
            }
            if peer.order() == Order::Leave {
                let wait = peer.wait().map(|(wait, _)| wait);
                if wait != Some(Wait::Idle) {
                    self.peers.complain(peer.address, "cut off");
                }
                return Poll::Ready(End::Given(wait));
            }
            // Bounded: the alarm is due no more than once before it is set to a time that has not come.
            loop {
                let deadline = peer.deadline(&self.options);
                let next = deadline.map(|(_, at)| at);
                if next.is_some_and(|next| next < alarm.deadline()) {
                    alarm.reset(next.unwrap_or(alarm.deadline()));
                }
                if Pin::new(&mut alarm).poll(context).is_pending() {
                    return Poll::Pending;
                }
                let now = Instant::now();
                if look <= now {
                    peer.contents.look();
                    look = now + idle;
                }
                match deadline {
                    Some((Wait::Idle, at)) if at <= now && peer.may_finish() => {
                        // Our GOAWAY, and its answer, have as long again.
                        peer.active.set(now);
                        peer.tell(Order::Finish);
                    }
                    Some((wait, at)) if at <= now => {
                        debug!("{}: over time: {wait:?}", peer.address);
                        return Poll::Ready(End::Given(Some(wait)));
                    }
                    // The client's turn may begin while nothing polls this.
                    _ => alarm.reset(next.unwrap_or(look).min(look)),
                }
            }
        })
        .await
    }

    async fn talk(&self, wire: Rc<Wire>, peer: &Rc<Peer>) {
        let Ok(version) = wire.version().await else {
            return;
        };
        peer.arriving.set(false);
        let guard = Guard {
            service: self.service.clone(),
            options: self.options.clone(),
            peer: peer.clone(),
            peers: self.peers.clone(),
            kind: PhantomData,
        };
        match version {
            Version::Http1 => {
                wire.begin_http1(self.options.header_octets);
                let connection = self.http1().serve_connection(Handle::new(&wire), guard);
                let mut connection = pin!(connection.with_upgrades());
                let mut told = false;
                poll_fn(|context| {
                    if peer.order() == Order::Finish && !told {
                        // What has come already is answered, at which `hyper` would not look.
                        let polled = connection.as_mut().poll(context);
                        if polled.is_ready() {
                            return polled.map(|result| peer.note(result));
                        }
                    }
                    if peer.order() != Order::Serve && !told {
                        told = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    let polled = connection.as_mut().poll(context);
                    polled.map(|result| peer.note(result))
                })
                .await;
            }
            Version::Http2 => {
                peer.scan.borrow_mut().stop();
                peer.http2.set(true);
                // Of this connection alone: what it has not answered ends with it.
                let tasks = Executor::default();
                let streams = self.options.http2.streams.into();
                let most = self.options.requests.saturating_add(streams);
                let connection = self.http2(&tasks);
                let connection = connection.serve_connection(Handle::new(&wire), guard);
                let mut connection = pin!(connection);
                let mut told = false;
                poll_fn(|context| {
                    if peer.order() != Order::Serve && !told {
                        told = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    let polled = connection.as_mut().poll(context);
                    // Each request has a task, and so has what an answer to CONNECT has left behind.
                    let requests = peer.begun.get() - peer.done.get();
                    peer.upgraded.set(tasks.len() as u64 > requests);
                    match polled {
                        // Our GOAWAY is the last one only when the client has answered our PING.
                        Poll::Pending if peer.begun.get() > most => {
                            debug!("{}: more than {most} requests", peer.address);
                            Poll::Ready(())
                        }
                        polled => polled.map(|result| peer.note(result)),
                    }
                })
                .await;
            }
        }
    }

    fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        let octets = self.options.header_octets;
        builder
            // `watch` does it, and answers 408.
            .header_read_timeout(None)
            .max_header_size(octets)
            .max_buf_size(octets.max(BUFFER));
        // hyper's own bound costs nothing; any other a block of memory for each request.
        if self.options.header_count != 100 {
            builder.max_headers(self.options.header_count);
        }
        builder
    }

    fn http2(&self, tasks: &Executor) -> http2::Builder<Executor> {
        let bounds = &self.options.http2;
        let mut builder = http2::Builder::new(tasks.clone());
        let header_octets = u32::try_from(self.options.header_octets).unwrap_or(u32::MAX);
        builder
            .timer(miou_rs::hyper::Timer::new())
            .max_header_list_size(header_octets)
            .max_concurrent_streams(bounds.streams)
            .initial_stream_window_size(bounds.stream_window)
            .initial_connection_window_size(bounds.connection_window)
            .max_send_buf_size(bounds.send_octets as usize)
            .max_pending_accept_reset_streams(bounds.resets)
            .max_local_error_reset_streams(bounds.resets);
        builder
    }
}

/// Ends our stream, and listens for a while, and for at most so many octets, whether the client has ended its own: what
/// comes after a reset would take the last answer away.
async fn linger(wire: &Wire, most: usize) {
    let end = async {
        wire.shutdown().await?;
        wire.drain(most).await
    };
    // The connection is over in any case.
    let _ = timeout(LINGER, end).await;
}

/// Waits for a client's first octets; tells whether it goes on with the connection, which ends when it is told to before
/// them.
#[cfg(feature = "tls")]
async fn begins(stream: &TcpStream, peer: &Peer) -> bool {
    let mut octet = [0];
    let mut peek = pin!(stream.peek(&mut octet));
    poll_fn(|context| match peek.as_mut().poll(context) {
        Poll::Pending if peer.order() == Order::Serve => Poll::Pending,
        peeked => Poll::Ready(peeked.is_ready()),
    })
    .await
}

/// Goes on with `last` until it ends or the client's place is wanted: a crowd that leaves slowly would keep all places.
async fn unless_told(peer: &Peer, last: impl Future<Output = ()>) {
    let mut last = pin!(last);
    poll_fn(|context| {
        peer.listen(context.waker());
        match last.as_mut().poll(context) {
            Poll::Pending if peer.order() != Order::Leave => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}

/// Says to a client that is waited for why its connection ends; tells whether it may hear it.
async fn has_a_last_word(wire: &Wire, wait: Option<Wait>) -> bool {
    match wait {
        Some(Wait::Idle) => true,
        // Where one of its streams is stuck, an answer in HTTP/1 would be none.
        Some(_) if wire.is_http2() => false,
        Some(Wait::Taking) | None => false,
        Some(Wait::Header) if !wire.is_in_header() => true,
        Some(Wait::Header | Wait::Body) => {
            say(wire, StatusCode::REQUEST_TIMEOUT).await;
            true
        }
    }
}

fn abort(wire: Rc<Wire>) {
    // Who else has it, by an upgrade, goes on.
    if let Some(wire) = Rc::into_inner(wire) {
        wire.abort();
    }
}

/// Answers without `hyper`, and ends the connection.
pub(super) async fn refuse(wire: &Wire, status: StatusCode) {
    say(wire, status).await;
    linger(wire, LINGER_OCTETS).await;
}

async fn say(wire: &Wire, status: StatusCode) {
    // RFC 9110 section 6.6.1 wants the date of all that the client has earned.
    let date = httpdate::fmt_http_date(SystemTime::now());
    let answer = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\ndate: {date}\r\n\r\n"
    );
    wire.write_once(answer.as_bytes()).await;
}
