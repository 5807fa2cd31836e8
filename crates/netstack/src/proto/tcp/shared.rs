//! What all connections of an engine share.

use std::collections::VecDeque;

use super::config::Config;
use super::counters::Counters;
use super::interface::TxMeta;
use super::isn::Secrets;
use super::on_demand::Spares;
use super::peers::Peers;
use super::receive_queue::ReceiveQueue;
use super::reset::ResetLimit;
use super::retransmission::Flight;
use super::segment::Header;
use super::send_queue::ChunkPool;
use super::tables::push;
use super::window::Growers;
use crate::proto::Instant;
use crate::proto::account::{Account, Kind};

/// Segments without a connection that wait for transmission, at most; more are not sent.
const REPLIES: usize = 256;

/// Spare parts of connections of each kind, at most, and one for so many octets of the budget.
const SPARES: usize = 64;
const SPARE_SHARE: usize = 64 << 10;

/// A segment without payload that no connection sends: a reset, an answer of TIME-WAIT, a SYN
/// cookie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) header: Header,
    pub(super) ttl: u8,
}

impl Reply {
    /// What the IP layer has to know.
    pub(super) fn meta(&self) -> TxMeta {
        TxMeta {
            source: *self.header.tuple.local.ip(),
            destination: *self.header.tuple.remote.ip(),
            len: self.header.len(),
            cut: 0,
            ecn: super::Ecn::NotEct,
            ttl: self.ttl,
            dont_fragment: true,
        }
    }
}

/// What all connections of an engine share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) counters: Counters,
    pub(super) secrets: Secrets,
    pub(super) pool: ChunkPool,
    pub(super) flights: Spares<Flight>,
    pub(super) receive_queues: Spares<ReceiveQueue>,
    /// Octets that these three were charged.
    spares: usize,
    pub(super) account: Account,
    pub(super) peers: Peers,
    /// Ended connections that users still hold.
    pub(super) leaving: usize,
    /// The latest time that the engine was told.
    pub(super) latest: Instant,
    pub(super) growers: Growers,
    pub(super) replies: VecDeque<Reply>,
    /// Limits resets to segments that belong to no connection.
    pub(super) resets: ResetLimit,
    /// The length of the last frame with text, and what such a frame keeps.
    last_frame: (u32, u32),
}

impl Shared {
    pub(super) fn new(config: Config, seed: [u8; 32]) -> Self {
        let memory = config.budget();
        let spares = SPARES.min(memory / SPARE_SHARE);
        let secrets = Secrets::new(seed);
        Self {
            counters: Counters::default(),
            peers: Peers::new(secrets.table()),
            resets: ResetLimit::new(config.resets_per_second, secrets.table()),
            secrets,
            leaving: 0,
            latest: Instant::default(),
            pool: ChunkPool::new(memory),
            flights: Spares::new(spares),
            receive_queues: Spares::new(spares),
            spares: 0,
            account: Account::new(memory),
            growers: Growers::new(memory),
            replies: VecDeque::new(),
            last_frame: (0, 0),
            config,
        }
    }

    /// Octets of the buffer that a frame of so many octets keeps from being freed.
    #[inline]
    pub(super) fn pinned(&mut self, frame: u32) -> usize {
        // Nearly always as long as the last one.
        if self.last_frame.0 != frame {
            self.last_frame = (frame, (self.config.held_by_frame)(frame as usize) as u32);
        }
        self.last_frame.1 as usize
    }

    /// Octets of what is kept for connections to come.
    #[inline]
    pub(super) fn spares_held(&self) -> usize {
        self.pool.held() + self.flights.held() + self.receive_queues.held()
    }

    /// Charges what has changed of that.
    #[inline]
    pub(super) fn recharge_spares(&mut self) {
        let held = self.spares_held();
        let before = core::mem::replace(&mut self.spares, held);
        if held != before {
            self.account.recharge(Kind::Spares, before, held);
        }
    }

    /// Queues a segment that no connection sends; drops it when too many wait.
    pub(super) fn reply(&mut self, header: Header, ttl: u8) -> bool {
        if self.replies.len() >= REPLIES {
            return false;
        }
        push(&mut self.replies, Reply { header, ttl }, &mut self.account);
        true
    }
}
