//! Echo requests.

use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::driver::DriverRef;
use crate::proto::Instant;
use crate::sockets::error::send_error;

/// An echo request that was sent.
pub(super) struct Ping<'a> {
    driver: &'a DriverRef,
    number: u32,
    sent: Instant,
}

impl<'a> Ping<'a> {
    pub(super) fn send(driver: &'a DriverRef, host: IpAddr) -> io::Result<Self> {
        let (number, sent) = driver.with(|driver| {
            driver.check()?;
            let now = driver.now();
            io::Result::Ok((driver.open_ping(host), now))
        })?;
        // From here on the number is given back, whatever happens.
        let ping = Self {
            driver,
            number,
            sent,
        };
        let (identifier, sequence) = ((number >> 16) as u16, number as u16);
        driver.with(|driver| {
            let (proto, out) = driver.parts();
            let result =
                proto.send_echo_request(sent, host, identifier, sequence, b"netstack", out);
            driver.after_call();
            result.map_err(send_error)
        })?;
        Ok(ping)
    }

    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<io::Result<Duration>> {
        self.driver.with(|driver| {
            driver.check()?;
            let reply = driver.poll_ping(self.number, context.waker());
            reply.map(|came| Ok(came - self.sent))
        })
    }
}

impl Drop for Ping<'_> {
    fn drop(&mut self) {
        self.driver.with(|driver| driver.close_ping(self.number));
    }
}
