//! Addresses that others have (RFC 4862 §5.4.5).

use core::net::Ipv6Addr;
use core::time::Duration;

use super::{Origin, State};
use crate::proto::Instant;
use crate::proto::interface::{Event, Interface};
use crate::proto::ip::v6::{LINK_LOCAL, identifier};
use crate::proto::link::ethernet::MacAddr;

/// How long an address that we were given and another has is not asked for, nor a link-local one when some in turn were
/// others'; this one twice as long each time, up to five times.
const RETRY: Duration = Duration::from_secs(2 * 60);

impl Interface {
    /// Another station has an address that we ask for (RFC 4862 §5.4.5): an identifier of ours gives way
    /// to another one a few times.
    pub(in crate::proto::interface::v6) fn is_duplicate(
        &mut self,
        now: Instant,
        address: Ipv6Addr,
        station: MacAddr,
    ) {
        let Some(entry) = self.remove_entry_v6(now, address) else {
            return;
        };
        if let Some(v6) = self.egress.v6.as_deref_mut() {
            v6.nd.conflicts += 1;
        }
        if let Origin::Stable(duplicates) = entry.origin
            && duplicates < identifier::RETRIES
        {
            let prefix = entry.cidr.network().address();
            let until = (entry.preferred_until, entry.valid_until);
            let advertised = entry.told.map(|told| (told, until));
            self.add_stable_anew(now, prefix, duplicates + 1, advertised);
            return;
        }
        if let Origin::Temporary(made) = entry.origin {
            self.remake_temporary(now, entry.cidr.network(), made);
            return;
        }
        self.push_event(Event::AddressRefused(address.into(), station));
        if entry.origin == Origin::Given {
            // Who has it may be about to go, and nobody gives it to us again.
            self.add_address_v6(now, entry.cidr);
            self.put_off(RETRY);
        }
        if entry.cidr.network().address() == LINK_LOCAL && entry.is_made() {
            self.retry_link_local(now);
        }
        #[cfg(feature = "dhcp")]
        if entry.origin == Origin::Leased {
            self.dhcpv6_refused(now, address);
        }
    }

    /// Without a link-local address no IPv6 is spoken: one is asked for again, after a wait that grows each time.
    #[cold]
    fn retry_link_local(&mut self, now: Instant) {
        self.add_stable_address(now, LINK_LOCAL, None);
        if let Some(v6) = self.egress.v6.as_deref_mut() {
            let wait = RETRY * (1 << v6.link_local_refused);
            v6.link_local_refused = (v6.link_local_refused + 1).min(5);
            self.put_off(wait);
        }
    }

    /// Has the address that was added last asked for later.
    fn put_off(&mut self, wait: Duration) {
        let v6 = self.egress.v6.as_deref_mut();
        if let Some(entry) = v6.and_then(|v6| v6.addresses.last_mut())
            && let State::Tentative { next, .. } = &mut entry.state
        {
            *next += wait;
        }
    }
}
