//! Paths that drop large datagrams without a word (RFC 2923 §2.1): segments become smaller when full
//! ones are lost again and again.
//!
//! Losses of another kind look the same, so a smaller MTU is tried for a while only. If full segments
//! get through afterwards, it was something else; if the next one does not, the smaller MTU stays four
//! times as long.

use super::Tcb;
use super::shared::Shared;
use crate::proto::tcp::wire::seq::Seq;

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
pub(crate) enum BlackHole {
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

impl Tcb {
    /// A retransmission time-out: reduces the MTU if full segments are lost again and again.
    pub(crate) fn suspect_black_hole(&mut self, shared: &mut Shared) {
        let full = self
            .flight
            .first()
            .is_some_and(|piece| piece.len() + OPTIONS >= u32::from(self.snd.mss));
        let path_mtu = self.settings.path_mtu;
        // What makes a difference: the peer may take less than the path carries.
        let used = path_mtu.min(self.snd.peer_mss.saturating_add(40));
        let plateau = PLATEAUS.into_iter().find(|plateau| *plateau < used);
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
        if !full || self.rtt.timeouts() < timeouts || self.settings.may_fragment {
            return;
        }
        let Some(smaller) = smaller else {
            self.settings.may_fragment = true;
            return;
        };
        shared.counters.mtu_reductions += 1;
        self.settings.path_mtu = smaller;
        self.update_mss();
        self.black_hole = BlackHole::Smaller {
            before,
            until: self.snd.una + segments * u32::from(self.snd.mss),
            segments,
        };
    }

    /// SND.UNA has advanced by `acked`.
    #[inline]
    pub(crate) fn try_larger_segments(&mut self, acked: u32) {
        match self.black_hole {
            BlackHole::Smaller {
                before,
                until,
                segments,
            } if self.snd.una.ge(until) => {
                self.black_hole = BlackHole::Larger {
                    since: self.snd.nxt,
                    passed: self.settings.path_mtu,
                    segments,
                };
                self.settings.path_mtu = before;
                self.update_mss();
            }
            BlackHole::Larger { since, .. } => {
                let full = u32::from(self.snd.mss);
                if acked >= full && self.snd.una.ge(since + full) {
                    self.black_hole = BlackHole::Unsuspected;
                }
            }
            _ => {}
        }
    }
}
