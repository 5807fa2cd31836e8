//! ICMP errors (RFC 9293 §3.9.2.2, RFC 5461, RFC 5927) and path-MTU discovery (RFC 1191).

use super::Tcb;
use super::shared::Shared;
use crate::proto::Instant;
use crate::proto::tcp::api::{Failure, IcmpError, State};
use crate::proto::tcp::wire::seq::Seq;

impl Tcb {
    pub(crate) fn arrives_icmp(
        &mut self,
        now: Instant,
        seq: Seq,
        error: IcmpError,
        shared: &mut Shared,
    ) {
        // RFC 5927 §4.1: only what is in flight can have caused an error.
        if !self.snd.is_in_flight(seq) {
            return;
        }
        let error = match error {
            IcmpError::FragmentationNeeded(mtu) => {
                self.transmit |= self.snd.reduce_mtu(now, mtu, &mut shared.counters);
                return;
            }
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
}
