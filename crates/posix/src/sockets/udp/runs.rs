//! Many datagrams in one call.

use core::iter;
use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr};

use libc::{EINVAL, EMSGSIZE};
use netstack::Stack;
use netstack::proto::ip::{v4, v6};
use netstack::proto::udp::HEADER_LEN;

use super::Udp;
use crate::descriptors::open::total;
use crate::error::{Result, fail};
use crate::sockets::Received;

/// Datagrams that one call makes, at most: Linux' `UDP_MAX_SEGMENTS`.
const MOST: usize = 128;
/// Datagrams that one call receives, at most: Linux' `UDP_GRO_CNT_MAX`.
const MOST_JOINED: usize = 64;

/// The datagrams of a payload, of which there is one at least: of `segment` octets each, and the last of what is left.
pub(super) fn datagrams(payload: &[u8], segment: usize) -> impl Iterator<Item = &[u8]> {
    let (first, rest) = payload.split_at(segment.min(payload.len()));
    iter::once(first).chain(rest.chunks(segment.max(1)))
}

impl Udp {
    /// Looks whether datagrams of `segment` octets each can be made of a payload.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if one would not fit the link, `EINVAL` if they are too many.
    pub(super) fn check_run(&self, to: SocketAddr, payload: usize, segment: usize) -> Result<()> {
        let headers = HEADER_LEN
            + match to.ip() {
                IpAddr::V4(_) => v4::HEADER_LEN,
                IpAddr::V6(_) => v6::HEADER_LEN,
            };
        let mtu = match self.network.is_ours(to.ip()) {
            true => None,
            false => self.network.stack().map(Stack::mtu),
        };
        if mtu.is_some_and(|mtu| headers + segment.min(payload) > mtu) {
            return fail(EMSGSIZE);
        }
        match payload > segment * MOST {
            true => fail(EINVAL),
            false => Ok(()),
        }
    }

    /// Receives a datagram and those that wait behind it, as far as they have room, go from and to where it does, and are as
    /// long: the last may be shorter.
    pub(super) fn receive_run(&self, mut rest: &mut [IoSliceMut<'_>]) -> Result<Received> {
        let next = self.next();
        let mut received = self.receive_one(rest, false)?;
        let segment = received.octets;
        let Some((ends, _)) = next.filter(|(_, octets)| *octets == segment && segment > 0) else {
            return Ok(received);
        };
        let mut room = total(rest) - segment;
        let mut last = segment;
        for _ in 1..MOST_JOINED {
            IoSliceMut::advance_slices(&mut rest, last);
            let fits = |octets| octets > 0 && octets <= segment.min(room);
            let next = self.next();
            if last < segment || !next.is_some_and(|it| it.0 == ends && fits(it.1)) {
                break;
            }
            last = self.receive_one(rest, false)?.octets;
            room -= last;
            received.octets += last;
            received.segment = Some(segment);
        }
        received.whole = received.octets;
        Ok(received)
    }
}
