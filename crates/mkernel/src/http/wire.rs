//! The octets of a connection, on their way to `hyper` and back.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use miou_rs::Instant;
use netstack::TcpStream;

use super::handle::Entry;
use super::peer::{Order, Peer};
use super::places::Place;
use super::scan::CUT;

/// The octets with which HTTP/2 begins (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection, with what was read of it and is still to be seen by who reads next.
pub(super) struct Wire {
    pub(super) io: RefCell<Io>,
    ahead: RefCell<Vec<u8>>,
    peer: Rc<Peer>,
    place: Option<Place>,
    /// Whether others had a turn since this was read from last.
    has_waited: Cell<bool>,
    /// What the [`Handle`] of it knows.
    pub(super) entry: Cell<Option<Entry>>,
}

/// What carries the octets.
#[derive(Debug)]
pub(super) enum Io {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(crate::tls::Stream),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

impl Io {
    /// Gives `sink` what has come, at most `room` octets; returns how many, 0 at the end.
    fn poll_take(
        &mut self,
        context: &mut Context<'_>,
        room: usize,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => {
                let chunk = ready!(stream.poll_read_chunk(context, room))?.unwrap_or_default();
                sink(&chunk);
                Poll::Ready(Ok(chunk.len()))
            }
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.poll_take(context, room, sink),
        }
    }

    /// The version that was agreed upon with the connection.
    pub(super) fn agreed(&self) -> Option<Version> {
        match self {
            Self::Plain(_) => None,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => match stream.protocol()? {
                b"h2" => Some(Version::Http2),
                _ => Some(Version::Http1),
            },
        }
    }

    /// The version that a client speaks which begins with the preface: with TLS, HTTP/2 has to be agreed upon (RFC 9113
    /// section 3.3), and to HTTP/1 that is no request.
    fn by_preface(&self) -> Version {
        match self {
            Self::Plain(_) => Version::Http2,
            #[cfg(feature = "tls")]
            Self::Tls(_) => Version::Http1,
        }
    }

    pub(super) fn writer(&mut self) -> Pin<&mut dyn Write> {
        match self {
            Self::Plain(stream) => Pin::<&mut TcpStream>::new(stream),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::<&mut crate::tls::Stream>::new(stream),
        }
    }

    fn abort(self) {
        match self {
            Self::Plain(stream) => stream.abort(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.abort(),
        }
    }
}

/// What a client has, without a [`Wire`].
impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, cursor),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Read::poll_read(Pin::new(stream), context, cursor),
        }
    }
}

impl Write for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writer().poll_write(context, octets)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writer().poll_write_vectored(context, parts)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer().poll_shutdown(context)
    }
}

impl Wire {
    pub(super) fn new(io: Io, peer: Rc<Peer>, place: Option<Place>) -> Self {
        Self {
            io: RefCell::new(io),
            ahead: RefCell::default(),
            peer,
            place,
            has_waited: Cell::new(false),
            entry: Cell::default(),
        }
    }

    /// Takes the connection from `hyper` and whom it gave it to: to them it is gone.
    pub(super) fn take_back(&self) {
        drop(self.entry.take().and_then(Entry::remove));
    }

    /// Reads as much as it takes to see which version the client speaks, and of HTTP/1 the beginning: a connection that is
    /// told to end before is an error.
    pub(super) async fn version(&self) -> io::Result<Version> {
        let agreed = self.io.borrow().agreed();
        if agreed == Some(Version::Http2) {
            return Ok(Version::Http2);
        }
        self.peer.agreed.set(agreed.is_some());
        poll_fn(|context| {
            let mut ahead = self.ahead.borrow_mut();
            // Bounded: each turn reads an octet of the preface.
            while PREFACE.starts_with(&ahead) {
                if ahead.len() == PREFACE.len() {
                    return Poll::Ready(Ok(self.io.borrow().by_preface()));
                }
                let room = PREFACE.len() - ahead.len();
                let mut keep = |octets: &[u8]| ahead.extend_from_slice(octets);
                let is_first = room == PREFACE.len();
                let taken = self.io.borrow_mut().poll_take(context, room, &mut keep);
                if taken.is_pending() && is_first && self.peer.order() != Order::Serve {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
                }
                if ready!(taken)? == 0 {
                    break;
                }
                if is_first {
                    // The header's time begins, and goes on whatever else comes.
                    self.peer.active.set(Instant::now());
                }
                if agreed.is_some() {
                    break;
                }
            }
            Poll::Ready(Ok(Version::Http1))
        })
        .await
    }

    /// Whether a part of a header has come.
    pub(super) fn is_in_header(&self) -> bool {
        self.peer.scan.borrow().header_since().is_some() || !self.ahead.borrow().is_empty()
    }

    pub(super) fn is_http2(&self) -> bool {
        self.peer.http2.get()
    }

    /// What HTTP/1 has to know of what was read before it begins, and how long a header may be.
    pub(super) fn begin_http1(&self, header_octets: usize) {
        let mut scan = self.peer.scan.borrow_mut();
        scan.bound(header_octets);
        scan.feed(&self.ahead.borrow(), self.peer.active.get());
    }

    pub(super) fn poll_read(
        &self,
        context: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut ahead = self.ahead.borrow_mut();
        if !ahead.is_empty() {
            let octets = ahead.len().min(cursor.remaining());
            cursor.put_slice(&ahead[..octets]);
            ahead.drain(..octets);
            return Poll::Ready(Ok(()));
        }
        let room = cursor.remaining();
        if room == 0 {
            return Poll::Ready(Ok(()));
        }
        if !self.may_read(context) {
            return Poll::Pending;
        }
        let now = Instant::now();
        let mut scan = self.peer.scan.borrow_mut();
        if scan.is_broken() {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        if scan.is_cut() {
            // It is answered, which ends the connection.
            return Poll::Pending;
        }
        let mut good = 0;
        let mut pass = |octets: &[u8]| {
            let octets = &octets[..scan.feed(octets, now)];
            good += octets.len();
            cursor.put_slice(octets);
        };
        let mut io = self.io.borrow_mut();
        let mut taken = ready!(io.poll_take(context, room, &mut pass))?;
        if taken == 0 {
            self.peer.ended.set(true);
            return Poll::Ready(Ok(()));
        }
        // What came in other frames. Its end and its errors come again.
        while taken < room
            && let Poll::Ready(Ok(more @ 1..)) = io.poll_take(context, room - taken, &mut pass)
        {
            taken += more;
        }
        if scan.is_cut() {
            ahead.extend_from_slice(CUT);
        }
        drop((scan, io));
        self.note_move(now);
        if self.peer.http2.get() {
            let come = &self.peer.turns.come;
            come.fetch_add(taken as u64, Ordering::Relaxed);
        }
        match good {
            0 if !ahead.is_empty() => {
                drop(ahead);
                self.poll_read(context, cursor)
            }
            // To `hyper` it would be the end of the stream.
            0 => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Whether to read now. While memory is nearly spent, who was told to make room has a turn before: `h2` reads as long as
    /// there is something.
    fn may_read(&self, context: &Context<'_>) -> bool {
        let is_scarce = self.place.as_ref().is_some_and(|it| it.peers.is_scarce());
        let may = !is_scarce || self.has_waited.get();
        self.has_waited.set(!may);
        if !may {
            context.waker().wake_by_ref();
        }
        may
    }

    /// Has `write` write; notes that it did.
    pub(super) fn poll_write(
        &self,
        write: impl FnOnce(Pin<&mut dyn Write>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let written = write(self.io.borrow_mut().writer());
        self.note(&written);
        if written.is_ready() {
            self.note_move(Instant::now());
        }
        written
    }

    pub(super) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.io.borrow_mut().writer().poll_flush(context);
        self.note(&flushed);
        flushed
    }

    fn note_move(&self, now: Instant) {
        self.peer.active.set(now);
        if let Some(place) = &self.place {
            place.peers.moved();
        }
    }

    /// Notes whether the client keeps us from writing.
    fn note<T>(&self, written: &Poll<T>) {
        let blocked = &self.peer.blocked;
        blocked.set(match written {
            Poll::Pending => blocked.get().or_else(|| Some(Instant::now())),
            Poll::Ready(_) => None,
        });
    }

    /// Writes what there is room for at once: an answer without `hyper`.
    pub(super) async fn write_once(&self, octets: &[u8]) {
        poll_fn(|context| {
            // Who has no room for it does not listen.
            let _ = self.poll_write(|io| io.poll_write(context, octets));
            Poll::Ready(())
        })
        .await;
    }

    pub(super) async fn shutdown(&self) -> io::Result<()> {
        poll_fn(|context| self.io.borrow_mut().writer().poll_shutdown(context)).await
    }

    /// Reads to the end, at most `most` octets of it.
    pub(super) async fn drain(&self, most: usize) -> io::Result<()> {
        let mut left = most;
        while left > 0 && !self.peer.ended.get() {
            let mut ignore = |_: &[u8]| {};
            let take =
                poll_fn(|context| self.io.borrow_mut().poll_take(context, left, &mut ignore));
            match take.await? {
                0 => self.peer.ended.set(true),
                taken => left -= taken,
            }
        }
        Ok(())
    }

    /// Resets the connection.
    pub(super) fn abort(self) {
        self.io.into_inner().abort();
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("io", &self.io)
            .finish_non_exhaustive()
    }
}
