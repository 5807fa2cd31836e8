//! The way out: next hop, hardware address, headers, fragments.

mod buffer;
mod datagrams;
mod flow;
mod segments;

use bytes::{Bytes, BytesMut};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::VecDeque;

use super::Transmit;
use super::v6::{Calls, V6};
use crate::proto::Instant;
use crate::proto::counters::{Arp, Ip};
use crate::proto::ip::pmtu::PathMtu;
use crate::proto::ip::v4::Fragments;
use crate::proto::ip::{Hop, Routes, v4, v6};
use crate::proto::link::arp::{self, Cache, CacheLimits, CachePoll};
use crate::proto::link::ethernet::{self, MacAddr};
use buffer::{FRAME, FRAME_V6, PAYLOAD, PAYLOAD_V6, TRANSPORT, from_line};
use flow::Flow;

pub(super) use buffer::IP;
pub(super) use datagrams::Datagrams;

/// Packets that wait to come back by the loopback; one more is dropped.
const LOOPBACK_QUEUE: usize = 1024;
/// Octets that such a packet takes beside its own, at most.
const LOOPED: usize = 2 * size_of::<Bytes>() + 32;

/// Why a datagram was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// No route leads to its destination, or no address of ours can be its source.
    NoRoute,
    /// The address that it was to be sent from is not, or no longer, ours; or it is a loopback
    /// address and the destination is not ours.
    AddrNotAvailable(IpAddr),
    /// It does not fit the path and must not be fragmented, or exceeds 65,535 octets. The largest
    /// payload that fits, in octets.
    TooLarge(usize),
}

/// All that sending needs and receiving does not.
#[derive(Debug)]
pub(crate) struct Egress {
    pub(crate) mac: MacAddr,
    /// Octets of the largest IP packet that the device takes.
    pub(crate) device_mtu: usize,
    /// Octets of the largest IP packet that the link takes; no more than the device.
    pub(crate) link_mtu: usize,
    /// The same of IPv6, as far as a router has said so.
    pub(super) mtu_v6: usize,
    /// What is known of IPv6 when it is spoken.
    pub(super) v6: Option<Box<V6>>,
    pub(crate) routes: Routes,
    pub(crate) arp: Cache,
    pub(crate) paths: PathMtu,
    pub(crate) ip: Ip,
    pub(crate) arp_counters: Arp,
    /// IP packets that we sent to ourselves.
    pub(crate) loopback: VecDeque<Bytes>,
    /// Octets of memory that hold them, and that may.
    looped: usize,
    loopback_octets: usize,
    /// Frames to neighbours that did not answer, until their senders have been told.
    pub(crate) undeliverable: Vec<Vec<u8>>,
    /// The frame under construction, which starts at `frame`; the payload of its packet at [`TRANSPORT`].
    pub(super) buffer: BytesMut,
    pub(super) frame: usize,
    /// Whether the device cuts runs of segments over IPv4 apart, and those over IPv6.
    offload: [bool; 2],
    /// Whether it does so with runs of UDP datagrams.
    pub(super) offload_udp: bool,
    /// The headers of the last TCP segment, which the next one's nearly always equal.
    pub(super) flow: Option<Flow>,
    identification: u16,
}

/// Where a frame is to go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Link {
    Station(MacAddr),
    Unresolved(IpAddr),
    Loopback,
    /// No route: it is dropped.
    Nowhere,
}

impl Egress {
    /// The way out of a stack that may hold `budget` octets.
    pub(crate) fn new(
        mac: MacAddr,
        link_mtu: usize,
        offload: [bool; 2],
        identification: u16,
        budget: usize,
    ) -> Self {
        let mut neighbours = CacheLimits::default();
        neighbours.queued_octets = neighbours.queued_octets.min(budget / 32);
        let longest = if offload[0] {
            usize::from(u16::MAX)
        } else {
            link_mtu
        };
        Self {
            mac,
            device_mtu: link_mtu,
            link_mtu,
            mtu_v6: link_mtu,
            v6: None,
            routes: Routes::default(),
            arp: Cache::new(neighbours),
            paths: PathMtu::default(),
            ip: Ip::default(),
            arp_counters: Arp::default(),
            loopback: VecDeque::new(),
            looped: 0,
            loopback_octets: budget / 8,
            undeliverable: Vec::new(),
            buffer: from_line(FRAME + IP + longest),
            frame: FRAME,
            offload,
            offload_udp: false,
            flow: None,
            identification,
        }
    }

    /// Octets of memory that hold neighbours, what waits for them, and what we sent to ourselves.
    pub(crate) fn held(&self) -> usize {
        self.arp.held() + self.looped + self.v6.as_ref().map_or(0, |v6| v6.held())
    }

    /// The next packet that we sent to ourselves.
    pub(crate) fn next_looped(&mut self) -> Option<Bytes> {
        let packet = self.loopback.pop_front()?;
        self.looped -= packet.len() + LOOPED;
        Some(packet)
    }

    fn next_identification(&mut self) -> u16 {
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }

    /// What is to be called for IPv6, if that is spoken.
    #[inline]
    pub(super) fn calls_v6(&self) -> Option<&'static Calls> {
        self.v6.as_ref().map(|v6| v6.calls)
    }

    /// Whether `address` is one of ours (loopback included).
    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.routes.is_local(address),
            IpAddr::V6(address) => self.v6.as_ref().is_some_and(|v6| v6.is_local(address)),
        }
    }

    /// Octets of the largest IPv6 packet that the link takes.
    pub(crate) fn link_mtu_v6(&self) -> usize {
        // RFC 8200 §5: never less, whatever IPv4 is limited to.
        let least = v6::MINIMUM_MTU.min(self.device_mtu);
        self.mtu_v6.min(self.link_mtu.max(least))
    }

    /// The MTU of the path to `destination`, in octets with the IP header.
    #[inline]
    pub(crate) fn path_mtu(&mut self, now: Instant, destination: IpAddr) -> usize {
        let link_mtu = match destination {
            IpAddr::V4(_) => self.link_mtu,
            IpAddr::V6(_) => self.link_mtu_v6(),
        };
        self.paths.get(now, destination, link_mtu)
    }

    /// The address from which a datagram goes to `destination`: `wanted`, if it may be that, or,
    /// where that is unspecified, the one of ours that is nearest (RFC 1122 §3.3.4.3, RFC 6724).
    pub(crate) fn source(
        &self,
        now: Instant,
        wanted: IpAddr,
        destination: IpAddr,
    ) -> Result<IpAddr, SendError> {
        match (wanted, destination) {
            (IpAddr::V4(wanted), IpAddr::V4(destination)) => {
                Ok(self.source_v4(wanted, destination)?.into())
            }
            (IpAddr::V6(wanted), IpAddr::V6(destination)) => {
                let calls = self.calls_v6().ok_or(SendError::NoRoute)?;
                Ok((calls.source)(self, now, wanted, destination)?.into())
            }
            // :: stands for all addresses of both families.
            (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(destination)) => {
                Ok(self.source_v4(Ipv4Addr::UNSPECIFIED, destination)?.into())
            }
            _ => Err(SendError::AddrNotAvailable(wanted)),
        }
    }

    fn source_v4(&self, wanted: Ipv4Addr, destination: Ipv4Addr) -> Result<Ipv4Addr, SendError> {
        let nearest = self.routes.source_for(destination);
        let nearest = nearest.ok_or(SendError::NoRoute)?;
        match wanted {
            Ipv4Addr::UNSPECIFIED => Ok(nearest),
            _ if self.routes.may_send(wanted, destination) => Ok(wanted),
            _ => Err(SendError::AddrNotAvailable(wanted.into())),
        }
    }

    fn link(&mut self, now: Instant, destination: Ipv4Addr) -> Option<Link> {
        Some(match self.routes.hop(destination)? {
            Hop::Local => Link::Loopback,
            Hop::Broadcast => Link::Station(MacAddr::BROADCAST),
            Hop::Multicast => Link::Station(multicast_mac(destination)),
            Hop::Station(hop) => match self.arp.lookup(now, hop) {
                Some(station) => Link::Station(station),
                None => Link::Unresolved(hop.into()),
            },
        })
    }

    /// Sends one packet that fits the link. `write` fills the room for the payload, whose content
    /// is undefined before.
    ///
    /// # Panics
    ///
    /// If the packet does not fit the link.
    #[inline]
    pub(crate) fn send(
        &mut self,
        now: Instant,
        header: &v4::Header,
        write: impl FnOnce(&mut [u8]),
        out: &mut dyn Transmit,
    ) -> Result<(), SendError> {
        self.ip.out_requests += 1;
        let Some(link) = self.link(now, header.destination) else {
            self.ip.out_no_routes += 1;
            return Err(SendError::NoRoute);
        };
        self.send_on(now, link, header, write, out);
        Ok(())
    }

    fn send_on(
        &mut self,
        now: Instant,
        link: Link,
        header: &v4::Header,
        write: impl FnOnce(&mut [u8]),
        out: &mut dyn Transmit,
    ) {
        write(self.begin(link, header));
        self.finish(now, link, header.total_len, out);
    }

    /// Writes the headers of a packet and gives the room for its payload, whose content is
    /// undefined.
    #[inline]
    fn begin(&mut self, link: Link, header: &v4::Header) -> &mut [u8] {
        let frame = self.begin_frame(link, ethernet::IPV4, header.total_len);
        header.write(&mut frame[IP..]);
        &mut frame[PAYLOAD..]
    }

    /// The same for a packet of IPv6.
    pub(super) fn begin_v6(&mut self, link: Link, header: &v6::Header) -> &mut [u8] {
        let frame = self.begin_frame(link, ethernet::IPV6, header.total_len());
        header.write(&mut frame[IP..]);
        &mut frame[PAYLOAD_V6..]
    }

    /// Writes the Ethernet header of a packet of `len` octets, and gives the frame.
    #[inline]
    fn begin_frame(&mut self, link: Link, ether_type: u16, len: usize) -> &mut [u8] {
        let destination = match link {
            Link::Station(station) => station,
            Link::Unresolved(_) | Link::Loopback | Link::Nowhere => MacAddr::default(),
        };
        self.frame = match ether_type {
            ethernet::IPV6 => FRAME_V6,
            _ => FRAME,
        };
        let frame = &mut self.buffer[self.frame..][..IP + len];
        ethernet::Header {
            destination,
            source: self.mac,
            ether_type,
        }
        .write(frame);
        frame
    }

    /// Sends the packet of `total_len` octets that was begun last.
    #[inline]
    pub(super) fn finish(
        &mut self,
        now: Instant,
        link: Link,
        total_len: usize,
        out: &mut dyn Transmit,
    ) {
        match link {
            Link::Station(_) => out.transmit(&self.buffer[self.frame..][..IP + total_len]),
            Link::Nowhere => self.ip.out_no_routes += 1,
            Link::Unresolved(hop) => self.await_neighbour(now, hop, total_len, out),
            Link::Loopback => self.loop_back(total_len),
        }
    }

    /// Has the packet that was begun last wait for the address of its next hop.
    #[inline(never)]
    fn await_neighbour(
        &mut self,
        now: Instant,
        hop: IpAddr,
        total_len: usize,
        out: &mut dyn Transmit,
    ) {
        let frame = self.buffer[self.frame..][..IP + total_len].to_vec();
        let hop = match hop {
            IpAddr::V4(hop) => hop,
            IpAddr::V6(hop) => {
                if let Some(calls) = self.calls_v6() {
                    (calls.await_neighbour)(self, now, hop, frame, out);
                }
                return;
            }
        };
        let dropped = self.arp.enqueue(now, hop, frame) as u64;
        self.arp_counters.dropped += dropped;
        self.ip.out_discards += dropped;
        self.poll_arp(now, out);
    }

    /// Has the packet that was begun last come back to us.
    #[inline(never)]
    fn loop_back(&mut self, total_len: usize) {
        let octets = total_len + LOOPED;
        if self.loopback.len() >= LOOPBACK_QUEUE || self.looped + octets > self.loopback_octets {
            self.ip.out_discards += 1;
            return;
        }
        self.looped += octets;
        let packet = &self.buffer[self.frame..][IP..IP + total_len];
        self.loopback.push_back(Bytes::copy_from_slice(packet));
    }

    /// Forgets what was remembered of the way to a destination: something about it has changed.
    pub(crate) fn forget(&mut self) {
        self.flow = None;
    }

    /// Sends a datagram, in fragments if it needs to be and may.
    pub(crate) fn send_datagram(
        &mut self,
        now: Instant,
        mut header: v4::Header,
        payload: &[u8],
        out: &mut dyn Transmit,
    ) -> Result<(), SendError> {
        self.ip.out_requests += 1;
        let Some(link) = self.link(now, header.destination) else {
            self.ip.out_no_routes += 1;
            return Err(SendError::NoRoute);
        };
        let mtu = self.path_mtu(now, header.destination.into());
        if !header.dont_fragment {
            header.identification = self.next_identification();
        }
        let largest = if header.dont_fragment {
            mtu
        } else {
            usize::from(u16::MAX)
        };
        let fragments = Fragments::new(header, mtu).filter(|_| header.total_len <= largest);
        let Some(fragments) = fragments else {
            self.ip.frag_fails += 1;
            return Err(SendError::TooLarge(largest - v4::HEADER_LEN));
        };
        let cut = header.total_len > mtu;
        self.ip.frag_oks += u64::from(cut);
        for (header, range) in fragments {
            self.ip.frag_creates += u64::from(cut);
            self.send_on(
                now,
                link,
                &header,
                |room| room.copy_from_slice(&payload[range]),
                out,
            );
        }
        Ok(())
    }

    /// Sends an IPv4 packet to all stations before we have an address, from 0.0.0.0 (RFC 2131
    /// §4.1).
    #[cfg(feature = "dhcp")]
    pub(crate) fn broadcast_unconfigured(
        &mut self,
        now: Instant,
        header: &v4::Header,
        write: impl FnOnce(&mut [u8]),
        out: &mut dyn Transmit,
    ) {
        self.ip.out_requests += 1;
        self.send_on(now, Link::Station(MacAddr::BROADCAST), header, write, out);
    }

    /// Sends a packet that is complete to the stations of a multicast group.
    pub(crate) fn send_to_group(
        &self,
        destination: MacAddr,
        ether_type: u16,
        packet: &[u8],
        out: &mut dyn Transmit,
    ) {
        let mut frame = vec![0; IP];
        ethernet::Header {
            destination,
            source: self.mac,
            ether_type,
        }
        .write(&mut frame);
        frame.extend(packet);
        out.transmit(&frame);
    }

    pub(crate) fn send_arp(
        &mut self,
        packet: &arp::Packet,
        station: MacAddr,
        out: &mut dyn Transmit,
    ) {
        match packet.operation {
            arp::Operation::Request => self.arp_counters.out_requests += 1,
            arp::Operation::Reply => self.arp_counters.out_replies += 1,
        }
        let mut frame = [0; ethernet::HEADER_LEN + arp::Packet::LEN];
        ethernet::Header {
            destination: station,
            source: self.mac,
            ether_type: ethernet::ARP,
        }
        .write(&mut frame);
        frame[ethernet::HEADER_LEN..].copy_from_slice(&packet.to_bytes());
        out.transmit(&frame);
    }

    /// Sends the ARP requests that are due. Frames to neighbours that did not answer are added to
    /// `undeliverable`.
    #[inline]
    pub(crate) fn poll_arp(&mut self, now: Instant, out: &mut dyn Transmit) {
        if self.arp.poll_at().is_some_and(|at| at <= now) {
            self.go_on_with_arp(now, out);
        }
    }

    fn go_on_with_arp(&mut self, now: Instant, out: &mut dyn Transmit) {
        while let Some(action) = self.arp.poll(now) {
            self.forget();
            match action {
                CachePoll::Request { target, station } => {
                    let Some(sender) = self.routes.source_for(target) else {
                        continue;
                    };
                    let request = arp::Packet::request(self.mac, sender, target);
                    self.send_arp(&request, station, out);
                }
                CachePoll::Unreachable { frames, .. } => {
                    self.arp_counters.failed += 1;
                    self.arp_counters.dropped += frames.len() as u64;
                    self.undeliverable.extend(frames);
                }
            }
        }
    }
}

/// The group address that stands for an IPv4 multicast group (RFC 1112 §6.4).
pub(super) fn multicast_mac(group: Ipv4Addr) -> MacAddr {
    let [_, b, c, d] = group.octets();
    MacAddr([0x01, 0x00, 0x5e, b & 0x7f, c, d])
}
