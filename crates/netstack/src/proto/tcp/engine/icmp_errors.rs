//! ICMP errors find the connection that they are about.

use core::net::IpAddr;

use super::Tcp;
use crate::proto::Instant;
use crate::proto::ip::Endpoint;
use crate::proto::tcp::api::IcmpError;
use crate::proto::tcp::wire::segment::FourTuple;
use crate::proto::tcp::wire::seq::Seq;

impl Tcp {
    /// Whether one more error of ICMP may go to `remote` now.
    pub(crate) fn may_report(&mut self, now: Instant, remote: IpAddr) -> bool {
        let shared = &mut self.shared;
        shared.unasked.take_error(now, remote, &mut shared.secrets)
    }

    /// An ICMP error has arrived that quotes a datagram of ours from `source` to `destination`:
    /// `quoted` is what it holds of that datagram's TCP header (at least eight octets, otherwise it
    /// is ignored).
    pub fn handle_icmp(
        &mut self,
        now: Instant,
        source: impl Into<IpAddr>,
        destination: impl Into<IpAddr>,
        quoted: &[u8],
        error: IcmpError,
    ) {
        let [p0, p1, q0, q1, s0, s1, s2, s3, ..] = *quoted else {
            return;
        };
        let tuple = FourTuple {
            local: Endpoint::new(source.into(), u16::from_be_bytes([p0, p1])),
            remote: Endpoint::new(destination.into(), u16::from_be_bytes([q0, q1])),
        };
        let seq = Seq(u32::from_be_bytes([s0, s1, s2, s3]));
        let Some(index) = self.connections.find(&tuple) else {
            return;
        };
        if let Some(tcb) = self.connections.at(index) {
            tcb.arrives_icmp(now, seq, error, &mut self.shared);
        }
        self.settle(index);
    }
}
