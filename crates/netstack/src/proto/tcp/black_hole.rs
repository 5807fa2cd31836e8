//! Paths that drop large datagrams without a word (RFC 2923 §2.1): segments become smaller when full
//! ones are lost again and again.
//!
//! Losses of another kind look the same, so a smaller MTU is tried for a while only. If full segments
//! get through afterwards, it was something else; if they do not, the smaller MTU stays.

use super::seq::Seq;
use super::shared::Shared;
use super::tcb::Tcb;

/// RFC 1191 §7.1: MTUs to fall back to.
const PLATEAUS: [u16; 5] = [8166, 1492, 1280, 1006, 576];
/// Time-outs in a row of a full segment after which a black hole is suspected.
const TIMEOUTS: u8 = 3;
/// Full segments of the smaller size that are acknowledged before the larger size is tried again.
const TRIAL: u32 = 16;

/// Octets that options can take of a full segment (RFC 9293 §3.1): one that was built while there
/// was SACK to tell of is so much shorter, and no less likely to be dropped.
const OPTIONS: u32 = 40;

/// What is suspected.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BlackHole {
    /// MTU before it was reduced, and SND.UNA at which it is tried again.
    trial: Option<(u16, Seq)>,
    /// Reductions since a full segment got through.
    suspicions: u8,
}

impl Tcb {
    /// A retransmission time-out: reduces the MTU if full segments are lost again and again.
    pub(super) fn suspect_black_hole(&mut self, shared: &mut Shared) {
        let full = self
            .flight
            .first()
            .is_some_and(|piece| piece.len() + OPTIONS >= u32::from(self.snd.mss));
        if !full || self.rtt.backoffs() < TIMEOUTS || self.settings.may_fragment {
            return;
        }
        // What makes a difference: the peer may take less than the path carries.
        let used = self
            .settings
            .path_mtu
            .min(self.snd.peer_mss.saturating_add(40));
        let Some(plateau) = PLATEAUS.iter().find(|plateau| **plateau < used) else {
            self.settings.may_fragment = true;
            return;
        };
        shared.counters.mtu_reductions += 1;
        let before = self
            .black_hole
            .trial
            .map_or(self.settings.path_mtu, |(before, _)| before);
        self.settings.path_mtu = *plateau;
        self.update_mss();
        self.black_hole.suspicions = self.black_hole.suspicions.saturating_add(1);
        self.black_hole.trial = Some((before, self.snd.una + TRIAL * u32::from(self.snd.mss)));
    }

    /// SND.UNA has advanced by `acked`.
    #[inline]
    pub(super) fn try_larger_segments(&mut self, acked: u32) {
        if let Some((before, at)) = self.black_hole.trial {
            if self.snd.una.ge(at) {
                self.black_hole.trial = None;
                // The second suspicion in a row is believed.
                if self.black_hole.suspicions < 2 {
                    self.settings.path_mtu = before;
                    self.update_mss();
                }
            }
        } else if self.black_hole.suspicions == 1 && acked >= u32::from(self.snd.mss) {
            self.black_hole.suspicions = 0;
        }
    }
}
