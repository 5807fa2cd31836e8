//! Runs of UDP datagrams: many in one call, and where the device takes part, in one frame.

use core::net::SocketAddr;

use super::egress::{Datagrams, IP};
use super::{Interface, Joined, SendError, Transmit};
use crate::proto::Instant;
use crate::proto::checksum::checksum;
use crate::proto::ip::{Endpoint, v4, v6};
use crate::proto::link::ethernet;
use crate::proto::udp::{HEADER_LEN, SocketId};

/// Datagrams in a run that is received, at most, as Linux has it.
const MOST: usize = 128;

impl Interface {
    /// Takes a frame to which a device has joined UDP datagrams, whose checksums it vouches for: each is taken as by
    /// [`Interface::handle_received`].
    pub fn handle_run(
        &mut self,
        now: Instant,
        frame: &[u8],
        joined: Joined,
        out: &mut dyn Transmit,
    ) {
        let Some((headers, payload, ipv6)) = split(frame, joined) else {
            self.udp_counters.in_errors += 1;
            return;
        };
        for datagram in payload.chunks(joined.segment.into()) {
            let mut frame = [headers, datagram].concat();
            let end = frame.len();
            write(&mut frame, joined.transport + 4, end - joined.transport);
            if ipv6 {
                write(&mut frame, IP + 4, end - IP - v6::HEADER_LEN);
            } else {
                write(&mut frame, IP + 2, end - IP);
                write(&mut frame, IP + 10, 0);
                let sum = checksum(&frame[IP..joined.transport]);
                write(&mut frame, IP + 10, sum.into());
            }
            self.handle_received(now, frame.into(), true, out);
        }
    }

    /// Sends datagrams of `segment` octets each from a socket, of which the last may have less: as
    /// [`Interface::udp_send`] sends one after the other, in fewer frames if the device can cut them apart
    /// ([`InterfaceConfig::offload_udp`](super::InterfaceConfig::offload_udp)).
    ///
    /// # Errors
    ///
    /// [`SendError`], of the first that was not sent.
    ///
    /// # Panics
    ///
    /// If `segment` is 0.
    pub fn udp_send_segments(
        &mut self,
        now: Instant,
        id: SocketId,
        destination: impl Into<SocketAddr>,
        payload: &[u8],
        segment: usize,
        out: &mut dyn Transmit,
    ) -> Result<(), SendError> {
        // What is written as an address of IPv6 may be one of IPv4.
        let destination = SocketAddr::from(Endpoint::from(destination.into()));
        if payload.len() <= segment {
            return self.udp_send(now, id, destination, payload, out);
        }
        let longest = self
            .egress
            .longest_datagrams(now, destination.ip(), segment);
        for run in payload.chunks(longest.max(segment)) {
            if run.len() > segment && self.send_run(now, id, destination, run, segment, out) {
                continue;
            }
            for datagram in run.chunks(segment) {
                self.udp_send(now, id, destination, datagram, out)?;
            }
        }
        Ok(())
    }

    /// Sends datagrams as one frame, if that can be; tells whether it can.
    fn send_run(
        &mut self,
        now: Instant,
        id: SocketId,
        destination: SocketAddr,
        payload: &[u8],
        segment: usize,
        out: &mut dyn Transmit,
    ) -> bool {
        let destination = Endpoint::from(destination);
        let Ok((source, hops)) = self.udp_source(now, id, destination) else {
            return false;
        };
        let datagrams = Datagrams {
            source,
            destination,
            hops,
            segment,
        };
        let sent = self.egress.send_datagrams(now, &datagrams, payload, out);
        if sent {
            self.udp_counters.out_datagrams += payload.len().div_ceil(segment) as u64;
        }
        sent
    }
}

/// The headers of a run and its payload, unless that is no run; and whether it is of IPv6.
fn split(frame: &[u8], joined: Joined) -> Option<(&[u8], &[u8], bool)> {
    let Joined { transport, segment } = joined;
    let ether_type = ethernet::Header::parse(frame)?.ether_type;
    let datagrams = frame.get(transport..)?;
    let payload = datagrams.get(HEADER_LEN..)?;
    let headers = &frame[..transport + HEADER_LEN];
    let (packet, segment) = (frame.len() - IP, usize::from(segment));
    let (ipv6, is_packet) = match ether_type {
        ethernet::IPV4 if transport >= IP + v4::HEADER_LEN => {
            let is_fragment = read(headers, IP + 6) & 0x3fff != 0;
            let is_whole = read(headers, IP + 2) == packet && !is_fragment;
            (false, is_whole && checksum(&headers[IP..transport]) == 0)
        }
        ethernet::IPV6 if transport >= IP + v6::HEADER_LEN => {
            (true, read(headers, IP + 4) == packet - v6::HEADER_LEN)
        }
        _ => return None,
    };
    let is_run = is_packet
        && read(headers, transport + 4) == datagrams.len()
        && (1..=payload.len()).contains(&segment)
        && payload.len().div_ceil(segment) <= MOST;
    is_run.then_some((headers, payload, ipv6))
}

fn read(octets: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([octets[at], octets[at + 1]]))
}

fn write(octets: &mut [u8], at: usize, value: usize) {
    octets[at..at + 2].copy_from_slice(&(value as u16).to_be_bytes());
}
