//! Neighbour discovery, as it arrives (RFC 4861 §6 to §8).

use core::net::Ipv6Addr;

use super::addresses::is_link_local;
use super::egress::{Hop, UNROUTED};
use crate::proto::Instant;
use crate::proto::interface::egress::Link;
use crate::proto::interface::{Event, Interface, Transmit};
use crate::proto::ip::v6::{ALL_NODES, Header, solicited_node};
use crate::proto::link::ethernet::MacAddr;
use crate::proto::link::nd::{self, Advertised, Message};

impl Interface {
    /// Takes a message, whose checksum has been checked. `fragmented` says that it came with a fragment
    /// header (RFC 6980 §5).
    pub(super) fn handle_discovery(
        &mut self,
        now: Instant,
        header: &Header,
        bytes: &[u8],
        fragmented: bool,
        out: &mut dyn Transmit,
    ) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        v6.nd.in_msgs += 1;
        let message = Message::parse(bytes).filter(|(_, options)| {
            header.hop_limit == UNROUTED && !fragmented && nd::are_options(options)
        });
        let Some((message, options)) = message else {
            v6.nd.in_errors += 1;
            return;
        };
        let ours = v6.is_local(header.source);
        self.egress.forget();
        match message {
            // §6.2.6: a host has no answer.
            Message::RouterSolicitation => {}
            Message::RouterAdvertisement { .. } => {
                // Ours is the address of no router: it is spoofed, or has come back.
                if header.source.is_unicast_link_local() && !ours {
                    self.hear(now, header.source, nd::source_station(options), out);
                    self.handle_router(now, header.source, message, options);
                }
            }
            Message::Solicitation { target } => {
                self.handle_solicitation(now, header, target, options, out);
            }
            Message::Advertisement {
                target,
                router,
                solicited,
                replaces,
            } => {
                let said = Advertised {
                    station: nd::target_station(options),
                    router,
                    solicited,
                    replaces,
                };
                self.handle_advertisement(now, header, target, said, out);
            }
            Message::Redirect {
                target,
                destination,
            } => {
                self.handle_redirect(now, header.source, target, destination, options, out);
            }
        }
        self.settle_waiting();
    }

    /// Learns the station of an address that has shown itself, and sends what waited for it.
    fn hear(
        &mut self,
        now: Instant,
        address: Ipv6Addr,
        station: Option<MacAddr>,
        out: &mut dyn Transmit,
    ) {
        if let (Some(v6), Some(station)) = (self.egress.v6.as_deref_mut(), station) {
            for frame in v6.neighbours.heard(now, address, station) {
                out.transmit(&frame);
            }
        }
    }

    /// Somebody asks for `target` (§7.2.3, RFC 4862 §5.4.3).
    fn handle_solicitation(
        &mut self,
        now: Instant,
        header: &Header,
        target: Ipv6Addr,
        options: &[u8],
        out: &mut dyn Transmit,
    ) {
        let mac = self.egress.mac;
        let station = nd::source_station(options);
        let probe = header.source.is_unspecified();
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        if target.is_multicast()
            || (probe && (station.is_some() || header.destination != solicited_node(target)))
        {
            v6.nd.in_errors += 1;
            return;
        }
        if let Some(ours) = v6.tentative(now, target) {
            // RFC 7527 §4.2: what is our own has come back.
            if probe && nd::nonce(options) != Some(&ours) {
                self.is_duplicate(now, target, MacAddr::default());
            }
            return;
        }
        if !v6.is_local(target) || target.is_loopback() || v6.is_local(header.source) {
            return;
        }
        let answer = nd::advertisement(target, mac, !probe);
        let to = match probe {
            true => ALL_NODES,
            false => header.source,
        };
        if !probe {
            self.hear(now, header.source, station, out);
        }
        // Straight to who asked: an answer makes no neighbour of it that is spoken to.
        let link = station.map(Link::Station);
        self.egress
            .send_unrouted(now, (target, to), answer, link, out);
    }

    /// Somebody says who has `target` (§7.2.5, RFC 4862 §5.4.4).
    fn handle_advertisement(
        &mut self,
        now: Instant,
        header: &Header,
        target: Ipv6Addr,
        said: Advertised,
        out: &mut dyn Transmit,
    ) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        if target.is_multicast() || (said.solicited && header.destination.is_multicast()) {
            v6.nd.in_errors += 1;
            return;
        }
        let station = said.station.unwrap_or_default();
        if v6.tentative(now, target).is_some() {
            self.is_duplicate(now, target, station);
            return;
        }
        if v6.is_local(target) {
            if station != self.egress.mac {
                v6.nd.conflicts += 1;
                self.push_event(Event::AddressConflict(target.into(), station));
            }
            return;
        }
        let (frames, resigned) = v6.neighbours.advertised(now, target, said);
        if v6.neighbours.is_confirmed(target) {
            v6.routers.is_there(target);
        }
        if resigned {
            v6.resigned(target);
        }
        for frame in frames {
            out.transmit(&frame);
        }
        if resigned {
            self.miss_routers(now);
        }
    }

    /// A router knows a better first hop (§8.1, §8.3).
    fn handle_redirect(
        &mut self,
        now: Instant,
        router: Ipv6Addr,
        target: Ipv6Addr,
        destination: Ipv6Addr,
        options: &[u8],
        out: &mut dyn Transmit,
    ) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        let direct = target == destination;
        let valid = router.is_unicast_link_local()
            && !destination.is_multicast()
            && !v6.is_local(destination)
            && !is_link_local(destination)
            && (direct || target.is_unicast_link_local())
            && !v6.is_local(target)
            && v6.hop(now, destination) == Some(Hop::Station(router));
        if !valid {
            v6.nd.in_errors += 1;
            return;
        }
        v6.nd.redirects += 1;
        v6.routers.redirect(destination, target);
        self.hear(now, target, nd::target_station(options), out);
    }
}
