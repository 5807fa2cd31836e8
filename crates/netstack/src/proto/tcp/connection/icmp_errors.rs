//! ICMP errors (RFC 9293 §3.9.2.2, RFC 5461, RFC 5927) and path-MTU discovery (RFC 1191).

use super::Tcb;
use super::black_hole::BlackHole;
use super::shared::Shared;
use crate::proto::Instant;
use crate::proto::tcp::api::{Failure, IcmpError, State};
use crate::proto::tcp::wire::seq::Seq;

/// Least path MTU that is believed. RFC 1191 §3 has 68, but no path of today carries less than 552
/// (Linux's `min_pmtu`), and a forged error must not shrink segments to nothing.
const MIN_PMTU: u16 = 552;
/// RFC 1191 §7.1: MTUs to guess from when a router does not say its own.
const PLATEAUS: [u16; 7] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006];

impl Tcb {
    pub(crate) fn arrives_icmp(
        &mut self,
        now: Instant,
        seq: Seq,
        error: IcmpError,
        shared: &mut Shared,
    ) {
        // RFC 5927 §4.1: only what is in flight can have caused an error.
        if seq.lt(self.snd.una) || seq.ge(self.snd.nxt) {
            return;
        }
        let error = match error {
            IcmpError::FragmentationNeeded(mtu) => return self.reduce_mtu(now, mtu, shared),
            IcmpError::NetworkUnreachable => Failure::NetworkUnreachable,
            IcmpError::HostUnreachable => Failure::HostUnreachable,
            IcmpError::PortUnreachable => Failure::ConnectionRefused,
        };
        let connecting = matches!(self.state, State::SynSent | State::SynReceived);
        if connecting && error == Failure::ConnectionRefused {
            // RFC 9293 §3.9.2.2: hard errors abort. RFC 5461 §4.1: only before the connection is
            // established, as otherwise forged ones could end it.
            shared.counters.attempt_fails += 1;
            self.close(Some(error), shared);
        } else {
            self.soft_error = Some(error);
        }
    }

    /// RFC 1191 §3 and §6.3: a router says that a datagram was too large. `mtu` is zero when it does
    /// not say for what.
    fn reduce_mtu(&mut self, now: Instant, mtu: u16, shared: &mut Shared) {
        let sent = self.settings.path_mtu;
        let mtu = match mtu {
            0 => PLATEAUS
                .into_iter()
                .find(|plateau| *plateau < sent)
                .unwrap_or(MIN_PMTU),
            mtu => mtu.max(MIN_PMTU),
        };
        if mtu >= sent {
            return;
        }
        shared.counters.mtu_reductions += 1;
        self.settings.path_mtu = mtu;
        self.black_hole = BlackHole::default();
        self.update_mss();
        // §6.4: what was too large goes out again in smaller segments, and that is no sign of
        // congestion.
        let mss = u32::from(self.snd.mss);
        self.flight.mark_lost(|piece| Some(piece.len() > mss));
        self.flight.excuse_lost();
        self.arm_retransmit(now, None);
        self.transmit = true;
    }
}
