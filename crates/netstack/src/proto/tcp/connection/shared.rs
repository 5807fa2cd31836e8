//! What all connections of an engine share.

use core::net::IpAddr;
use std::collections::VecDeque;

use super::peers::Peers;
use crate::proto::Instant;
use crate::proto::account::{Account, Kind, push};
use crate::proto::ip::{self, Ecn};
use crate::proto::tcp::config::Config;
use crate::proto::tcp::counters::Counters;
use crate::proto::tcp::defence::isn::Secrets;
use crate::proto::tcp::defence::limits::ReplyLimit;
use crate::proto::tcp::on_demand::Spares;
use crate::proto::tcp::receive::autotune::Growers;
use crate::proto::tcp::receive::queue::ReceiveQueue;
use crate::proto::tcp::send::Stock;
use crate::proto::tcp::wire::ip::TxMeta;
use crate::proto::tcp::wire::segment::{HEADER_LEN, Header};

/// Segments without a connection that wait for transmission, at most; more are not sent.
const REPLIES: usize = 256;

/// Spare parts of connections of each kind, at most, and one for so many octets of the budget.
const SPARES: usize = 64;
const SPARE_SHARE: usize = 64 << 10;

/// A segment without payload that no connection sends: a reset, an answer of TIME-WAIT, a SYN
/// cookie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) header: Header,
    pub(crate) ttl: u8,
}

impl Reply {
    /// What the IP layer has to know.
    pub(crate) fn meta(&self, secrets: &Secrets) -> TxMeta {
        let tuple = &self.header.tuple;
        TxMeta {
            local: tuple.local,
            remote: tuple.remote,
            len: self.header.len(),
            cut: 0,
            flow_label: match tuple.remote.is_ipv6() {
                true => secrets.offsets(tuple).flow_label,
                false => 0,
            },
            ecn: Ecn::NotEct,
            ttl: self.ttl,
            dont_fragment: true,
        }
    }
}

/// What all connections of an engine share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// Octets of the largest IPv6 packet that is sent; [`Config::mtu`] is that of IPv4.
    pub(crate) mtu_v6: u16,
    pub(crate) counters: Counters,
    pub(crate) secrets: Secrets,
    pub(crate) stock: Stock,
    pub(crate) receive_queues: Spares<ReceiveQueue>,
    /// Octets that these two were charged.
    spares: usize,
    pub(crate) account: Account,
    pub(crate) peers: Peers,
    /// Ended connections that users still hold.
    pub(crate) leaving: usize,
    /// The latest time that the engine was told.
    pub(crate) latest: Instant,
    /// Octets of data in order that had no room just now.
    pub(crate) refused: usize,
    pub(crate) growers: Growers,
    pub(crate) replies: VecDeque<Reply>,
    /// Limits resets to segments that belong to no connection, and errors of ICMP.
    pub(crate) unasked: ReplyLimit,
    /// The length of the last frame with text, and what such a frame keeps.
    last_frame: (u32, u32),
}

impl Shared {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        let memory = config.budget();
        let spares = SPARES.min(memory / SPARE_SHARE);
        let secrets = Secrets::new(seed);
        Self {
            counters: Counters::default(),
            peers: Peers::new(secrets.table()),
            unasked: ReplyLimit::new(config.resets_per_second, secrets.table()),
            secrets,
            leaving: 0,
            latest: Instant::default(),
            refused: 0,
            stock: Stock::new(memory, spares),
            receive_queues: Spares::new(spares),
            spares: 0,
            account: Account::new(memory),
            growers: Growers::new(memory),
            replies: VecDeque::new(),
            last_frame: (0, 0),
            mtu_v6: config.mtu,
            config,
        }
    }

    /// What the MSS option says to a peer (RFC 9293 §3.7.1).
    pub(crate) fn offered_mss(&self, peer: IpAddr) -> u16 {
        let headers = (ip::header_len(peer) + HEADER_LEN) as u16;
        self.mtu(peer).saturating_sub(headers)
    }

    /// Octets of the largest packet to a peer.
    pub(crate) fn mtu(&self, peer: IpAddr) -> u16 {
        match peer {
            IpAddr::V4(_) => self.config.mtu,
            IpAddr::V6(_) => self.mtu_v6,
        }
    }

    /// Octets of the buffer that a frame of so many octets keeps from being freed.
    #[inline]
    pub(crate) fn pinned(&mut self, frame: u32) -> usize {
        // Nearly always as long as the last one.
        if self.last_frame.0 != frame {
            self.last_frame = (frame, (self.config.held_by_frame)(frame as usize) as u32);
        }
        self.last_frame.1 as usize
    }

    /// Octets of what is kept for connections to come.
    #[inline]
    pub(crate) fn spares_held(&self) -> usize {
        self.stock.held() + self.receive_queues.held()
    }

    /// Charges what has changed of that.
    #[inline]
    pub(crate) fn recharge_spares(&mut self) {
        let held = self.spares_held();
        let before = core::mem::replace(&mut self.spares, held);
        if held != before {
            self.account.recharge(Kind::Spares, before, held);
        }
    }

    /// Whether one more answer to who has no connection may go to `remote` now.
    pub(crate) fn may_reply(&mut self, now: Instant, remote: IpAddr) -> bool {
        self.unasked.take(now, remote, &mut self.secrets)
    }

    /// Queues a segment that no connection sends; drops it when too many wait.
    pub(crate) fn reply(&mut self, header: Header, ttl: u8) -> bool {
        if self.replies.len() >= REPLIES {
            return false;
        }
        push(&mut self.replies, Reply { header, ttl }, &mut self.account);
        true
    }
}
