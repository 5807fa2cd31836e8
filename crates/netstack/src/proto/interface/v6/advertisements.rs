//! What a router advertisement says (RFC 4861 §6.3.4, RFC 4862 §5.5.3, RFC 4191, RFC 8106).

use core::net::Ipv6Addr;
use core::time::Duration;

use super::V6;
use super::addresses::{after_seconds, is_link_local};
use super::routers::{Network, Says};
use crate::proto::Instant;
use crate::proto::interface::{Event, Interface};
use crate::proto::ip::v6::name_servers::{DOMAINS, SERVERS};
use crate::proto::ip::v6::told::Told;
use crate::proto::ip::v6::{Cidr, MINIMUM_MTU};
use crate::proto::link::nd;

/// A lower hop limit is not taken from routers, as it need not be (RFC 4861 §6.3.4 says SHOULD): anybody on the link
/// could cut us off from what is beyond it, and no path is that long.
const LEAST_HOP_LIMIT: u8 = 32;

/// A shorter prefix is not taken to be on the link: no link has more than a site is given, and anybody could have all
/// that is beyond it asked for here.
const LEAST_ON_LINK: u8 = 32;

/// A router's preference of two bits (RFC 4191 §2.1): that which is reserved counts as medium.
fn preference(flags: u8) -> i8 {
    match flags >> 3 & 0b11 {
        0b01 => 1,
        0b11 => -1,
        _ => 0,
    }
}

impl Interface {
    /// A router shows itself: `message` has been validated (RFC 4861 §6.1.2).
    pub(super) fn handle_router(
        &mut self,
        now: Instant,
        router: Ipv6Addr,
        message: nd::Message,
        options: &[u8],
    ) {
        let mtu = self.egress.device_mtu;
        let Some(v6) = self
            .egress
            .v6
            .as_deref_mut()
            .filter(|it| it.settings.accept_ra)
        else {
            return;
        };
        let nd::Message::RouterAdvertisement {
            hop_limit,
            flags,
            lifetime,
            reachable,
            retransmit,
        } = message
        else {
            return;
        };
        // §6.3.7, RFC 7559 §2: one that leads nowhere does not end the search.
        if lifetime > 0 {
            v6.routers.solicit_at = Instant::FAR_FUTURE;
        }
        if hop_limit >= LEAST_HOP_LIMIT {
            v6.routers.hop_limit = hop_limit;
        }
        v6.set_timing(reachable, retransmit);
        let mut told = Told::new(now, router, v6.neighbours.is_confirmed(router));
        let default = (preference(flags), lifetime);
        v6.routers.speaks(now, &mut told, &mut v6.neighbours);
        v6.routers
            .set_default(now, told, default, &mut v6.neighbours);
        #[cfg(feature = "dhcp")]
        if let Some(follow) = v6.settings.dhcpv6 {
            follow(self, now, flags);
        }
        let mut link_mtu = None;
        for (kind, body) in nd::options(options) {
            match kind {
                option::PREFIX => self.handle_prefix(now, told, body),
                option::MTU => {
                    link_mtu = body.get(2..6).and_then(|it| it.first_chunk::<4>());
                }
                option::ROUTE => self.handle_route(now, told, body),
                SERVERS | DOMAINS => self.handle_name_servers(now, router, (kind, body)),
                _ => {}
            }
        }
        if let Some(link_mtu) = link_mtu {
            let link_mtu = u32::from_be_bytes(*link_mtu) as usize;
            if (MINIMUM_MTU..=mtu).contains(&link_mtu) {
                self.egress.mtu_v6 = link_mtu;
                self.tell_mtu();
            }
        }
        self.renew_temporary(now);
        self.miss_routers(now);
        self.changed();
    }

    /// A prefix of the link, and of its hosts' addresses (RFC 4861 §6.3.4).
    fn handle_prefix(&mut self, now: Instant, told: Told, body: &[u8]) {
        let Some([len, flags, rest @ ..]) = body.first_chunk::<30>() else {
            return;
        };
        let (Some(valid), Some(preferred), Some(prefix)) = (
            rest.get(..4).and_then(|it| it.first_chunk::<4>()),
            rest.get(4..8).and_then(|it| it.first_chunk::<4>()),
            rest.get(12..28).and_then(|it| it.first_chunk::<16>()),
        ) else {
            return;
        };
        let (valid, preferred) = (u32::from_be_bytes(*valid), u32::from_be_bytes(*preferred));
        let Ok(prefix) = Cidr::new(Ipv6Addr::from(*prefix), *len) else {
            return;
        };
        if is_link_local(prefix.address()) || prefix.address().is_multicast() {
            return;
        }
        let on_link = flags & 0x80 != 0 && *len >= LEAST_ON_LINK;
        let autonomous = flags & 0x40 != 0;
        // With neither it still says which addresses its router lets pass (RFC 8028 §2).
        if let Some(v6) = self.egress.v6.as_deref_mut() {
            let network = Network {
                prefix: prefix.network(),
                says: Says::Prefix { on_link },
                told,
                until: after_seconds(now, valid),
            };
            v6.routers.set_network(now, network, &v6.neighbours);
        }
        if autonomous {
            self.configure(now, told, prefix, (preferred, valid));
        }
    }

    /// Servers or domains of names (RFC 8106).
    fn handle_name_servers(&mut self, now: Instant, router: Ipv6Addr, option: (u8, &[u8])) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        let is_there = |router| v6.neighbours.is_confirmed(router);
        let servers = &mut v6.routers.name_servers;
        if servers.advertised(now, router, option, is_there) {
            self.push_event(Event::NameServers);
        }
    }

    /// A prefix that a router leads to (RFC 4191 §2.3).
    fn handle_route(&mut self, now: Instant, told: Told, body: &[u8]) {
        let [len, flags, l0, l1, l2, l3, prefix @ ..] = body else {
            return;
        };
        // Its length follows that of the prefix.
        if prefix.len() < usize::from(len.div_ceil(64)) * 8 || flags >> 3 & 0b11 == 0b10 {
            return;
        }
        let mut octets = [0; 16];
        let known = prefix.len().min(16);
        octets[..known].copy_from_slice(&prefix[..known]);
        let lifetime = u32::from_be_bytes([*l0, *l1, *l2, *l3]);
        let Ok(prefix) = Cidr::new(Ipv6Addr::from(octets), *len) else {
            return;
        };
        if let Some(v6) = self.egress.v6.as_deref_mut() {
            if *len == 0 {
                // It stands for the default router, and goes before what the header says.
                let lifetime = u16::try_from(lifetime).unwrap_or(u16::MAX);
                let default = (preference(*flags), lifetime);
                v6.routers
                    .set_default(now, told, default, &mut v6.neighbours);
                return;
            }
            let network = Network {
                prefix: prefix.network(),
                says: Says::Route(preference(*flags)),
                told,
                until: after_seconds(now, lifetime),
            };
            v6.routers.set_network(now, network, &v6.neighbours);
        }
    }
}

/// Options of router advertisements.
mod option {
    pub(super) const PREFIX: u8 = 3;
    pub(super) const MTU: u8 = 5;
    pub(super) const ROUTE: u8 = 24;
}

impl V6 {
    /// Times that a router names, in milliseconds; zero leaves them as they are.
    fn set_timing(&mut self, reachable: u32, retransmit: u32) {
        // RFC 4861 §6.2.1: no more than an hour.
        if (1..=3_600_000).contains(&reachable) {
            // Between half and three halves of it (§6.3.2).
            let spread = self.random.next_u64() % (u64::from(reachable) + 1);
            let millis = u64::from(reachable) / 2 + spread;
            self.routers.timing.reachable = Duration::from_millis(millis.max(1));
        }
        if retransmit != 0 {
            // Anybody on the link may say so: neither all the time nor hardly ever.
            let millis = u64::from(retransmit).clamp(100, 10_000);
            self.routers.timing.retransmit = Duration::from_millis(millis);
        }
        self.neighbours.set_timing(self.routers.timing);
    }
}
