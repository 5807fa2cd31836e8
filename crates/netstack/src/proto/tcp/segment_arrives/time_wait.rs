//! TIME-WAIT (RFC 9293 §3.10.7.4, RFC 6191, RFC 1337): a small record each, apart from connections.

use std::collections::{HashMap, VecDeque};

use crate::proto::Instant;
use crate::proto::tcp::engine::Tcp;
use crate::proto::tcp::isn::TableHash;
use crate::proto::tcp::options::{TcpOptions, Timestamps};
use crate::proto::tcp::reset;
use crate::proto::tcp::segment::{Flags, FourTuple, Header, Segment};
use crate::proto::tcp::seq::Seq;
use crate::proto::tcp::shared::Shared;
use crate::proto::tcp::tcb::{Tcb, TimestampState};

/// What is kept of a connection in TIME-WAIT.
#[derive(Clone, Copy, Debug)]
pub(in crate::proto::tcp) struct TimeWait {
    snd_nxt: Seq,
    rcv_nxt: Seq,
    timestamps: Option<TimestampState>,
    /// Tells this record from an earlier one with the same addresses.
    serial: u32,
    since: Instant,
    until: Instant,
}

/// All of them.
#[derive(Debug)]
pub(in crate::proto::tcp) struct TimeWaits {
    records: HashMap<FourTuple, TimeWait, TableHash>,
    /// In order of time, as all last equally long; a record that was prolonged is put at the end
    /// when its first end has come.
    ends: VecDeque<(Instant, FourTuple, u32)>,
    serial: u32,
}

impl TimeWaits {
    pub(in crate::proto::tcp) fn new(hash: TableHash) -> Self {
        Self {
            records: HashMap::with_hasher(hash),
            ends: VecDeque::new(),
            serial: 0,
        }
    }

    pub(in crate::proto::tcp) fn len(&self) -> usize {
        self.records.len()
    }

    pub(in crate::proto::tcp) fn get(&self, tuple: &FourTuple) -> Option<&TimeWait> {
        // Most stacks have none most of the time: no hash then.
        if self.records.is_empty() {
            None
        } else {
            self.records.get(tuple)
        }
    }

    /// Keeps what is needed of a connection that enters TIME-WAIT.
    pub(in crate::proto::tcp) fn insert(&mut self, now: Instant, tcb: &Tcb, shared: &mut Shared) {
        shared.counters.time_wait += 1;
        if self.records.len() >= shared.config.max_time_wait {
            shared.counters.time_wait_overflow += 1;
            self.drop_oldest();
        }
        self.serial = self.serial.wrapping_add(1);
        let until = now + shared.config.time_wait;
        let record = TimeWait {
            snd_nxt: tcb.snd.nxt,
            rcv_nxt: tcb.rcv.nxt,
            timestamps: tcb.timestamps,
            serial: self.serial,
            since: now,
            until,
        };
        self.records.insert(tcb.tuple, record);
        self.ends.push_back((until, tcb.tuple, self.serial));
    }

    fn drop_oldest(&mut self) {
        while let Some((_, tuple, serial)) = self.ends.pop_front() {
            if self
                .records
                .get(&tuple)
                .is_some_and(|record| record.serial == serial)
            {
                self.records.remove(&tuple);
                break;
            }
        }
    }

    pub(in crate::proto::tcp) fn remove(&mut self, tuple: &FourTuple) {
        self.records.remove(tuple);
    }

    /// When the next record may end.
    pub(in crate::proto::tcp) fn next_end(&self) -> Option<Instant> {
        self.ends.front().map(|(end, ..)| *end)
    }

    /// Drops the records whose time is over.
    pub(in crate::proto::tcp) fn expire(&mut self, now: Instant) {
        while let Some(&(end, tuple, serial)) = self.ends.front()
            && end <= now
        {
            self.ends.pop_front();
            match self.records.get(&tuple) {
                Some(record) if record.serial == serial && record.until <= now => {
                    self.records.remove(&tuple);
                }
                Some(record) if record.serial == serial => {
                    self.ends.push_back((record.until, tuple, serial))
                }
                _ => {}
            }
        }
    }

    /// Whether a new connection of ours may use the addresses: RFC 6191 §3, a second after the old
    /// one, so that timestamps tell the two apart. Returns SND.NXT of the old one.
    pub(in crate::proto::tcp) fn reusable(
        &self,
        now: Instant,
        tuple: &FourTuple,
    ) -> Result<Option<Seq>, ()> {
        match self.get(tuple) {
            None => Ok(None),
            Some(record) if record.timestamps.is_some() && (now - record.since).as_secs() >= 1 => {
                Ok(Some(record.snd_nxt))
            }
            Some(_) => Err(()),
        }
    }
}

impl Tcp {
    /// A segment arrives for a connection in TIME-WAIT.
    pub(in crate::proto::tcp) fn arrives_time_wait(
        &mut self,
        now: Instant,
        record: TimeWait,
        segment: Segment,
    ) {
        // RFC 1337 §3: resets do not end TIME-WAIT, lest old segments hit the next connection.
        if segment.flags.has(Flags::RST) {
            return;
        }
        if segment.flags.has(Flags::SYN)
            && !segment.flags.has(Flags::ACK)
            && record.admits(&segment)
        {
            // RFC 6191 §2: the peer has a new connection.
            self.shared.counters.time_wait_recycled += 1;
            self.time_waits.remove(&segment.tuple);
            self.arrives_listen(now, segment, Some(record.snd_nxt));
            return;
        }
        let fin_again = segment.flags.has(Flags::FIN) && segment.end() == record.rcv_nxt;
        if fin_again {
            // "Acknowledge it, and restart the 2 MSL timeout."
            let until = now + self.shared.config.time_wait;
            if let Some(record) = self.time_waits.records.get_mut(&segment.tuple) {
                record.until = until;
            }
        }
        if (segment.len() > 0 || segment.seq != record.rcv_nxt)
            && self.shared.challenges.permits(now)
        {
            record.acknowledge(now, segment.tuple, &mut self.shared);
        }
    }
}

impl TimeWait {
    /// RFC 6191 §2 and RFC 9293 §3.6.1: is a SYN newer than the connection?
    fn admits(&self, syn: &Segment) -> bool {
        match (self.timestamps, syn.options.timestamps) {
            (Some(ours), Some(theirs)) if theirs.val != ours.recent => {
                Seq(theirs.val).gt(Seq(ours.recent))
            }
            (Some(_), Some(_)) | (None, _) => syn.seq.gt(self.rcv_nxt),
            (Some(_), None) => syn.seq.gt(self.rcv_nxt),
        }
    }

    /// Sends <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>.
    pub(in crate::proto::tcp) fn acknowledge(
        &self,
        now: Instant,
        tuple: FourTuple,
        shared: &mut Shared,
    ) {
        let timestamps = self.timestamps.map(|ours| Timestamps {
            val: Tcb::timestamp(ours.offset, now),
            ecr: ours.recent,
        });
        let header = Header {
            tuple,
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            wnd: 0,
            flags: Flags::ACK,
            options: TcpOptions {
                timestamps,
                ..TcpOptions::default()
            },
        };
        shared.reply(header, reset::DEFAULT_TTL);
    }
}
