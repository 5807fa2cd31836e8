//! The MTU of the path, and what it leaves for a segment (RFC 9293 §3.7.1, RFC 1191).
//!
//! Paths that drop large datagrams without a word (RFC 2923 §2.1) are suspected when full segments
//! are lost again and again: they become smaller then.
//!
//! Losses of another kind look the same, so a smaller MTU is tried for a while only. If full segments
//! get through afterwards, it was something else; if the next one does not, the smaller MTU stays four
//! times as long.

use super::{Datagrams, Sender};
use crate::proto::Instant;
use crate::proto::ip::v6;
use crate::proto::tcp::counters::Counters;
use crate::proto::tcp::wire::options::TIMESTAMPS_LEN;
use crate::proto::tcp::wire::segment::HEADER_LEN;
use crate::proto::tcp::wire::seq::Seq;

/// Least path MTU of IPv4 that is believed. RFC 1191 §3 has 68, but no path of today carries less than 552
/// (Linux's `min_pmtu`), and a forged error must not shrink segments to nothing.
const MIN_PMTU: u16 = 552;
/// RFC 1191 §7.1: MTUs to guess from when a router does not say its own.
const ROUTERS_PLATEAUS: [u16; 7] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006];
/// RFC 1191 §7.1: MTUs to fall back to.
const PLATEAUS: [u16; 5] = [8166, 1492, 1280, 1006, 576];
/// Time-outs in a row of a full segment after which a black hole is suspected.
const TIMEOUTS: u8 = 3;
/// Full segments of the smaller size that are acknowledged before the larger size is tried again, at
/// first and at last.
const TRIAL: core::ops::RangeInclusive<u32> = 1 << 4..=1 << 16;

/// Octets that options can take of a full segment (RFC 9293 §3.1): one that was built while there
/// was SACK to tell of is so much shorter, and no less likely to be dropped.
const OPTIONS: u32 = 40;

/// What is suspected of the path.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum BlackHole {
    #[default]
    Unsuspected,
    /// Segments are smaller until SND.UNA is at `until`, `segments` later; the MTU was `before`.
    Smaller {
        before: u16,
        until: Seq,
        segments: u32,
    },
    /// Since SND.NXT was `since` segments are as large as before, after `segments` with an MTU of
    /// `passed`.
    Larger {
        since: Seq,
        passed: u16,
        segments: u32,
    },
}

impl Sender {
    /// Eff.snd.MSS of RFC 9293 §3.7.1: what the peer takes and the path carries, without options.
    pub(super) fn update_mss(&mut self) {
        let path = self
            .path_mtu
            .saturating_sub((self.datagrams.header_len() + HEADER_LEN) as u16);
        let options = if self.clock.is_some() {
            TIMESTAMPS_LEN as u16
        } else {
            0
        };
        self.mss = self.peer_mss.min(path).saturating_sub(options).max(1);
        if let Some(congestion) = &mut self.congestion {
            congestion.set_smss(self.mss.into());
        }
    }

    /// Least path MTU that is believed.
    fn least_mtu(&self) -> u16 {
        match self.datagrams {
            Datagrams::V4 | Datagrams::Fragmentable => MIN_PMTU,
            Datagrams::V6 => v6::MINIMUM_MTU as u16,
        }
    }

    /// RFC 1191 §3 and §6.3, RFC 8201 §4: a router says that a datagram was too large. `mtu` is zero when it does
    /// not say for what.
    ///
    /// Returns whether the path's MTU was thought to be larger.
    pub(crate) fn reduce_mtu(&mut self, now: Instant, mtu: u16, counters: &mut Counters) -> bool {
        let sent = self.path_mtu;
        let least = self.least_mtu();
        let mtu = match mtu {
            0 => ROUTERS_PLATEAUS
                .into_iter()
                .find(|plateau| *plateau < sent)
                .map_or(least, |plateau| plateau.max(least)),
            mtu => mtu.max(least),
        };
        if mtu >= sent {
            return false;
        }
        counters.mtu_reductions += 1;
        self.path_mtu = mtu;
        self.black_hole = BlackHole::default();
        self.update_mss();
        // §6.4: what was too large goes out again in smaller segments, and that is no sign of
        // congestion.
        let mss = u32::from(self.mss);
        self.flight.mark_lost(|piece| Some(piece.len() > mss));
        self.flight.excuse_lost();
        self.arm_retransmit(now, None);
        true
    }

    /// A retransmission time-out: reduces the MTU if full segments are lost again and again.
    pub(super) fn suspect_black_hole(&mut self, counters: &mut Counters) {
        let full = self
            .flight
            .first()
            .is_some_and(|piece| piece.len() + OPTIONS >= u32::from(self.mss));
        let path_mtu = self.path_mtu;
        // What makes a difference: the peer may take less than the path carries.
        let headers = (self.datagrams.header_len() + HEADER_LEN) as u16;
        let used = path_mtu.min(self.peer_mss.saturating_add(headers));
        let smaller = self.least_mtu()..used;
        let plateau = PLATEAUS.into_iter().find(|it| smaller.contains(it));
        let (timeouts, before, smaller, segments) = match self.black_hole {
            BlackHole::Unsuspected => (TIMEOUTS, path_mtu, plateau, *TRIAL.start()),
            BlackHole::Smaller {
                before, segments, ..
            } => (TIMEOUTS, before, plateau, segments),
            BlackHole::Larger {
                passed, segments, ..
            } => {
                let segments = (4 * segments).min(*TRIAL.end());
                (1, path_mtu, Some(passed), segments)
            }
        };
        if !full || self.rtt.timeouts() < timeouts || self.may_fragment() {
            return;
        }
        let Some(smaller) = smaller else {
            if self.datagrams == Datagrams::V4 {
                self.datagrams = Datagrams::Fragmentable;
            }
            return;
        };
        counters.mtu_reductions += 1;
        self.path_mtu = smaller;
        self.update_mss();
        self.black_hole = BlackHole::Smaller {
            before,
            until: self.una + segments * u32::from(self.mss),
            segments,
        };
    }

    /// SND.UNA has advanced by `acked`.
    #[inline]
    pub(super) fn try_larger_segments(&mut self, acked: u32) {
        match self.black_hole {
            BlackHole::Smaller {
                before,
                until,
                segments,
            } if self.una.ge(until) => {
                self.black_hole = BlackHole::Larger {
                    since: self.nxt,
                    passed: self.path_mtu,
                    segments,
                };
                self.path_mtu = before;
                self.update_mss();
            }
            BlackHole::Larger { since, .. } => {
                let full = u32::from(self.mss);
                if acked >= full && self.una.ge(since + full) {
                    self.black_hole = BlackHole::Unsuspected;
                }
            }
            _ => {}
        }
    }
}
