//! The multicast groups of our sockets, and their report to the routers of the link.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use super::egress::multicast_mac;
use super::{Interface, Transmit};
use crate::proto::Instant;
use crate::proto::ip::v4;
use crate::proto::link::ethernet;
use crate::proto::multicast::{Full, Groups, Heard, igmp};
use crate::proto::udp::SocketId;

/// Groups of one socket, at most.
const MAX_GROUPS: usize = 20;

/// Why a socket did not join a multicast group, or leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MulticastError {
    /// The address, given here, is not that of a group, or not of a family that is spoken.
    NoGroup(IpAddr),
    /// The socket is in the group already.
    Joined,
    /// The socket is not in the group.
    NotJoined,
    /// The socket, or all together, are in too many.
    Full,
}

/// What the stack asks of its membership of groups.
///
/// There is one that does it, [`Memberships4`]. It is behind a trait so that the call which joins a group is the only one
/// that leads to its code: a program without it is linked without it.
pub(super) trait Memberships: Send {
    fn contains(&self, group: Ipv4Addr) -> bool;

    /// Octets of memory held.
    fn octets(&self) -> usize;

    fn join(&mut self, now: Instant, group: Ipv4Addr) -> Result<(), Full>;

    fn leave(&mut self, now: Instant, group: Ipv4Addr);

    /// Takes an IGMP message.
    fn handle(&mut self, now: Instant, header: &v4::Header, packet: &[u8]);

    /// When [`Memberships::poll`] wants to be called next.
    fn poll_at(&self) -> Option<Instant>;

    /// The next packet of ours from `source` that is due, and the group that it goes to.
    fn poll(&mut self, now: Instant, source: Ipv4Addr) -> Option<(Ipv4Addr, Vec<u8>)>;
}

impl fmt::Debug for dyn Memberships {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memberships").finish_non_exhaustive()
    }
}

struct Memberships4(Groups<Ipv4Addr>);

impl Memberships for Memberships4 {
    fn contains(&self, group: Ipv4Addr) -> bool {
        // RFC 1112 §4: a host is always in the group of all.
        group == igmp::ALL_SYSTEMS || self.0.contains(group)
    }

    fn octets(&self) -> usize {
        size_of::<Self>() + self.0.octets()
    }

    fn join(&mut self, now: Instant, group: Ipv4Addr) -> Result<(), Full> {
        // And never says so (RFC 3376 §6).
        match group {
            igmp::ALL_SYSTEMS => Ok(()),
            group => self.0.join(now, group),
        }
    }

    fn leave(&mut self, now: Instant, group: Ipv4Addr) {
        self.0.leave(now, group);
    }

    fn handle(&mut self, now: Instant, header: &v4::Header, packet: &[u8]) {
        match igmp::parse(header, packet) {
            Some(Heard::Query(query)) => self.0.handle_query(now, &query),
            Some(Heard::OlderReport(group)) => self.0.handle_older_report(now, group),
            None => {}
        }
    }

    fn poll_at(&self) -> Option<Instant> {
        self.0.poll_at()
    }

    fn poll(&mut self, now: Instant, source: Ipv4Addr) -> Option<(Ipv4Addr, Vec<u8>)> {
        let message = self.0.poll(now)?;
        Some(igmp::packet(source, &message))
    }
}

impl Interface {
    /// Has a socket receive what is sent to the multicast group, and the routers of the link know of it. What we send to
    /// a group does not come back to our own sockets.
    ///
    /// # Errors
    ///
    /// [`MulticastError`].
    pub fn join_multicast(
        &mut self,
        now: Instant,
        id: SocketId,
        group: IpAddr,
    ) -> Result<(), MulticastError> {
        let no_group = MulticastError::NoGroup(group);
        if !group.is_multicast() {
            return Err(no_group);
        }
        let joined = self.udp.groups(id).ok_or(no_group)?;
        if joined.contains(&group) {
            return Err(MulticastError::Joined);
        }
        if joined.len() >= MAX_GROUPS {
            return Err(MulticastError::Full);
        }
        let joining = match (group, self.egress.calls_v6()) {
            (IpAddr::V4(group), _) => self.join_group_v4(now, group),
            (IpAddr::V6(group), Some(calls)) => (calls.join_group)(self, now, group),
            (IpAddr::V6(_), None) => return Err(no_group),
        };
        joining.map_err(|Full| MulticastError::Full)?;
        if let Some(joined) = self.udp.groups(id) {
            joined.push(group);
        }
        Ok(())
    }

    fn join_group_v4(&mut self, now: Instant, group: Ipv4Addr) -> Result<(), Full> {
        let random = &mut self.random;
        let memberships = self.multicast.get_or_insert_with(|| {
            let mut seed = [0; 16];
            for chunk in seed.chunks_exact_mut(8) {
                chunk.copy_from_slice(&random.next_u64().to_ne_bytes());
            }
            Box::new(Memberships4(Groups::new(seed)))
        });
        memberships.join(now, group)
    }

    /// Has a socket no longer receive what is sent to the multicast group.
    ///
    /// # Errors
    ///
    /// [`MulticastError::NotJoined`].
    pub fn leave_multicast(
        &mut self,
        now: Instant,
        id: SocketId,
        group: IpAddr,
    ) -> Result<(), MulticastError> {
        let joined = self.udp.groups(id).ok_or(MulticastError::NotJoined)?;
        let at = joined.iter().position(|other| *other == group);
        joined.remove(at.ok_or(MulticastError::NotJoined)?);
        self.leave_group(now, group);
        Ok(())
    }

    /// One socket less is in `group`.
    pub(super) fn leave_group(&mut self, now: Instant, group: IpAddr) {
        match group {
            IpAddr::V4(group) => {
                if let Some(memberships) = &mut self.multicast {
                    memberships.leave(now, group);
                }
            }
            IpAddr::V6(group) => {
                if let Some(calls) = self.egress.calls_v6() {
                    (calls.leave_group)(self, now, group);
                }
            }
        }
    }

    /// Octets that the list of groups takes.
    #[inline]
    pub(super) fn groups_held(&self) -> usize {
        let memberships = self.multicast.as_ref();
        memberships.map_or(0, |memberships| memberships.octets())
    }

    /// Whether `group` is one that we are in.
    pub(super) fn is_member(&self, group: Ipv4Addr) -> bool {
        let memberships = self.multicast.as_ref();
        memberships.is_some_and(|memberships| memberships.contains(group))
    }

    pub(super) fn handle_igmp(&mut self, now: Instant, header: &v4::Header, packet: &[u8]) {
        if let Some(memberships) = &mut self.multicast {
            memberships.handle(now, header, packet);
        }
    }

    pub(super) fn poll_multicast(&mut self, now: Instant, out: &mut dyn Transmit) {
        let Some(memberships) = &mut self.multicast else {
            return;
        };
        if memberships.poll_at().is_none_or(|at| at > now) {
            return;
        }
        // RFC 3376 §4.2.13: it may come from nobody.
        let source = self.egress.routes.addresses().first();
        let source = source.map_or(Ipv4Addr::UNSPECIFIED, |cidr| cidr.address());
        while let Some((group, packet)) = memberships.poll(now, source) {
            self.egress.ip.out_requests += 1;
            let station = multicast_mac(group);
            self.egress
                .send_to_group(station, ethernet::IPV4, &packet, out);
        }
    }
}

#[cfg(test)]
mod tests;
