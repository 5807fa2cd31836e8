//! What is said of addresses that are given up: Decline and Release (RFC 8415 §18.2.7, §18.2.8).

use core::net::Ipv6Addr;

use super::exchange::Exchange;
use super::message::{Answer, Client, Kind, Request};
use crate::proto::Instant;
use crate::proto::random::Random;

/// A Decline or Release under way.
#[derive(Clone, Debug)]
pub(super) struct Farewell {
    exchange: Exchange,
    server: Vec<u8>,
    addresses: Vec<Ipv6Addr>,
}

impl Farewell {
    pub(super) fn new(exchange: Exchange, server: Vec<u8>, addresses: Vec<Ipv6Addr>) -> Self {
        Self {
            exchange,
            server,
            addresses,
        }
    }

    /// Octets of memory held beside its own.
    pub(super) fn octets(&self) -> usize {
        self.server.capacity() + self.addresses.capacity() * size_of::<Ipv6Addr>()
    }

    /// When there is something to do.
    pub(super) fn at(&self) -> Instant {
        self.exchange.next
    }

    /// Whether it was sent as often as it may be.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.exchange.is_spent() && now >= self.exchange.next
    }

    /// Whether it is about any such address.
    pub(super) fn is_about(&self, such: impl Fn(Ipv6Addr) -> bool) -> bool {
        self.addresses.iter().any(|it| such(*it))
    }

    /// Whether `answer` ends it, whatever it says (RFC 8415 §18.2.10.2, §18.2.10.3).
    pub(super) fn is_answered(&self, answer: &Answer) -> bool {
        (answer.kind, answer.xid) == (Kind::Reply, self.exchange.xid)
    }

    pub(super) fn send(&mut self, now: Instant, client: &Client, random: &mut Random) -> Vec<u8> {
        let request = Request {
            kind: self.exchange.kind,
            xid: self.exchange.xid,
            elapsed: self.exchange.elapsed(now),
            server: Some(&self.server),
            addresses: &self.addresses,
        };
        let message = request.encode(client);
        self.exchange.send(now, random);
        message
    }
}
