//! A secured connection.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use miou_rs::timeout;
use netstack::TcpStream;
use rustls::pki_types::CertificateDer;
use rustls::{Connection, HandshakeKind, ProtocolVersion};

use super::error::Error;

/// Octets that may wait, enciphered, to be sent.
const WAITING: usize = 16 << 10;

/// How long, and for how many octets, a peer is listened to that was sent an alert.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_OCTETS: usize = 1 << 20;

/// A connection secured by TLS: of [`Server::accept`](super::Server::accept) or
/// [`Client::connect`](super::Client::connect).
///
/// It has the traits `AsyncRead` and `AsyncWrite` of `futures-io`, and with the feature `http` those of `hyper`. What is
/// written leaves at once; that it was taken, [`AsyncWrite::poll_flush`] tells. Closing it tells the peer that the stream
/// ends here (`close_notify`); reading a stream that ends without that is `UnexpectedEof`.
pub struct Stream {
    tcp: TcpStream,
    tls: Box<Connection>,
    closed: bool,
}

impl Stream {
    pub(super) fn new(tcp: TcpStream, mut tls: Connection) -> Self {
        tls.set_buffer_limit(Some(WAITING));
        Self {
            tcp,
            tls: Box::new(tls),
            closed: false,
        }
    }

    pub(super) async fn handshake(&mut self) -> Result<(), Error> {
        poll_fn(|context| self.poll_handshake(context)).await?;
        Ok(())
    }

    /// Ends our stream below TLS, and listens for a while whether the peer has ended its own: what comes after a reset
    /// would take the alert away.
    pub(super) async fn linger(&self) {
        let end = async {
            self.tcp.shutdown()?;
            let mut left = LINGER_OCTETS;
            while left > 0
                && let Some(chunk) = self.tcp.read_chunk(left).await?
            {
                left -= chunk.len();
            }
            io::Result::Ok(())
        };
        // The connection is over in any case.
        let _ = timeout(LINGER, end).await;
    }

    /// The connection below.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// The peer's end of the connection.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.peer_addr()
    }

    /// The protocol that was agreed upon (ALPN).
    pub fn protocol(&self) -> Option<&[u8]> {
        self.tls.alpn_protocol()
    }

    /// The name that the client asked for (SNI); known to the server.
    pub fn server_name(&self) -> Option<&str> {
        match &*self.tls {
            Connection::Server(tls) => tls.server_name(),
            Connection::Client(_) => None,
        }
    }

    /// The peer's certificate, which was verified, and those of its issuers, if it has shown any.
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.tls.peer_certificates()
    }

    /// The version of TLS.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.tls.protocol_version()
    }

    /// The cipher suite, by the name that `rustls` has for it.
    pub fn cipher_suite(&self) -> Option<&'static str> {
        let suite = self.tls.negotiated_cipher_suite()?.suite();
        suite.as_str()
    }

    /// Whether an earlier session was resumed.
    pub fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Resets the connection at once.
    pub fn abort(self) {
        self.tcp.abort();
    }

    fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Bounded by what the peer sends.
        while self.tls.is_handshaking() {
            ready!(self.poll_send(context))?;
            if self.tls.is_handshaking() && ready!(self.poll_receive(context))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        self.poll_send(context)
    }

    /// Takes in what comes from the peer; returns how many octets, 0 at the end.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut below = Below {
            tcp: &self.tcp,
            context,
        };
        let octets = match self.tls.read_tls(&mut below) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            octets => octets?,
        };
        if let Err(error) = self.tls.process_new_packets() {
            // The peer is told, if there is room; it has no second chance in any case.
            let _ = self.poll_send(context);
            return Poll::Ready(Err(Error::from(error).into()));
        }
        Poll::Ready(Ok(octets))
    }

    /// Has all sent that waits.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut below = Below {
                tcp: &self.tcp,
                context,
            };
            match self.tls.write_tls(&mut below) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                sent => drop(sent?),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Gives `sink` at most `room` octets of what has come; returns how many, 0 at the end.
    pub(crate) fn poll_take(
        &mut self,
        context: &mut Context<'_>,
        room: usize,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut reader = self.tls.reader();
            match reader.fill_buf() {
                Ok(octets) => {
                    let octets = &octets[..octets.len().min(room)];
                    sink(octets);
                    let taken = octets.len();
                    reader.consume(taken);
                    return Poll::Ready(Ok(taken));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            ready!(self.poll_receive(context))?;
            // Answers to what is not content: to new keys, say.
            let _ = self.poll_send(context)?;
        }
    }

    fn poll_write_parts(
        &mut self,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if parts.iter().all(|part| part.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        loop {
            let written = self.tls.writer().write_vectored(parts)?;
            let sent = self.poll_send(context)?;
            if written > 0 {
                return Poll::Ready(Ok(written));
            }
            ready!(sent);
        }
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closed {
            self.closed = true;
            self.tls.send_close_notify();
        }
        ready!(self.poll_send(context))?;
        Pin::new(&mut &self.tcp).poll_close(context)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("tcp", &self.tcp)
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

/// The connection below, for rustls: what would have to wait is `WouldBlock`, and wakes the task.
struct Below<'a, 'b> {
    tcp: &'a TcpStream,
    context: &'a mut Context<'b>,
}

fn or_would_block(poll: Poll<io::Result<usize>>) -> io::Result<usize> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Read for Below<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        or_would_block(AsyncRead::poll_read(
            Pin::new(&mut self.tcp),
            self.context,
            buffer,
        ))
    }
}

impl Write for Below<'_, '_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        or_would_block(AsyncWrite::poll_write(
            Pin::new(&mut self.tcp),
            self.context,
            data,
        ))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = buffer.len();
        let mut sink = |octets: &[u8]| buffer[..octets.len()].copy_from_slice(octets);
        self.poll_take(context, room, &mut sink)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_parts(context, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_parts(context, parts)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(context)
    }
}

#[cfg(feature = "http")]
impl hyper::rt::Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut cursor: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let room = cursor.remaining();
        let taken = self.poll_take(context, room, &mut |octets| cursor.put_slice(octets));
        taken.map_ok(drop)
    }
}

#[cfg(feature = "http")]
impl hyper::rt::Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_parts(context, &[IoSlice::new(data)])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_parts(context, parts)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end(context)
    }
}
