//! What a server allows.

use std::time::Duration;

/// What [`serve`](super::serve()) allows, so that no client takes more than its part.
///
/// ```
/// use std::time::Duration;
/// use mkernel::http::Options;
///
/// let options = Options::default()
///     .body_octets(64 << 20)
///     .idle_time(Duration::from_secs(5));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Octets of a request's line and header fields together; 16 KiB. One with more is answered 431.
    /// HTTP/1 wants at least 8 KiB for what it reads at once; a smaller bound holds for what does not come at once.
    pub header_octets: usize,
    /// Header fields of a request; 100. One with more is answered 431.
    pub header_count: usize,
    /// From the first octet of a request to the end of its header; 10 s. A slower one is answered 408. The
    /// TLS handshake may take as long. Of HTTP/1 alone: a connection of HTTP/2 on which a header comes slowly counts as
    /// one between two requests, and as idle when nothing comes.
    pub header_time: Duration,
    /// How long nothing may come or go while it is the client's turn; 60 s. A connection between two requests is
    /// then closed, a request whose content does not come is answered 408 (over HTTP/2 within twice the time, whatever
    /// else comes), and who takes nothing of an answer is reset: over HTTP/2 with all that it has asked for. Where the
    /// service waits for content to answer with, it is the client's turn. A connection that was upgraded has no such time,
    /// nor one of HTTP/2 with a tunnel (CONNECT). Less than a millisecond counts as one.
    pub idle_time: Duration,
    /// Octets of a request's content; 1 MiB. One with more is answered 413, and so is one that comes in more pieces than a
    /// 64th of that and 1,024: a service that keeps pieces spends as much on each.
    pub body_octets: u64,
    /// Connections at a time, where a request of HTTP/2 that is served beside others of its connection counts as one
    /// too; `None`, as at first: as many as three eighths of the memory that is free when the server starts suffice
    /// for, at 40 KiB for a connection, with TLS 72 KiB, and 32 KiB for a request beside others, but at least 16
    /// connections. At the bound, and below it when the memory is nearly spent, the connection that is idle for the
    /// longest time makes room, or the one whose request is the longest on its way, or whose answer is not taken; when
    /// all are being served, a new connection, or request beside others, is answered 503. Who did something within the last
    /// second makes room after all others; of those, a host (an address of IPv4, 64 bits of IPv6) with more than an eighth of what
    /// is taken before others. Who has many addresses is many hosts, and not told from as many clients.
    pub connections: Option<usize>,
    /// Requests on a connection; 100,000. With the answer to the last one it ends. A client of HTTP/2 may have asked for
    /// [`streams`](Http2::streams) more before it knows; with another one the connection ends at once.
    pub requests: u64,
    /// How long a graceful shutdown waits for what is being served; 8 s. Then it is cut off.
    pub shutdown_time: Duration,
    /// Whether each request has a [`RemoteAddr`](super::RemoteAddr) among its extensions, which costs some allocations;
    /// `false`.
    pub remote_addr: bool,
    /// Bounds of HTTP/2.
    pub http2: Http2,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            header_octets: 16 << 10,
            header_count: 100,
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            body_octets: 1 << 20,
            connections: None,
            requests: 100_000,
            shutdown_time: Duration::from_secs(8),
            remote_addr: false,
            http2: Http2::default(),
        }
    }
}

/// Bounds of a connection of HTTP/2 (RFC 9113).
///
/// The header block, with its CONTINUATION frames, is bounded by [`Options::header_octets`]: who
/// sends more of them than it takes is sent GOAWAY.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Http2 {
    /// Requests at a time; 100 (SETTINGS_MAX_CONCURRENT_STREAMS). More are refused.
    pub streams: u32,
    /// Octets of a request's content that may come before the service reads them; 64 KiB
    /// (SETTINGS_INITIAL_WINDOW_SIZE).
    pub stream_window: u32,
    /// The same of all requests of the connection together; 128 KiB. As small frames beside them take memory too, a
    /// connection on which more than twice as many octets have come while content is not taken makes room before all others.
    pub connection_window: u32,
    /// Octets of an answer that are kept until the client takes them, beside the two pieces that the service has given last;
    /// 16 KiB. What is more counts as part of the connection, or request beside others, among
    /// [`Options::connections`].
    pub send_octets: u32,
    /// Requests that the client may reset before they are looked at (rapid reset, CVE-2023-44487), and that we
    /// may have to reset because of its faults; 20 each. Then it is sent GOAWAY.
    pub resets: usize,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            streams: 100,
            stream_window: 64 << 10,
            connection_window: 128 << 10,
            send_octets: 16 << 10,
            resets: 20,
        }
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty),* $(,)?) => {$(
        #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), ").")]
        #[must_use]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $name.into();
            self
        }
    )*};
}

impl Options {
    setters! {
        header_octets: usize,
        header_count: usize,
        header_time: Duration,
        idle_time: Duration,
        body_octets: u64,
        connections: usize,
        requests: u64,
        shutdown_time: Duration,
        remote_addr: bool,
        http2: Http2,
    }

    /// How long nothing may come or go: never no time, as that would be over at each look.
    pub(super) fn idle(&self) -> Duration {
        self.idle_time.max(Duration::from_millis(1))
    }

    /// The room for clients, with so many octets of memory free.
    pub(super) fn room(&self, free: usize, secure: bool) -> Room {
        /// A buffer of 16 KiB for what is read, a connection's state, and what the service has for it.
        const CONNECTION: usize = 24 << 10;
        /// A buffer of HTTP/1 for what is written.
        const WRITTEN: usize = 16 << 10;
        /// A record each way.
        const TLS: usize = 32 << 10;
        /// Header fields, and what the service has for a request.
        const BESIDE: usize = 16 << 10;
        // RFC 9113 section 6.9.2: it begins with no less.
        let window = self.http2.connection_window.max(65_535);
        if let Some(most) = self.connections {
            return Room {
                all: most.max(1),
                connection: 1,
                beside: 1,
                window,
            };
        }
        let send_octets = self.http2.send_octets as usize;
        let connection = CONNECTION + WRITTEN.max(send_octets) + if secure { TLS } else { 0 };
        Room {
            all: (free / 8 * 3).max(16 * connection),
            connection,
            beside: BESIDE + send_octets,
            window,
        }
    }
}

/// Room for clients, in octets or in places, and what of it each takes.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) all: usize,
    pub(super) connection: usize,
    /// A request beside others of its connection.
    pub(super) beside: usize,
    /// Octets of content that may come on a connection of HTTP/2 and not be taken.
    pub(super) window: u32,
}

impl Http2 {
    setters! {
        streams: u32,
        stream_window: u32,
        connection_window: u32,
        send_octets: u32,
        resets: usize,
    }
}
