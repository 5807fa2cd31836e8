//! What is known of path MTUs (RFC 1191).

use core::net::IpAddr;
use core::time::Duration;
use std::collections::HashMap;

use super::v6;
use crate::proto::Instant;

/// A smaller estimate for IPv4 is not believed: what a host must accept whole (RFC 791), below which
/// only an attacker asks us to go (RFC 1191 §3 demands no less than 68).
pub const MINIMUM: usize = 576;
/// How long an estimate holds before a larger one is tried (RFC 1191 §6.3).
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Destinations remembered; the one whose estimate ends first goes.
const CAPACITY: usize = 256;
/// RFC 1191 §7.1, for routers that do not tell the MTU of the next hop.
const PLATEAUS: [usize; 8] = [17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296];

/// Path MTU estimates by destination.
#[derive(Debug, Default)]
pub struct PathMtu {
    paths: HashMap<IpAddr, (usize, Instant)>,
}

impl PathMtu {
    /// The MTU of the path to `destination`, in octets with the IP header, on a link of
    /// `link_mtu`.
    #[inline]
    pub fn get(&mut self, now: Instant, destination: IpAddr, link_mtu: usize) -> usize {
        if self.paths.is_empty() {
            return link_mtu;
        }
        match self.paths.get(&destination) {
            Some(&(mtu, until)) if now < until => mtu.min(link_mtu),
            Some(_) => {
                self.paths.remove(&destination);
                link_mtu
            }
            None => link_mtu,
        }
    }

    /// Acts upon Fragmentation Needed about a datagram of `total_len` octets to `destination`:
    /// `next_hop_mtu` is what the router says, 0 if it says nothing.
    ///
    /// Returns the new estimate if it is lower than `current` (RFC 1191 §3: an estimate is never
    /// raised by such a message).
    pub fn handle(
        &mut self,
        now: Instant,
        destination: IpAddr,
        next_hop_mtu: u16,
        total_len: usize,
        current: usize,
    ) -> Option<usize> {
        let told = match usize::from(next_hop_mtu) {
            0 => PLATEAUS.into_iter().find(|plateau| *plateau < total_len)?,
            mtu => mtu,
        };
        self.lower(now, destination, told, current)
    }

    /// Takes an estimate from elsewhere, such as a black hole that only smaller segments pass.
    ///
    /// Returns the new estimate if it is lower than `current`.
    pub fn lower(
        &mut self,
        now: Instant,
        destination: IpAddr,
        mtu: usize,
        current: usize,
    ) -> Option<usize> {
        let least = match destination {
            IpAddr::V4(_) => MINIMUM,
            // RFC 8201 §4.
            IpAddr::V6(_) => v6::MINIMUM_MTU,
        };
        let mtu = mtu.max(least);
        if mtu >= current {
            return None;
        }
        if self.paths.len() >= CAPACITY && !self.paths.contains_key(&destination) {
            let first = self.paths.iter().min_by_key(|(_, (_, until))| *until);
            if let Some((&first, _)) = first {
                self.paths.remove(&first);
            }
        }
        self.paths.insert(destination, (mtu, now + LIFETIME));
        Some(mtu)
    }
}

#[cfg(test)]
mod tests;
