//! TIME-WAIT (RFC 9293 §3.10.7.4, RFC 6191, RFC 1337): a small record each, apart from connections.

mod table;

use core::time::Duration;

use crate::proto::Instant;
use crate::proto::account::{Kind, Level};
use crate::proto::tcp::connection::Tcb;
use crate::proto::tcp::connection::segment_arrives::synchronized::ANSWER_INTERVAL;
use crate::proto::tcp::connection::shared::Shared;
use crate::proto::tcp::engine::Tcp;
use crate::proto::tcp::engine::time_wait::table::{AddressHash, Answers, Table, TimeWait};
use crate::proto::tcp::wire::options::{TcpOptions, Timestamps, timestamp};
use crate::proto::tcp::wire::segment::{Flags, FourTuple, Header, Segment};
use crate::proto::tcp::wire::seq::Seq;

/// They have so large a part of the memory, at most.
const PART: usize = 8;
/// So many of the oldest go at once when memory is short.
const GIVE_WAY: usize = 32;
/// How long after a SYN was answered a reset can be the answer to that.
const CONFIRMS_WITHIN: Duration = Duration::from_secs(3);

/// All connections in TIME-WAIT, on the account.
#[derive(Debug)]
pub(crate) struct TimeWaits {
    table: Table,
}

impl TimeWaits {
    pub(crate) fn new() -> Self {
        Self {
            table: Table::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Octets of the allocations that hold them.
    pub(crate) fn held(&self) -> usize {
        self.table.held()
    }

    /// The place of a record, until one is removed.
    pub(crate) fn find(&self, tuple: &FourTuple, hash: u32) -> Option<u32> {
        self.table.find(tuple, AddressHash::new(hash))
    }

    /// Keeps what is needed of a connection that enters TIME-WAIT, the hash of its addresses too, and acknowledges
    /// if that is due.
    pub(crate) fn insert(&mut self, now: Instant, tcb: &mut Tcb, hash: u32, shared: &mut Shared) {
        shared.counters.time_wait += 1;
        let full = self.len() >= shared.config.max_time_wait.min(u32::MAX as usize / 2)
            || self.held() >= shared.account.limit() / PART
            || shared.account.level() >= Level::Reserve;
        if let Some(oldest) = self.table.oldest().filter(|_| full) {
            shared.counters.time_wait_overflow += 1;
            self.remove_at(oldest, shared);
        }
        let shift = tcb.rcv.wind_shift();
        let record = TimeWait {
            tuple: tcb.tuple,
            snd_nxt: tcb.snd.nxt(),
            rcv_nxt: tcb.rcv.nxt(),
            // Rounded up, as the right edge never moves back.
            wnd: tcb.rcv.window().div_ceil(1 << shift).min(u16::MAX.into()) as u16,
            ttl: tcb.settings.ttl,
            timestamps: tcb.snd.clock().is_some(),
            recent: tcb.rcv.recent_timestamp(),
            answered: 0,
            syn: Seq(0),
            answers: Answers::Nothing,
            hash: AddressHash::new(hash),
        };
        let held = self.held();
        self.table.insert(record, now + shared.config.time_wait);
        shared.account.recharge(Kind::TimeWaits, held, self.held());
        if tcb.rcv.take_acknowledgement() {
            record.acknowledge(now, shared);
        }
    }

    /// Gives back the oldest records; tells whether there were any.
    pub(super) fn give_way(&mut self, shared: &mut Shared) -> bool {
        let any = self.len() > 0;
        for _ in 0..GIVE_WAY {
            let Some(oldest) = self.table.oldest() else {
                break;
            };
            shared.counters.time_wait_overflow += 1;
            self.remove_at(oldest, shared);
        }
        any
    }

    fn remove_at(&mut self, index: u32, shared: &mut Shared) {
        let held = self.held();
        self.table.remove(index);
        shared.account.recharge(Kind::TimeWaits, held, self.held());
    }

    pub(crate) fn remove(&mut self, tuple: &FourTuple, hash: u32, shared: &mut Shared) {
        if let Some(index) = self.find(tuple, hash) {
            self.remove_at(index, shared);
        }
    }

    /// When the next record ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.table.oldest().map(|oldest| self.table.end(oldest))
    }

    /// Drops the records whose time is over.
    pub(crate) fn expire(&mut self, now: Instant, shared: &mut Shared) {
        while let Some(oldest) = self.table.oldest()
            && self.table.end(oldest) <= now
        {
            self.remove_at(oldest, shared);
        }
    }

    /// Whether a new connection of ours may use the addresses: RFC 6191 §3, a second after the last
    /// segment of the old one, so that timestamps tell the two apart. Returns SND.NXT of the old one.
    pub(super) fn reusable(
        &self,
        now: Instant,
        (tuple, hash): (&FourTuple, u32),
        time_wait: Duration,
    ) -> Result<Option<Seq>, ()> {
        let Some(index) = self.find(tuple, hash) else {
            return Ok(None);
        };
        let record = self.table.get(index);
        let old_enough = now + time_wait >= self.table.end(index) + Duration::from_secs(1);
        if record.timestamps && old_enough {
            Ok(Some(record.snd_nxt))
        } else {
            Err(())
        }
    }
}

impl Tcp {
    /// A segment arrives for a connection in TIME-WAIT, whose record is at `index`.
    pub(super) fn arrives_time_wait(&mut self, now: Instant, index: u32, segment: Segment) {
        let record = self.time_waits.table.get_mut(index);
        if segment.flags.has(Flags::RST) {
            record.arrives_reset(now, segment.seq);
            return;
        }
        if segment.flags.has(Flags::SYN)
            && !segment.flags.has(Flags::ACK)
            && record.admits(&segment)
        {
            // RFC 6191 §2: the peer has a new connection.
            let (tuple, above) = (segment.tuple, record.snd_nxt);
            if self.arrives_listen(now, segment, Some(above)) {
                self.shared.counters.time_wait_recycled += 1;
                let hash = self.connections.hash_of(&tuple);
                self.time_waits.remove(&tuple, hash, &mut self.shared);
            }
            return;
        }
        let fin_again = segment.flags.has(Flags::FIN) && segment.end() == record.rcv_nxt;
        if fin_again || record.permit_answer(now, &segment) {
            record.acknowledge(now, &mut self.shared);
        }
        if fin_again {
            // "Acknowledge it, and restart the 2 MSL timeout."
            let until = now + self.shared.config.time_wait;
            self.time_waits.table.postpone(index, until);
        }
    }
}

impl TimeWait {
    /// RFC 6191 §2 and RFC 9293 §3.6.1: is a SYN newer than the connection? It is also if a reset has
    /// confirmed it.
    fn admits(&self, syn: &Segment) -> bool {
        if self.answers == Answers::Confirmed && self.syn == syn.seq {
            return true;
        }
        match syn.options.timestamps {
            Some(theirs) if self.timestamps && theirs.val != self.recent => {
                Seq(theirs.val).gt(Seq(self.recent))
            }
            _ => syn.seq.gt(self.rcv_nxt),
        }
    }

    /// RFC 1337 §3: a reset does not end TIME-WAIT, lest old segments hit the next connection. But a
    /// peer that reuses its port with a lower number, and without a later timestamp, answers what its
    /// SYN is answered by with a reset that has exactly the number expected: it knows nothing of the
    /// old connection. When that SYN comes again it is let in; all else still meets TIME-WAIT.
    fn arrives_reset(&mut self, now: Instant, seq: Seq) {
        let since = (now.as_millis() as u32).wrapping_sub(self.answered);
        if self.answers == Answers::Syn
            && seq == self.rcv_nxt
            && u128::from(since) <= CONFIRMS_WITHIN.as_millis()
        {
            self.answers = Answers::Confirmed;
        }
    }

    /// Whether a segment that is neither a reset nor the FIN again is to be answered, which is limited
    /// for each connection: two ends that disagree are not to answer each other for ever.
    fn permit_answer(&mut self, now: Instant, segment: &Segment) -> bool {
        if segment.len() == 0 && segment.seq == self.rcv_nxt {
            return false;
        }
        let now = now.as_millis() as u32;
        let since = now.wrapping_sub(self.answered);
        if self.answers != Answers::Nothing && u128::from(since) < ANSWER_INTERVAL.as_millis() {
            return false;
        }
        self.answered = now;
        self.answers = Answers::Segment;
        if segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::ACK) {
            self.answers = Answers::Syn;
            self.syn = segment.seq;
        }
        true
    }

    /// Sends <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>.
    fn acknowledge(&self, now: Instant, shared: &mut Shared) {
        let timestamps = self.timestamps.then(|| Timestamps {
            val: timestamp(shared.secrets.offsets(&self.tuple).timestamps, now),
            ecr: self.recent,
        });
        let header = Header {
            tuple: self.tuple,
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            wnd: self.wnd,
            flags: Flags::ACK,
            options: TcpOptions {
                timestamps,
                ..TcpOptions::default()
            },
        };
        shared.reply(header, self.ttl);
    }
}
