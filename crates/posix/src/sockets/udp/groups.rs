//! Multicast groups that a socket is in.

use core::ffi::c_int;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libc::{
    EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, ENODEV, IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP,
    IPPROTO_IP, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP,
};

use super::outside::members;
use super::{Ends, Udp};
use crate::error::{Result, fail};
use crate::sockets::address::is_ours;

/// Groups that a socket may be in: Linux' `igmp_max_memberships`.
const MOST: usize = 20;

/// A group to be joined or left.
pub(super) struct Change {
    group: IpAddr,
    joins: bool,
}

impl Udp {
    /// What an option says of groups, if it does.
    pub(super) fn read_change(
        &self,
        level: c_int,
        name: c_int,
        value: &[u8],
    ) -> Result<Option<Change>> {
        let (group, interface_is_ours, joins) = match (level, name) {
            (IPPROTO_IP, IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP) => {
                let [Some(group), Some(interface)] = [0, 4].map(|at| value.get(at..at + 4)) else {
                    return fail(EINVAL);
                };
                let [group, interface] = [group, interface].map(|octets| {
                    let octets: [u8; 4] = octets.try_into().unwrap_or_default();
                    Ipv4Addr::from(octets)
                });
                let ours = self.network.is_ours(interface.into());
                (group.into(), ours, name == IP_ADD_MEMBERSHIP)
            }
            (IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP | IPV6_DROP_MEMBERSHIP) => {
                let (Some(group), Some(interface)) = (value.first_chunk(), value.get(16..20))
                else {
                    return fail(EINVAL);
                };
                let group = Ipv6Addr::from_octets(*group);
                let interface = interface.try_into().map_or(0, u32::from_ne_bytes);
                (
                    IpAddr::from(group),
                    is_ours(interface),
                    name == IPV6_ADD_MEMBERSHIP,
                )
            }
            _ => return Ok(None),
        };
        match (group.is_multicast(), interface_is_ours) {
            (false, _) => fail(EINVAL),
            (true, false) => fail(ENODEV),
            (true, true) => Ok(Some(Change { group, joins })),
        }
    }

    /// Joins a group or leaves it.
    pub(super) fn change_group(&self, Change { group, joins }: Change) -> Result<()> {
        let mut groups = self.groups.borrow_mut();
        let place = groups.iter().position(|other| *other == group);
        match (joins, place) {
            (true, Some(_)) => fail(EADDRINUSE),
            (true, None) if groups.len() >= MOST => fail(ENOBUFS),
            (true, None) => {
                self.join_outside(group)?;
                groups.push(group);
                Ok(())
            }
            (false, None) => fail(EADDRNOTAVAIL),
            (false, Some(place)) => {
                groups.remove(place);
                self.leave_outside(group)
            }
        }
    }

    /// Gives a datagram to the sockets of the program that are in the group.
    pub(super) fn send_to_members(&self, bound: SocketAddr, group: SocketAddr, payload: &[u8]) {
        let from = SocketAddr::new(self.network.source(bound.ip(), group.ip()), bound.port());
        let to = group.ip();
        for socket in members(&self.network, from, group) {
            socket.put(Ends { from, to }, payload);
        }
    }
}
