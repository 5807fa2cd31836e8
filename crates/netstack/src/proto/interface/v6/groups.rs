//! The multicast groups that we are in, and their report to the routers of the link (MLDv2).

use core::net::Ipv6Addr;

use super::V6;
use super::addresses::is_link_local;
use super::egress::multicast_mac;
use super::ingress::Incoming;
use crate::proto::Instant;
use crate::proto::interface::{Interface, Transmit};
use crate::proto::link::ethernet;
use crate::proto::multicast::{Full, Heard, mld};

impl V6 {
    /// Our link-local address, if it is in use.
    pub(super) fn link_local(&self) -> Option<Ipv6Addr> {
        let mut assigned = self.assigned().map(|it| it.address());
        assigned.find(|it| is_link_local(*it))
    }

    /// Somebody more, or less, wants a group: also one whose members are never told of, such as all nodes.
    pub(super) fn join(&mut self, now: Instant, group: Ipv6Addr) -> Result<(), Full> {
        match mld::is_silent(group) {
            true => Ok(()),
            false => self.groups.join(now, group),
        }
    }

    pub(super) fn leave(&mut self, now: Instant, group: Ipv6Addr) {
        self.groups.leave(now, group);
    }
}

impl Interface {
    pub(super) fn join_group_v6(&mut self, now: Instant, group: Ipv6Addr) -> Result<(), Full> {
        let v6 = self.egress.v6.as_deref_mut().ok_or(Full)?;
        v6.join(now, group)
    }

    pub(super) fn leave_group_v6(&mut self, now: Instant, group: Ipv6Addr) {
        if let Some(v6) = self.egress.v6.as_deref_mut() {
            v6.leave(now, group);
        }
    }

    /// Takes what may be a message of MLD, at `at` of a packet.
    pub(super) fn handle_mld(&mut self, now: Instant, incoming: &Incoming, at: usize) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        match mld::parse(&incoming.packet, at) {
            Some(Heard::Query(query)) => v6.groups.handle_query(now, &query),
            // What no router has heard keeps us from no report.
            Some(Heard::OlderReport(group)) if !incoming.alone => {
                v6.groups.handle_older_report(now, group);
            }
            _ => {}
        }
    }

    pub(super) fn poll_groups_v6(&mut self, now: Instant, out: &mut dyn Transmit) {
        while let Some(v6) = self.egress.v6.as_deref_mut()
            && let Some(message) = v6.groups.poll(now)
        {
            let source = v6.link_local().unwrap_or(Ipv6Addr::UNSPECIFIED);
            v6.ip.out_requests += 1;
            v6.icmp.out_msgs += 1;
            let (group, packet) = mld::packet(source, &message);
            let station = multicast_mac(group);
            self.egress
                .send_to_group(station, ethernet::IPV6, &packet, out);
        }
    }
}
