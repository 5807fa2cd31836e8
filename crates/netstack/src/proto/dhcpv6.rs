//! The DHCPv6 client (RFC 8415) as a state machine: messages in, messages out, a deadline. With state it asks for
//! addresses, without for information alone; which of them routers want is in their advertisements (RFC 4861 §4.2).
//!
//! All messages go from a link-local address, port [`CLIENT_PORT`], to [`SERVERS`], port [`SERVER_PORT`].
//!
//! However servers answer, no more is sent than a message at once and, from then on, one for each wait of at least a
//! second that grows up to about a minute, unless a server grants what was asked for.

mod exchange;
mod farewell;
mod lease;
mod message;
mod wire;

use core::net::Ipv6Addr;
use core::time::Duration;

use super::Instant;
use super::link::ethernet::MacAddr;
use super::random::Random;
use super::searches::Failures;
use exchange::{Exchange, delay};
use farewell::Farewell;
use message::{Answer, Kind, Request, status};

pub use lease::{Address, Information, Lease};

/// UDP port of servers and relays.
pub const SERVER_PORT: u16 = 547;
/// UDP port of clients.
pub const CLIENT_PORT: u16 = 546;
/// The servers and relays of the link: All_DHCP_Relay_Agents_and_Servers (RFC 8415 §7.1).
pub const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

// RFC 8415 §7.6.
const SOL_MAX_RT: Duration = Duration::from_secs(3600);
const INF_MAX_RT: Duration = Duration::from_secs(3600);
const CNF_MAX_RD: Duration = Duration::from_secs(10);
/// In seconds (RFC 8415 §21.23).
const IRT_DEFAULT: u32 = 86_400;
const IRT_MINIMUM: u32 = 600;

/// The preference of a server that is taken without waiting for others (RFC 8415 §18.2.1).
const TAKEN_AT_ONCE: u8 = 255;

/// What [`Client::poll`] and [`Client::handle`] tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Addresses were granted, extended, or are fewer by one that has ended.
    Bound(Lease),
    /// The addresses, of which the last is told here, must not be used any more.
    Lost(Lease),
    /// A server has answered a client without state.
    Informed(Information),
}

#[derive(Clone, Debug)]
enum State {
    /// Solicit, or ask for information, at this time.
    Idle {
        at: Instant,
    },
    Soliciting {
        best: Option<Answer>,
    },
    /// Of this server these addresses.
    Requesting {
        server: Vec<u8>,
        addresses: Vec<Ipv6Addr>,
    },
    Confirming,
    Bound,
    Renewing,
    Rebinding,
    Informing,
    /// Until it is asked again.
    Informed {
        until: Instant,
    },
    /// Released.
    Ended,
}

/// A client for one interface.
#[derive(Debug)]
pub struct Client {
    client: message::Client,
    /// Whether it asks for addresses.
    stateful: bool,
    state: State,
    /// That of the state.
    exchange: Exchange,
    lease: Option<Lease>,
    /// When the present lease was granted first.
    granted: Instant,
    failures: Failures,
    farewell: Option<Farewell>,
    sol_max_rt: Duration,
    inf_max_rt: Duration,
    random: Random,
}

impl Client {
    /// A client that asks for an address, within a second (RFC 8415 §18.2.1). `seed` varies its transaction
    /// identifiers and waits.
    #[must_use]
    pub fn new(now: Instant, mac: MacAddr, seed: [u8; 16]) -> Self {
        Self::with(now, mac, seed, true)
    }

    /// A client that asks for information alone, again and again as the server wants it (RFC 8415 §18.2.6).
    #[must_use]
    pub fn stateless(now: Instant, mac: MacAddr, seed: [u8; 16]) -> Self {
        Self::with(now, mac, seed, false)
    }

    fn with(now: Instant, mac: MacAddr, seed: [u8; 16], stateful: bool) -> Self {
        let mut random = Random::new(seed);
        let at = now + delay(&mut random);
        Self {
            client: message::Client::new(mac),
            stateful,
            state: State::Idle { at },
            exchange: Exchange::new(now, Kind::Solicit, SOL_MAX_RT, &mut random),
            lease: None,
            granted: now,
            failures: Failures::default(),
            farewell: None,
            sol_max_rt: SOL_MAX_RT,
            inf_max_rt: INF_MAX_RT,
            random,
        }
    }

    /// The lease that is held now.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// Whether it asks for addresses, and not for information alone.
    pub(crate) fn is_stateful(&self) -> bool {
        self.stateful
    }

    /// Octets of memory held beside its own.
    pub(crate) fn octets(&self) -> usize {
        let state = match &self.state {
            State::Soliciting { best } => best.as_ref().map_or(0, Answer::octets),
            State::Requesting { server, addresses } => {
                server.capacity() + addresses.capacity() * size_of::<Ipv6Addr>()
            }
            _ => 0,
        };
        let farewell = self.farewell.as_ref().map_or(0, Farewell::octets);
        self.lease.as_ref().map_or(0, Lease::octets) + state + farewell
    }

    /// When [`Client::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self) -> Instant {
        let farewell = self.farewell.as_ref();
        let farewell = farewell.map_or(Instant::FAR_FUTURE, Farewell::at);
        let expires = self
            .lease
            .as_ref()
            .map_or(Instant::FAR_FUTURE, Lease::expires);
        self.state_at().min(farewell).min(expires)
    }

    fn state_at(&self) -> Instant {
        let next = self.exchange.next;
        let (renew, rebind) = match &self.lease {
            Some(lease) => (lease.renew, lease.rebind),
            None => (Instant::FAR_FUTURE, Instant::FAR_FUTURE),
        };
        match &self.state {
            State::Idle { at } | State::Informed { until: at } => *at,
            State::Bound => renew,
            State::Renewing => next.min(rebind),
            State::Confirming => next.min(self.exchange.began + CNF_MAX_RD),
            State::Soliciting { .. }
            | State::Requesting { .. }
            | State::Rebinding
            | State::Informing => next,
            State::Ended => Instant::FAR_FUTURE,
        }
    }

    /// Does what is due: a message to send, or what has become of the lease. Call until neither is returned; that is
    /// after a dozen calls at most.
    pub fn poll(&mut self, now: Instant) -> (Option<Vec<u8>>, Option<Event>) {
        if let Some(event) = self.expire(now) {
            return (None, Some(event));
        }
        let lease = self.lease.as_ref();
        // An address that is granted again is not given back any more.
        let again = |address: Ipv6Addr| lease.is_some_and(|it| it.held().contains(&address));
        self.farewell
            .take_if(|farewell| farewell.is_over(now) || farewell.is_about(again));
        if let Some(farewell) = &mut self.farewell
            && farewell.at() <= now
        {
            let message = farewell.send(now, &self.client, &mut self.random);
            return (Some(message), None);
        }
        if now < self.state_at() {
            return (None, None);
        }
        let message = match &mut self.state {
            State::Idle { .. } if self.stateful => {
                self.state = State::Soliciting { best: None };
                self.begin(now, Kind::Solicit)
            }
            State::Idle { .. } | State::Informed { .. } => {
                self.state = State::Informing;
                self.begin(now, Kind::InformationRequest)
            }
            // RFC 8415 §18.2.1: the time for others to answer is over.
            State::Soliciting { best } if best.is_some() => {
                if let Some(best) = best.take() {
                    self.request_offered(now, &best);
                }
                self.send(now)
            }
            State::Requesting { .. } if self.exchange.is_spent() => {
                return (None, self.lose(now));
            }
            State::Confirming if now >= self.exchange.began + CNF_MAX_RD => {
                // RFC 8415 §18.2.3: nobody says that it is over. It may be time to extend it.
                self.state = State::Bound;
                return self.poll(now);
            }
            State::Bound => {
                self.state = State::Renewing;
                self.begin(now, Kind::Renew)
            }
            State::Renewing if self.lease.as_ref().is_some_and(|lease| now >= lease.rebind) => {
                self.state = State::Rebinding;
                self.begin(now, Kind::Rebind)
            }
            _ => self.send(now),
        };
        (Some(message), None)
    }

    /// Gives up the addresses whose time is over.
    fn expire(&mut self, now: Instant) -> Option<Event> {
        let lease = self.lease.as_mut().filter(|lease| lease.expires() <= now)?;
        let ends = |held: &Address| held.valid_until <= now;
        if lease.addresses.iter().all(ends) {
            return self.lose(now);
        }
        lease.addresses.retain(|held| !ends(held));
        Some(Event::Bound(lease.clone()))
    }

    /// The first message of an exchange.
    fn begin(&mut self, now: Instant, kind: Kind) -> Vec<u8> {
        let longest = match kind {
            Kind::InformationRequest => self.inf_max_rt,
            _ => self.sol_max_rt,
        };
        self.exchange = Exchange::new(now, kind, longest, &mut self.random);
        self.send(now)
    }

    /// The message of the present exchange, once more.
    fn send(&mut self, now: Instant) -> Vec<u8> {
        let (server, addresses) = match (&self.state, &self.lease) {
            (State::Requesting { server, addresses }, _) => (Some(&server[..]), addresses.clone()),
            (State::Renewing, Some(lease)) => (Some(&lease.server[..]), lease.held()),
            (State::Confirming | State::Rebinding, Some(lease)) => (None, lease.held()),
            _ => (None, Vec::new()),
        };
        let request = Request {
            kind: self.exchange.kind,
            xid: self.exchange.xid,
            elapsed: self.exchange.elapsed(now),
            server,
            addresses: &addresses,
        };
        let message = request.encode(&self.client);
        self.exchange.send(now, &mut self.random);
        message
    }

    /// Asks the server that has answered so for what it has offered, by the next [`Client::poll`].
    fn request_offered(&mut self, now: Instant, answer: &Answer) {
        let offered = answer.association.iter().flat_map(|it| &it.addresses);
        let offered = offered.map(|offered| offered.address).collect();
        self.request(now, answer, offered);
    }

    /// Asks the server that has answered so for `addresses`, by the next [`Client::poll`].
    fn request(&mut self, now: Instant, answer: &Answer, addresses: Vec<Ipv6Addr>) {
        let server = answer.server.clone();
        self.state = State::Requesting { server, addresses };
        self.exchange = Exchange::new(now, Kind::Request, Duration::ZERO, &mut self.random);
    }

    /// Begins anew, without the lease if there was one.
    fn lose(&mut self, now: Instant) -> Option<Event> {
        self.search_again(now).map(Event::Lost)
    }

    /// Begins anew after a refusal or the end of a lease: at once if a lease was held for long, else the later the
    /// more often that has been of no use. Gives what was left of the lease.
    fn search_again(&mut self, now: Instant) -> Option<Lease> {
        let lease = self.lease.take();
        let held = lease.as_ref().map(|_| now - self.granted);
        let at = now + self.failures.wait(held);
        self.state = State::Idle { at };
        lease
    }

    /// Takes the payload of a datagram that came to [`CLIENT_PORT`]. What is not an answer to us is passed over.
    pub fn handle(&mut self, now: Instant, message: &[u8]) -> Option<Event> {
        let answer = Answer::decode(message, &self.client)?;
        let ends = |farewell: &mut Farewell| farewell.is_answered(&answer);
        if self.farewell.take_if(ends).is_some() {
            return None;
        }
        if answer.xid != self.exchange.xid {
            return None;
        }
        match (&mut self.state, answer.kind) {
            (State::Soliciting { .. }, Kind::Advertise) => {
                self.advertised(now, answer);
                None
            }
            (State::Soliciting { .. }, Kind::Reply) if answer.rapid_commit => {
                self.replied(now, &answer)
            }
            (State::Requesting { server, .. }, Kind::Reply) if *server == answer.server => {
                self.replied(now, &answer)
            }
            // RENEWING is between us and one server; REBINDING asks all.
            (State::Renewing, Kind::Reply)
                if self
                    .lease
                    .as_ref()
                    .is_some_and(|lease| lease.server == answer.server) =>
            {
                self.replied(now, &answer)
            }
            (State::Rebinding, Kind::Reply) => self.replied(now, &answer),
            (State::Confirming, Kind::Reply) => self.confirmed(now, &answer),
            (State::Informing, Kind::Reply) => {
                self.inf_max_rt = answer.inf_max_rt.unwrap_or(self.inf_max_rt);
                let refresh = answer.refresh.unwrap_or(IRT_DEFAULT).max(IRT_MINIMUM);
                // RFC 8415 §21.23: without an end it is not asked again.
                let until = match refresh {
                    u32::MAX => Instant::FAR_FUTURE,
                    seconds => now + Duration::from_secs(seconds.into()) + delay(&mut self.random),
                };
                self.state = State::Informed { until };
                Some(Event::Informed(answer.information))
            }
            _ => None,
        }
    }

    /// Keeps the best offer (RFC 8415 §18.2.9).
    fn advertised(&mut self, now: Instant, answer: Answer) {
        // Also of one that offers nothing.
        self.sol_max_rt = answer.sol_max_rt.unwrap_or(self.sol_max_rt);
        self.exchange.longest = self.sol_max_rt;
        if answer.status != status::SUCCESS || answer.offers() == 0 {
            return;
        }
        let State::Soliciting { best } = &mut self.state else {
            return;
        };
        let worth = |answer: &Answer| (answer.preference, answer.offers());
        let better = best
            .as_ref()
            .is_none_or(|best| worth(&answer) > worth(best));
        // When it was asked more than once, whoever answers first is taken.
        if answer.preference == TAKEN_AT_ONCE || self.exchange.sent > 1 {
            self.request_offered(now, &answer);
        } else if better {
            *best = Some(answer);
        }
    }

    /// Takes what was granted, or refused (RFC 8415 §18.2.10.1).
    fn replied(&mut self, now: Instant, answer: &Answer) -> Option<Event> {
        self.sol_max_rt = answer.sol_max_rt.unwrap_or(self.sol_max_rt);
        // It is asked again as if it had not answered.
        if answer.status == status::UNSPEC_FAIL {
            return None;
        }
        let extending = matches!(self.state, State::Renewing | State::Rebinding);
        let association = answer.association.as_ref();
        // What it says of the whole goes before what it says of the association.
        let status = match answer.status {
            status::SUCCESS => association.map_or(status::SUCCESS, |it| it.status),
            status => status,
        };
        match status {
            status::SUCCESS => {}
            // The server does not know of it any more: asked for, it may grant the same.
            status::NO_BINDING if extending => {
                let held = self.lease.as_ref()?.held();
                self.request(now, answer, held);
                return None;
            }
            // Others may still extend it.
            _ if extending => return None,
            _ => return self.lose(now),
        }
        let association = association.filter(|it| !it.addresses.is_empty())?;
        // What is asked for anew is all that there is; an extension leaves as it was what it does not speak of.
        let before = self.lease.as_ref().filter(|_| extending);
        let source = (&answer.server[..], answer.information.clone());
        let Some(lease) = Lease::new(now, association, before, source) else {
            // All of it was taken back, or too short to be of use.
            return self.lose(now);
        };
        if self.lease.is_none() {
            self.granted = now;
        }
        self.state = State::Bound;
        self.lease = Some(lease.clone());
        Some(Event::Bound(lease))
    }

    fn confirmed(&mut self, now: Instant, answer: &Answer) -> Option<Event> {
        match answer.status {
            status::SUCCESS => {
                self.state = State::Bound;
                None
            }
            status::NOT_ON_LINK => self.lose(now),
            _ => None,
        }
    }

    /// The link was away and is back, perhaps as another: asks whether the addresses are still those of this link
    /// (RFC 8415 §18.2.3), or, without state, for the information of this one.
    pub fn link_is_back(&mut self, now: Instant) {
        match &self.state {
            State::Bound | State::Renewing | State::Rebinding => {
                self.state = State::Confirming;
                self.exchange = Exchange::new(now, Kind::Confirm, Duration::ZERO, &mut self.random);
                // CNF_MAX_DELAY.
                self.exchange.began = now + delay(&mut self.random);
                self.exchange.next = self.exchange.began;
            }
            State::Informed { .. } => {
                let until = now + delay(&mut self.random);
                self.state = State::Informed { until };
            }
            _ => {}
        }
    }

    /// Another station has `address`: tells the server so (RFC 8415 §18.2.8), and looks for another if it was the
    /// last. `None` if it was none of ours, else what is left, and was before.
    pub fn decline(&mut self, now: Instant, address: Ipv6Addr) -> Option<Event> {
        let lease = self.lease.as_mut()?;
        let before = lease.clone();
        lease.addresses.retain(|held| held.address != address);
        if lease.addresses.len() == before.addresses.len() {
            return None;
        }
        let event = match lease.addresses.is_empty() {
            false => Event::Bound(lease.clone()),
            true => Event::Lost(before.clone()),
        };
        if matches!(event, Event::Lost(_)) {
            self.search_again(now);
        }
        self.part(now, Kind::Decline, before.server, vec![address]);
        Some(event)
    }

    /// Gives the lease back (RFC 8415 §18.2.7). The client stays silent after the farewell, which is sent up to four
    /// times until the server answers; the addresses must not be used any more.
    pub fn release(&mut self, now: Instant) -> Option<Lease> {
        self.state = State::Ended;
        let lease = self.lease.take()?;
        self.part(now, Kind::Release, lease.server.clone(), lease.held());
        Some(lease)
    }

    /// Goes on to say of the addresses of `before`, whose place it takes, that they are given back.
    pub(crate) fn go_on(&mut self, before: Self) {
        self.farewell = self.farewell.take().or(before.farewell);
    }

    fn part(&mut self, now: Instant, kind: Kind, server: Vec<u8>, addresses: Vec<Ipv6Addr>) {
        let exchange = Exchange::new(now, kind, Duration::ZERO, &mut self.random);
        self.farewell = Some(Farewell::new(exchange, server, addresses));
    }
}

#[cfg(test)]
mod tests;
