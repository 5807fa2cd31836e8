//! The look-ups of one name, for all families together.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Resolver;
use crate::proto::ip::Family;

type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + 'a>>;

/// The look-ups of one name that are under way.
pub(crate) struct Lookups<'a> {
    running: Vec<(Family, Lookup<'a>)>,
}

impl<'a> Lookups<'a> {
    /// Asks for the addresses that the stack can speak to; IPv6 first (RFC 8305 §3).
    pub(crate) fn new(resolver: &'a Resolver, name: &'a str) -> Self {
        let families = match name.parse() {
            Ok(address) => vec![Family::of(address)],
            Err(_) => resolver.stack().families(),
        };
        let lookup = |family| -> (Family, Lookup<'a>) {
            (family, Box::pin(resolver.lookup_family(name, family)))
        };
        Self {
            running: families.into_iter().map(lookup).collect(),
        }
    }

    /// The families whose addresses have not come.
    pub(crate) fn awaited(&self) -> Vec<Family> {
        self.running.iter().map(|(family, _)| *family).collect()
    }

    /// Whether all have come.
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// One that has come.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Option<(Family, io::Result<Vec<IpAddr>>)> {
        for index in 0..self.running.len() {
            if let Poll::Ready(answer) = self.running[index].1.as_mut().poll(context) {
                let (family, _) = self.running.remove(index);
                return Some((family, answer));
            }
        }
        None
    }
}
