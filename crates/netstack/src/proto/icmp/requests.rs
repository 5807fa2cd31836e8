//! Echo requests that wait for their replies: no other reply is taken.

use core::net::IpAddr;
use std::collections::VecDeque;

use crate::proto::ip::is_host;

/// Requests that are remembered; one more makes the oldest be forgotten.
const CAPACITY: usize = 1024;

/// A request that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) destination: IpAddr,
    pub(crate) identifier: u16,
    pub(crate) sequence: u16,
    /// Octets of its data.
    pub(crate) octets: u16,
}

/// The requests without a reply, the oldest in front.
#[derive(Debug, Default)]
pub(crate) struct Requests(VecDeque<Request>);

impl Requests {
    /// Remembers a request.
    pub(crate) fn add(&mut self, request: Request) {
        if self.0.len() >= CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(request);
    }

    /// Whether `reply`, whose destination is the one that it came from, answers a request; that one
    /// is then forgotten. To what was sent to many anybody may reply, and the first one does.
    pub(crate) fn take(&mut self, reply: &Request) -> bool {
        let answered = self.0.iter().position(|request| {
            let from = match is_host(request.destination) {
                true => request.destination,
                false => reply.destination,
            };
            *reply
                == Request {
                    destination: from,
                    ..*request
                }
        });
        answered.is_some_and(|at| self.0.remove(at).is_some())
    }

    /// Octets of memory held.
    pub(crate) fn held(&self) -> usize {
        self.0.capacity() * size_of::<Request>()
    }
}
