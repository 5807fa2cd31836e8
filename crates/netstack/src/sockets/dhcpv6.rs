//! The calls of the DHCPv6 client.

use std::io;
use std::net::IpAddr;
use std::task::Poll;
use std::time::Duration;

use crate::driver::delay::within;
use crate::driver::waiting::Waiting;
use crate::driver::{Driver, Queue};
use crate::proto::dhcpv6::{Information, Lease};
use crate::proto::{Instant, Interface};
use crate::sockets::error::invalid;
use crate::sockets::stack::Stack;

type Runs = fn(&Interface) -> bool;
type Start = fn(&mut Interface, Instant) -> bool;

impl Stack {
    /// Asks the link's DHCPv6 servers for an address, takes it when the link has been asked whether it is free, and
    /// waits at most `timeout` for that. The lease is extended in the background for as long as the stack runs.
    ///
    /// Routers, and what is on the link, are not for these servers to say but for router advertisements.
    ///
    /// # Errors
    ///
    /// `TimedOut` (the search goes on all the same), `InvalidInput` where IPv6 is not spoken, or what broke the device.
    pub async fn dhcpv6(&self, timeout: Duration) -> io::Result<Lease> {
        let search = (
            Interface::runs_dhcpv6_stateful as _,
            Interface::start_dhcpv6 as _,
        );
        self.search_v6(timeout, search, |proto| {
            let lease = proto.lease_v6()?;
            let held = |address: IpAddr| proto.addresses().iter().any(|it| it.address() == address);
            let in_use = lease.addresses.iter().any(|it| held(it.address.into()));
            in_use.then(|| lease.clone())
        })
        .await
    }

    /// Asks the link's DHCPv6 servers for name servers, time servers and domains alone, and waits at most `timeout` for
    /// them. They are asked again in the background when they want to be.
    ///
    /// # Errors
    ///
    /// As [`Stack::dhcpv6`].
    pub async fn dhcpv6_information(&self, timeout: Duration) -> io::Result<Information> {
        let search = (
            Interface::runs_dhcpv6 as _,
            Interface::start_dhcpv6_stateless as _,
        );
        self.search_v6(timeout, search, |proto| proto.information_v6().cloned())
            .await
    }

    /// Waits for what the client has found that runs, as the first says, or that the second starts.
    async fn search_v6<T>(
        &self,
        timeout: Duration,
        (runs, start): (Runs, Start),
        found: impl Fn(&Interface) -> Option<T> + Unpin,
    ) -> io::Result<T> {
        self.driver.with(|driver| {
            driver.check()?;
            let now = driver.now();
            if !runs(&driver.proto) && !start(&mut driver.proto, now) {
                return Err(invalid(
                    "DHCPv6: expected a stack that speaks IPv6".to_owned(),
                ));
            }
            driver.after_call();
            Ok(())
        })?;
        let bound = |driver: &mut Driver| {
            driver.check()?;
            match found(&driver.proto) {
                Some(found) => Poll::Ready(Ok(found)),
                None => Poll::Pending,
            }
        };
        let bound = Waiting::new(&self.driver, Queue::Lease, bound);
        within(&self.driver, timeout, bound).await
    }

    /// The lease of DHCPv6 that is held now.
    #[must_use]
    pub fn lease_v6(&self) -> Option<Lease> {
        self.driver.with(|driver| driver.proto.lease_v6().cloned())
    }

    /// Gives the addresses of DHCPv6 back, and asks for no others (RFC 8415 §18.2.7). Connections from them end with
    /// `AddrNotAvailable`.
    pub fn dhcpv6_release(&self) {
        self.driver.with(|driver| {
            let now = driver.now();
            driver.proto.stop_dhcpv6(now);
            driver.after_call();
        });
    }
}
