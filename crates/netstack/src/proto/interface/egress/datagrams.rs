//! Runs of UDP datagrams on their way out: many as one frame, which the device cuts apart.

use core::net::IpAddr;

use super::{Egress, Link, TRANSPORT};
use crate::proto::Instant;
use crate::proto::checksum::Sum;
use crate::proto::interface::Transmit;
use crate::proto::ip::v4::{self, protocol::UDP};
use crate::proto::ip::{Endpoint, v6};
use crate::proto::udp::HEADER_LEN;

/// Datagrams of a run, at most: Linux takes no more, of late 128.
const MOST: usize = 64;

/// What the datagrams of a run have in common.
pub(in crate::proto::interface) struct Datagrams {
    pub(in crate::proto::interface) source: Endpoint,
    pub(in crate::proto::interface) destination: Endpoint,
    /// `None` for what is usual.
    pub(in crate::proto::interface) hops: Option<u8>,
    /// Octets of payload in each but the last, which may have less.
    pub(in crate::proto::interface) segment: usize,
}

impl Egress {
    /// Octets of payload that a run to `destination` may have; none if its datagrams do not fit the path.
    pub(in crate::proto::interface) fn longest_datagrams(
        &mut self,
        now: Instant,
        destination: IpAddr,
        segment: usize,
    ) -> usize {
        let headers = HEADER_LEN
            + match destination {
                IpAddr::V4(_) => v4::HEADER_LEN,
                IpAddr::V6(_) => v6::HEADER_LEN,
            };
        if !self.offload_udp || headers + segment > self.path_mtu(now, destination) {
            return 0;
        }
        let room = usize::from(u16::MAX) - headers;
        MOST.min(room / segment) * segment
    }

    /// Sends a run of datagrams that fit the path, if it can go out at once; tells whether it can.
    pub(in crate::proto::interface) fn send_datagrams(
        &mut self,
        now: Instant,
        datagrams: &Datagrams,
        payload: &[u8],
        out: &mut dyn Transmit,
    ) -> bool {
        let Datagrams {
            source,
            destination,
            hops,
            segment,
        } = *datagrams;
        let count = payload.len().div_ceil(segment) as u64;
        let len = HEADER_LEN + payload.len();
        let [a, b] = source.port().to_be_bytes();
        let [c, d] = destination.port().to_be_bytes();
        match (source.ip(), destination.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let Some(link @ Link::Station(_)) = self.link(now, to) else {
                    return false;
                };
                let mut header = v4::Header::new(from, to, UDP, len);
                header.ttl = hops.unwrap_or(header.ttl);
                self.begin(link, &header);
                self.ip.out_requests += count;
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let link = self
                    .calls_v6()
                    .and_then(|calls| (calls.link)(self, now, to));
                let (Some(link @ Link::Station(_)), Some(v6)) = (link, self.v6.as_deref_mut())
                else {
                    return false;
                };
                let mut header = v6::Header::new(from, to, UDP, len);
                header.hop_limit = hops.unwrap_or(v6.hop_limit());
                header.flow_label = (v6.calls.flow_label)(v6, (from, to), UDP, [a, b, c, d]);
                v6.ip.out_requests += count;
                self.begin_v6(link, &header);
            }
            _ => return false,
        }
        let end = TRANSPORT + len;
        let (header, room) = self.buffer[TRANSPORT..end].split_at_mut(HEADER_LEN);
        let length = len as u16;
        // What the device is to go on with: the sum of the pseudo-header alone.
        let sum = !Sum::pseudo_header(source.ip(), destination.ip(), UDP, length).finish();
        let ([e, f], [g, h]) = (length.to_be_bytes(), sum.to_be_bytes());
        header.copy_from_slice(&[a, b, c, d, e, f, g, h]);
        room.copy_from_slice(payload);
        self.finish_run(end, (HEADER_LEN, segment as u16), true, out);
        true
    }
}
