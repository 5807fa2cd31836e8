//! Connections to a peer of which there are several addresses.

use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::TcpStream;
use crate::driver::delay::Delay;
use crate::proto::Instant;
use crate::proto::happy_eyeballs::{Attempts, Step};
use crate::proto::ip::Family;
use crate::sockets::resolver::{Lookups, Resolver, worse};
use crate::sockets::stack::Stack;

impl TcpStream {
    /// Connects to `host`, a name that `resolver` finds or an address written out, by the address that answers first
    /// (happy eyeballs, RFC 8305): addresses are tried as they are found, one after the other each 250 ms or as soon
    /// as one has failed, IPv6 and IPv4 in turn.
    ///
    /// # Errors
    ///
    /// Those of [`Resolver::lookup`] if no address was found, else of the last [`TcpStream::connect`].
    pub async fn connect_host(resolver: &Resolver, host: &str, port: u16) -> io::Result<Self> {
        let found = resolver.lookup_in_domains(host).await.transpose()?;
        let host = found.as_ref().map_or(host, |(full, _)| full);
        let lookups = Lookups::new(resolver, host);
        let attempts = Attempts::new(&lookups.awaited());
        let mut race = Race::new(resolver.stack(), port, attempts);
        race.lookups = Some(lookups);
        poll_fn(|context| race.poll(context)).await
    }

    /// As [`TcpStream::connect_host`], to one of `addresses`, the one to be tried first in front.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none, else those of the last [`TcpStream::connect`].
    pub async fn connect_any(stack: &Stack, addresses: &[IpAddr], port: u16) -> io::Result<Self> {
        let mut attempts = Attempts::new(&[]);
        attempts.answered(Instant::default(), Family::V4, addresses, |_| {});
        let mut race = Race::new(stack, port, attempts);
        poll_fn(|context| race.poll(context)).await
    }
}

type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + 'a>>;

/// What is under way to connect to one peer. Dropped, it gives up all of it.
struct Race<'a> {
    stack: &'a Stack,
    port: u16,
    attempts: Attempts,
    lookups: Option<Lookups<'a>>,
    connecting: Vec<Connecting<'a>>,
    /// The time that is waited for.
    delay: Option<(Instant, Delay)>,
    /// Why no address was found, and why the last attempt failed.
    unresolved: Option<io::Error>,
    failure: Option<io::Error>,
}

impl<'a> Race<'a> {
    fn new(stack: &'a Stack, port: u16, attempts: Attempts) -> Self {
        Self {
            stack,
            port,
            attempts,
            lookups: None,
            connecting: Vec::new(),
            delay: None,
            unresolved: None,
            failure: None,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        loop {
            let now = self.stack.driver.with(|driver| driver.now());
            self.poll_lookups(now, context);
            if let Some(stream) = self.poll_connecting(now, context) {
                return Poll::Ready(Ok(stream));
            }
            match self.attempts.poll(now) {
                Step::Connect(address) => {
                    let peer = (address, self.port);
                    self.connecting
                        .push(Box::pin(TcpStream::connect(self.stack, peer)));
                }
                Step::Failed => {
                    let error = self.failure.take().or(self.unresolved.take());
                    let none = || io::ErrorKind::NotFound.into();
                    return Poll::Ready(Err(error.unwrap_or_else(none)));
                }
                Step::Wait(until) => {
                    if self.wait(now, until, context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    fn poll_lookups(&mut self, now: Instant, context: &mut Context<'_>) {
        let Some(lookups) = &mut self.lookups else {
            return;
        };
        while let Some((family, answer)) = lookups.poll(context) {
            let addresses = answer.unwrap_or_else(|error| {
                self.unresolved = Some(worse(self.unresolved.take(), error));
                Vec::new()
            });
            let sort = |addresses: &mut [IpAddr]| self.stack.sort_destinations(addresses);
            self.attempts.answered(now, family, &addresses, sort);
        }
    }

    /// The first connection that is there.
    fn poll_connecting(&mut self, now: Instant, context: &mut Context<'_>) -> Option<TcpStream> {
        let mut index = 0;
        while let Some(connecting) = self.connecting.get_mut(index) {
            match connecting.as_mut().poll(context) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(stream)) => return Some(stream),
                Poll::Ready(Err(error)) => {
                    drop(self.connecting.remove(index));
                    self.attempts.failed(now);
                    self.failure = Some(error);
                }
            }
        }
        None
    }

    /// Ready when the time has come; pending also if there is none to wait for.
    fn wait(
        &mut self,
        now: Instant,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(until) = until else {
            self.delay = None;
            return Poll::Pending;
        };
        let delay = match &mut self.delay {
            Some((at, delay)) if *at == until => delay,
            other => {
                let delay = Delay::new(&self.stack.driver, until - now);
                &mut other.insert((until, delay)).1
            }
        };
        Pin::new(delay).poll(context)
    }
}
