//! Claiming an address and defending it (RFC 5227 §2).

use core::net::Ipv4Addr;
use core::time::Duration;

use super::Packet;
use crate::proto::Instant;
use crate::proto::link::ethernet::MacAddr;

// RFC 5227 §1.1.
const PROBE_WAIT: Duration = Duration::from_secs(1);
const PROBE_NUM: u32 = 3;
const PROBE_MIN: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(2);
const ANNOUNCE_WAIT: Duration = Duration::from_secs(2);
const ANNOUNCE_NUM: u32 = 2;
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(2);
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimEvent {
    /// Nobody objected to the probes: the address may be used from now on.
    Granted,
    /// Another station has the address (or probes for it while we do): it must not be used.
    Refused(MacAddr),
    /// Another station uses our address too; we defend it (RFC 5227 §2.4(b) and (c)).
    Conflict(MacAddr),
    /// It does so although we have just taken the address or defended it: who can have another
    /// address gives this one up (§2.4(b)), who cannot keeps it (§2.4(c)).
    Lost(MacAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Probing { sent: u32, next: Instant },
    Announcing { sent: u32, next: Instant },
    Held,
    Refused,
}

/// One address of ours, from the first probe on.
#[derive(Debug)]
pub struct Claim {
    address: Ipv4Addr,
    mac: MacAddr,
    state: State,
    last_defence: Option<Instant>,
    /// A question whether another has the address, which [`Claim::poll`] is to send.
    ask: bool,
    /// A defence that [`Claim::poll`] is to send.
    defend: bool,
}

impl Claim {
    /// Claims `address` by probing first, as RFC 5227 §2.1.1 asks; `random` spreads the first
    /// probe over a second.
    #[must_use]
    pub fn probe(now: Instant, mac: MacAddr, address: Ipv4Addr, random: u32) -> Self {
        let next = now + fraction(PROBE_WAIT, random);
        Self::with_state(mac, address, State::Probing { sent: 0, next })
    }

    /// Takes `address` at once and announces it (RFC 5227 §2.3): what a server with a static
    /// address does, which cannot wait six seconds for its first packet. A probe before that is not
    /// waited for, but has another who has the address answer, and so a conflict known.
    #[must_use]
    pub fn announce(now: Instant, mac: MacAddr, address: Ipv4Addr) -> Self {
        let announcing = State::Announcing { sent: 0, next: now };
        Self {
            ask: true,
            ..Self::with_state(mac, address, announcing)
        }
    }

    fn with_state(mac: MacAddr, address: Ipv4Addr, state: State) -> Self {
        Self {
            address,
            mac,
            state,
            last_defence: None,
            ask: false,
            defend: false,
        }
    }

    /// The address claimed.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Whether the address may be used.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        matches!(self.state, State::Announcing { .. } | State::Held)
    }

    /// Looks at an ARP packet for a conflict (RFC 5227 §2.1.1 and §2.4).
    pub fn handle(&mut self, now: Instant, packet: &Packet) -> Option<ClaimEvent> {
        if packet.sender_mac == self.mac {
            return None;
        }
        let uses = packet.sender == self.address;
        match self.state {
            State::Probing { .. } => {
                let probes = packet.sender.is_unspecified() && packet.target == self.address;
                if !uses && !probes {
                    return None;
                }
                self.state = State::Refused;
                Some(ClaimEvent::Refused(packet.sender_mac))
            }
            State::Announcing { .. } | State::Held if uses => {
                let defended = self
                    .last_defence
                    .is_some_and(|at| now < at + DEFEND_INTERVAL);
                if !defended {
                    self.last_defence = Some(now);
                    self.defend = true;
                }
                // What was not probed for may have been theirs before it was ours.
                let new = matches!(self.state, State::Announcing { .. });
                Some(if defended || new {
                    ClaimEvent::Lost(packet.sender_mac)
                } else {
                    ClaimEvent::Conflict(packet.sender_mac)
                })
            }
            _ => None,
        }
    }

    /// The next packet to broadcast, and what changed; call until it returns `None`. `random`
    /// spreads the probes.
    pub fn poll(&mut self, now: Instant, random: u32) -> Option<(Packet, Option<ClaimEvent>)> {
        if core::mem::take(&mut self.ask) {
            return Some((Packet::probe(self.mac, self.address), None));
        }
        if core::mem::take(&mut self.defend) {
            return Some((Packet::announcement(self.mac, self.address), None));
        }
        match self.state {
            State::Probing { sent, next } if now >= next && sent < PROBE_NUM => {
                let sent = sent + 1;
                let wait = match sent {
                    PROBE_NUM => ANNOUNCE_WAIT,
                    _ => PROBE_MIN + fraction(PROBE_MAX - PROBE_MIN, random),
                };
                self.state = State::Probing {
                    sent,
                    next: now + wait,
                };
                Some((Packet::probe(self.mac, self.address), None))
            }
            State::Probing { next, .. } if now >= next => {
                Some((self.announce_next(now, 0), Some(ClaimEvent::Granted)))
            }
            State::Announcing { sent, next } if now >= next => {
                Some((self.announce_next(now, sent), None))
            }
            _ => None,
        }
    }

    fn announce_next(&mut self, now: Instant, sent: u32) -> Packet {
        let sent = sent + 1;
        self.state = match sent {
            ANNOUNCE_NUM => State::Held,
            _ => State::Announcing {
                sent,
                next: now + ANNOUNCE_INTERVAL,
            },
        };
        Packet::announcement(self.mac, self.address)
    }

    /// When [`Claim::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self, now: Instant) -> Option<Instant> {
        match self.state {
            _ if self.defend => Some(now),
            State::Probing { next, .. } | State::Announcing { next, .. } => Some(next),
            State::Held | State::Refused => None,
        }
    }
}

/// `random / 2^32` of `whole`.
fn fraction(whole: Duration, random: u32) -> Duration {
    let nanoseconds = whole.as_nanos() as u64;
    Duration::from_nanos((nanoseconds >> 16) * u64::from(random >> 16))
}
