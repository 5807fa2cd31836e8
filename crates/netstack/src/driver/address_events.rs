//! What happens to the addresses of a stack, for whoever wants to hear of it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::task::Poll;

use super::{Driver, Queue};
#[cfg(feature = "dhcp")]
use crate::proto::dhcp::Lease;
#[cfg(feature = "dhcp")]
use crate::proto::dhcpv6;
use crate::proto::link::ethernet::MacAddr;

/// Events that are kept for who is slow; older ones are dropped.
const KEPT: usize = 32;

/// Something has happened to an address of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressEvent {
    /// The DHCP client got a lease, or another one. The stack uses its address and routes already.
    #[cfg(feature = "dhcp")]
    Leased(Lease),
    /// The lease has ended or was withdrawn, and its address and routes with it; the client looks for
    /// another.
    #[cfg(feature = "dhcp")]
    LeaseLost,
    /// The DHCPv6 client got a lease, or another one; its addresses are being asked for.
    #[cfg(feature = "dhcp")]
    LeasedV6(dhcpv6::Lease),
    /// The lease of DHCPv6 has ended or was given back, and its addresses with it.
    #[cfg(feature = "dhcp")]
    LeaseV6Lost,
    /// What routers, or a server of DHCPv6 without state, tell of name servers and domains has changed:
    /// [`Stack::name_servers`](crate::Stack::name_servers).
    NameServers,
    /// An address that was probed for is free; one of IPv6 is in use from now on.
    Granted(IpAddr),
    /// An address that was probed for belongs to another station; one of IPv6 that we had made is given up, and one that
    /// we were given is probed for again later.
    Refused {
        /// What was probed for.
        address: IpAddr,
        /// Who has it.
        owner: MacAddr,
    },
    /// Another station uses an address of ours. One of IPv4 was defended (RFC 5227 §2.4).
    Conflict {
        /// Our address.
        address: IpAddr,
        /// Who uses it too.
        other: MacAddr,
    },
}

/// The last events, in order.
#[derive(Debug, Default)]
pub(super) struct Log {
    events: VecDeque<AddressEvent>,
    /// Events that were dropped: the number of the first one kept.
    dropped: u64,
}

impl Log {
    /// The number of the next event.
    fn end(&self) -> u64 {
        self.dropped + self.events.len() as u64
    }

    fn push(&mut self, event: AddressEvent) {
        if self.events.len() == KEPT {
            self.events.pop_front();
            self.dropped += 1;
        }
        self.events.push_back(event);
    }

    /// The event of the number `next`, or the oldest that is kept; `next` moves behind it.
    fn read(&self, next: &mut u64) -> Option<AddressEvent> {
        let number = (*next).max(self.dropped);
        let event = self.events.get((number - self.dropped) as usize)?;
        *next = number + 1;
        Some(event.clone())
    }
}

impl Driver {
    pub(super) fn tell(&mut self, event: AddressEvent) {
        self.address_events.push(event);
        self.waits.wake(Queue::Address);
    }

    /// The number of the next address event.
    pub(crate) fn next_address_event(&self) -> u64 {
        self.address_events.end()
    }

    /// The address event of the number `next`, which moves on.
    pub(crate) fn poll_address_event(&self, next: &mut u64) -> Poll<AddressEvent> {
        match self.address_events.read(next) {
            Some(event) => Poll::Ready(event),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressEvent, KEPT, Log};

    #[test]
    fn who_is_slow_gets_the_last_events_in_order() {
        let mut log = Log::default();
        let mut next = log.end();
        assert_eq!(log.read(&mut next), None);
        let event = |n: usize| AddressEvent::Granted([10, 0, 0, n as u8].into());
        (0..KEPT + 3).for_each(|n| log.push(event(n)));
        for n in 3..KEPT + 3 {
            assert_eq!(log.read(&mut next), Some(event(n)));
        }
        assert_eq!(log.read(&mut next), None);
        let mut late = log.end();
        log.push(event(99));
        assert_eq!(log.read(&mut late), Some(event(99)));
        assert_eq!(log.read(&mut next), Some(event(99)));
    }
}
