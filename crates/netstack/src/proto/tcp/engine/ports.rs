//! Ephemeral ports (RFC 6056).

use core::net::IpAddr;

use super::Tcp;
use crate::proto::ip::Endpoint;
use crate::proto::tcp::api::Error;
use crate::proto::tcp::wire::segment::FourTuple;
use crate::proto::tcp::wire::seq::Seq;
use crate::proto::{Instant, ports};

impl Tcp {
    /// Chooses a port for a connection from `local` to `remote`: the double-hash algorithm's simple
    /// form (RFC 6056 §3.3.3) with a random step (§3.3.5), so that ports to one peer do not follow
    /// one another. Returns also a number that the initial sequence number must exceed when the
    /// addresses were in TIME-WAIT.
    pub(super) fn choose_port(
        &mut self,
        now: Instant,
        local: IpAddr,
        remote: Endpoint,
    ) -> Result<(FourTuple, Option<Seq>), Error> {
        let offset = self.shared.secrets.port_offset(local, remote);
        self.port_counter = self
            .port_counter
            .wrapping_add(1 + (self.shared.secrets.random() % 7) as u32);
        let time_wait = self.shared.config.time_wait;
        let start = offset.wrapping_add(self.port_counter);
        let mut reusable = None;
        for port in ports::from(start, self.shared.config.ephemeral_ports) {
            let tuple = FourTuple {
                local: Endpoint::new(local, port),
                remote,
            };
            if self.connections.contains(&tuple) || self.listeners.has(tuple.local) {
                continue;
            }
            let hash = self.connections.hash_of(&tuple);
            match self.time_waits.reusable(now, (&tuple, hash), time_wait) {
                Ok(None) => return Ok((tuple, None)),
                // Better a port that was not used for a while.
                Ok(above) => reusable = reusable.or(Some((tuple, above))),
                Err(()) => {}
            }
        }
        reusable.ok_or(Error::NoPort(remote.into()))
    }

    /// Chooses a port for a listener.
    pub(super) fn choose_listening_port(&mut self, local: IpAddr) -> Result<Endpoint, Error> {
        let start = self.shared.secrets.random() as u32;
        ports::from(start, self.shared.config.ephemeral_ports)
            .map(|port| Endpoint::new(local, port))
            .find(|candidate| !self.listeners.has(*candidate))
            .ok_or(Error::AddrInUse(Endpoint::new(local, 0).into()))
    }
}
