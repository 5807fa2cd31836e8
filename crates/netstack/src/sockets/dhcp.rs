//! The DHCP client's calls.

use std::io;
use std::net::Ipv4Addr;
use std::task::Poll;
use std::time::Duration;

use crate::driver::delay::within;
use crate::driver::waiting::Waiting;
use crate::driver::{Driver, Queue};
use crate::proto::{self, Instant, dhcp::Lease};
use crate::sockets::stack::Stack;

impl Stack {
    /// Asks the link's DHCP servers for an address, takes it with its router, and waits at most
    /// `timeout` for it. The lease is extended in the background for as long as the stack runs.
    ///
    /// There is one search: called again, while it goes on or later, this waits for the same, and
    /// returns at once the lease that is held.
    ///
    /// # Errors
    ///
    /// `TimedOut` (the search goes on all the same), or what broke the device.
    pub async fn dhcp(&self, timeout: Duration) -> io::Result<Lease> {
        self.search(timeout, proto::Interface::start_dhcp).await
    }

    /// As [`Stack::dhcp`], but asks first whether `address`, which the machine had before it was started
    /// again, is still ours (RFC 2131 §3.2): two messages are enough then.
    ///
    /// # Errors
    ///
    /// As [`Stack::dhcp`].
    pub async fn dhcp_again(&self, address: Ipv4Addr, timeout: Duration) -> io::Result<Lease> {
        let resume = |proto: &mut proto::Interface, now| proto.resume_dhcp(now, address);
        self.search(timeout, resume).await
    }

    /// Waits for the lease of the search that goes on, or of one that `start` begins.
    async fn search(
        &self,
        timeout: Duration,
        start: impl FnOnce(&mut proto::Interface, Instant),
    ) -> io::Result<Lease> {
        self.driver.with(|driver| {
            driver.check()?;
            let now = driver.now();
            if !driver.proto.runs_dhcp() {
                start(&mut driver.proto, now);
                driver.after_call();
            }
            io::Result::Ok(())
        })?;
        let bound = |driver: &mut Driver| {
            driver.check()?;
            match driver.proto.lease() {
                Some(lease) => Poll::Ready(Ok(lease.clone())),
                None => Poll::Pending,
            }
        };
        let bound = Waiting::new(&self.driver, Queue::Lease, bound);
        within(&self.driver, timeout, bound).await
    }

    /// The DHCP lease that is held now.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        self.driver.with(|driver| driver.proto.lease().cloned())
    }

    /// Gives the lease back to its server, withdraws its address and routes, and asks for no other
    /// (RFC 2131 §4.4.6). Connections from that address end with `AddrNotAvailable`.
    pub fn dhcp_release(&self) {
        self.driver.with(|driver| {
            let now = driver.now();
            let (proto, out) = driver.parts();
            proto.stop_dhcp(now, out);
            driver.after_call();
        });
    }
}
