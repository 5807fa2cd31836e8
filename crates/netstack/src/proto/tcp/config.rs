//! What may be set: for the whole engine ([`Config`]) and for one connection ([`Options`]).

use core::time::Duration;

use super::congestion::{self, MakeController};
use crate::proto::ports;

/// Settings of a [`Tcp`](super::Tcp) engine.
///
/// The defaults suit a server on a local network: start from them and change what is to differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Largest IPv4 datagram of the interface in octets: the Ethernet header is not counted.
    pub mtu: u16,
    /// Octets that the stack may hold, at the size of the allocations that hold it: connections with
    /// their queues and tables, TIME-WAITs, fragments, datagrams, neighbours, buffers. What one frame
    /// brings may exceed it for a moment.
    ///
    /// Each remote address has its share, and each of its connections a share of that. At three
    /// quarters windows and send buffers stop growing; from seven eighths on something is given back
    /// for what is taken: first what is out of order, then connections that make no progress.
    ///
    /// `None` stands for [`Config::MEMORY`], or what whoever embeds the stack knows to be right:
    /// `mkernel` takes a part of what is free of the unikernel's heap.
    pub memory: Option<usize>,
    /// How many octets a received frame of so many octets, Ethernet header included, keeps from being
    /// freed as long as a slice of it is held: what the allocation that it lies in takes.
    pub held_by_frame: fn(usize) -> usize,
    /// Octets that the service spends on each connection that it accepts or opens: its task and
    /// buffers. They are charged as the connection's own as long as the user holds it.
    pub application_octets: usize,
    /// Connections in any state but TIME-WAIT, at most, if that is to be fewer than memory has room
    /// for. A further one takes the place of one that makes no progress, if there is such a one.
    pub max_connections: usize,
    /// Connections in TIME-WAIT, at most, if that is to be fewer than an eighth of the memory has room
    /// for; the oldest makes room.
    pub max_time_wait: usize,
    /// How long TIME-WAIT lasts: two maximum segment lifetimes (RFC 9293 §3.6.1).
    pub time_wait: Duration,
    /// Lower bound of the retransmission time-out. RFC 6298 §2.4 says one second and that a
    /// smaller value may be used; 200 ms is what Linux and FreeBSD use.
    pub min_rto: Duration,
    /// Upper bound of the retransmission time-out (RFC 6298 §2.5: at least 60 s).
    pub max_rto: Duration,
    /// How long an acknowledgement may be held back (RFC 9293 §3.8.6.3: below 500 ms).
    pub delayed_ack: Duration,
    /// Retransmissions of a SYN before `connect` fails with a time-out.
    pub syn_retries: u8,
    /// Retransmissions of a SYN-ACK before the half-open connection is forgotten.
    pub syn_ack_retries: u8,
    /// Unanswered time-outs before an established connection fails, when no user time-out is set
    /// (RFC 9293 §3.8.3, R2: at least 100 s).
    pub retries: u8,
    /// How long a connection that nobody holds any more may stay in FIN-WAIT-2, and how long its peer may
    /// take nothing of what there still is to deliver; twice as long while some of that is in flight and not
    /// acknowledged (RFC 9293 §3.8.3, R2: at least 100 s).
    pub orphan_timeout: Duration,
    /// Challenge ACKs of one connection in each second, at most (RFC 5961 §10).
    pub challenge_acks_per_second: u32,
    /// Resets and errors of ICMP to one remote address in each second, at most, that answer what belongs to no
    /// connection and to no socket; 0 has neither be sent. A random number, of half of them at least, is what there is in
    /// a second. Errors to all addresses together are no more than 1,000, or a random number from 500 on, in a second.
    pub resets_per_second: u32,
    /// Whether SYN cookies answer SYNs that find the backlog full. Without them such SYNs are
    /// dropped.
    pub syn_cookies: bool,
    /// First and last port that `connect`, and a socket bound to port 0, may get (RFC 6056 §3.2);
    /// of UDP too.
    pub ephemeral_ports: (u16, u16),
    /// Makes the congestion controller of a new connection whose [`Options::congestion`] does not say
    /// otherwise.
    pub congestion: MakeController,
}

impl Config {
    /// The memory budget where none is set, in octets.
    pub const MEMORY: usize = 16 << 20;

    setters! {
        held_by_frame: fn(usize) -> usize,
        application_octets: usize,
        max_connections: usize,
        max_time_wait: usize,
        time_wait: Duration,
        min_rto: Duration,
        max_rto: Duration,
        delayed_ack: Duration,
        syn_retries: u8,
        syn_ack_retries: u8,
        retries: u8,
        orphan_timeout: Duration,
        challenge_acks_per_second: u32,
        resets_per_second: u32,
        syn_cookies: bool,
        ephemeral_ports: (u16, u16),
        congestion: MakeController,
        ;
        some memory: usize,
    }

    /// The memory budget, in octets.
    pub(crate) fn budget(&self) -> usize {
        self.memory.unwrap_or(Self::MEMORY)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mtu: 1500,
            memory: None,
            held_by_frame: |frame| frame,
            application_octets: 0,
            max_connections: usize::MAX,
            max_time_wait: usize::MAX,
            time_wait: Duration::from_secs(60),
            min_rto: Duration::from_millis(200),
            max_rto: Duration::from_secs(60),
            delayed_ack: Duration::from_millis(40),
            syn_retries: 6,
            syn_ack_retries: 5,
            retries: 15,
            orphan_timeout: Duration::from_secs(60),
            challenge_acks_per_second: 100,
            resets_per_second: 200,
            syn_cookies: true,
            ephemeral_ports: ports::EPHEMERAL,
            congestion: congestion::cubic,
        }
    }
}

/// Settings of one connection, or of a listener for all connections that it accepts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Sends small segments at once instead of waiting for the acknowledgement of those in flight
    /// (Nagle's algorithm, RFC 9293 §3.7.4).
    pub nodelay: bool,
    /// Probes an idle peer (RFC 9293 §3.8.4).
    pub keep_alive: Option<KeepAlive>,
    /// How long data may go unacknowledged before the connection is aborted (RFC 9293 §3.8.3).
    pub user_timeout: Option<Duration>,
    /// What happens when the connection is released.
    pub linger: Linger,
    /// Octets of receive buffer that a connection starts with, 2 KiB at least: the first window offered.
    pub receive_buffer: usize,
    /// Octets that the receive buffer may grow to as the measured rate asks for it. It decides the
    /// window scale (RFC 7323 §2), and so how coarsely windows are told: a peer may send up to such a unit more
    /// for each segment. `usize::MAX`, the default, stands for a quarter of the memory, between 4 and 32 MiB.
    pub max_receive_buffer: usize,
    /// Octets that may wait in the send buffer, sent or not, whatever the path.
    pub send_buffer: usize,
    /// Octets that the send buffer may grow to as the windows ask for it, rounded down to a power of two;
    /// it does not grow where that is no more than `send_buffer`. `usize::MAX`, the default, stands for
    /// a quarter of the memory.
    pub max_send_buffer: usize,
    /// Spreads a window over the round trip where that is long, by timers, instead of sending at once
    /// what an acknowledgement lets go. Controllers that work on rates do so whatever this says.
    pub paced: bool,
    /// Asks for explicit congestion notification (RFC 3168 §6.1.1); a peer that asks is answered
    /// when this is set too. One that asks for more accurate feedback (RFC 9768) gets this.
    pub ecn: bool,
    /// Time to live of the datagrams sent; over IPv6 the hop limit.
    pub ttl: u8,
    /// Largest datagram that the path is known to carry, when less than the interface's MTU.
    pub path_mtu: Option<u16>,
    /// A listener on `::` takes connections over IPv6 alone, and not over IPv4 too (IPV6_V6ONLY).
    pub only_v6: bool,
    /// Makes the congestion controller, instead of [`Config::congestion`]: what TCP_CONGESTION is on
    /// Linux. See [`congestion`] for which to choose when.
    pub congestion: Option<MakeController>,
}

impl Options {
    setters! {
        nodelay: bool,
        linger: Linger,
        receive_buffer: usize,
        max_receive_buffer: usize,
        send_buffer: usize,
        max_send_buffer: usize,
        paced: bool,
        ecn: bool,
        ttl: u8,
        only_v6: bool,
        ;
        some keep_alive: KeepAlive,
        some user_timeout: Duration,
        some path_mtu: u16,
        some congestion: MakeController,
    }

    /// With the limits for a stack that may hold `memory` octets, where none are set.
    pub(crate) fn within(mut self, memory: usize) -> Self {
        if self.max_receive_buffer == usize::MAX {
            // At the most a unit of 512 octets: less than a segment, so that a window that nobody reads from closes.
            self.max_receive_buffer = (memory / 4).clamp(4 << 20, (32 << 20) - 1);
        }
        if self.max_send_buffer == usize::MAX {
            self.max_send_buffer = memory / 4;
        }
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodelay: false,
            keep_alive: None,
            user_timeout: None,
            linger: Linger::Background,
            receive_buffer: 64 << 10,
            max_receive_buffer: usize::MAX,
            send_buffer: 512 << 10,
            max_send_buffer: usize::MAX,
            paced: true,
            ecn: false,
            ttl: 64,
            path_mtu: None,
            only_v6: false,
            congestion: None,
        }
    }
}

/// When an idle connection is probed (RFC 9293 §3.8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepAlive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Unanswered probes before the connection is aborted.
    pub probes: u8,
}

impl KeepAlive {
    setters! {
        idle: Duration,
        interval: Duration,
        probes: u8,
    }
}

impl Default for KeepAlive {
    /// Two hours, 75 s, nine probes: RFC 9293's minimum and Linux's defaults.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(7200),
            interval: Duration::from_secs(75),
            probes: 9,
        }
    }
}

/// What [`Tcp::release`](super::Tcp::release) does with data that was not acknowledged yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Linger {
    /// Goes on sending it in the background, then closes.
    #[default]
    Background,
    /// Goes on for at most this long, then resets; zero resets at once.
    Timeout(Duration),
}
