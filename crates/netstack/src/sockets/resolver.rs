//! The DNS resolver: questions over UDP, over TCP when an answer does not fit, or over TLS alone.

mod channel;
mod lookups;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

use crate::driver::Driver;
use crate::driver::delay::{Delay, within};
use crate::proto::dns::{self, Answer, Cached};
use crate::proto::ip::Family;
use crate::proto::ip::selection::{self, DEFAULT_POLICY};
use crate::sockets::error::{invalid, timed_out};
use crate::sockets::stack::Stack;
use crate::sockets::stream::TcpStream;
use crate::sockets::udp::UdpSocket;
use channel::{Channel, Secure};
pub(crate) use lookups::Lookups;

/// Rounds through all servers, with [`PATIENCE`] for each question, doubled each round.
const ROUNDS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(1);
/// The same where a connection and its handshake come first.
const TLS_PATIENCE: Duration = Duration::from_secs(4);
/// Datagrams that are taken of a server for one question. Who is sent more that do not answer it is being
/// deceived, and asks over TCP instead (RFC 5452 §9.3).
const DATAGRAMS: usize = 16;
/// Names asked for in one look-up, when answers name others.
const MAX_ALIASES: usize = 8;

/// Finds the addresses of names. Its clones are the same resolver.
///
/// It believes what the servers say: it does not validate by DNSSEC.
///
/// ```no_run
/// # async fn example(stack: netstack::Stack) -> std::io::Result<()> {
/// let resolver = netstack::Resolver::new(&stack, [[10, 0, 0, 1].into()]);
/// for address in resolver.lookup("example.org").await? {
///     println!("{address}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Resolver(Rc<Inner>);

struct Inner {
    stack: Stack,
    servers: RefCell<Vec<IpAddr>>,
    /// In these names of one label are looked for.
    domains: RefCell<Vec<String>>,
    /// Its cache.
    names: Cell<usize>,
    /// How often it has had other servers.
    generation: Cell<usize>,
    /// Makes TLS of connections, if all questions are to go over that.
    secure: Option<Secure>,
    /// The last connection over TLS, for the next question to the same server (RFC 7858 §3.4).
    kept: RefCell<Option<(IpAddr, Channel)>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("servers", &self.servers)
            .field("over_tls", &self.secure.is_some())
            .finish_non_exhaustive()
    }
}

impl Resolver {
    /// A resolver that asks `servers`, the first one first.
    pub fn new(stack: &Stack, servers: impl IntoIterator<Item = IpAddr>) -> Self {
        Self::with(stack, servers, None)
    }

    /// A resolver that asks over TLS, and never in the clear (RFC 7858, with RFC 8310's strict profile), its questions
    /// padded to a multiple of 128 octets (RFC 8467): `secure` is
    /// given each connection to a server's port 853, and the server's address, and makes TLS of it; what the server
    /// must be to be trusted it knows.
    pub fn over_tls<F, S>(
        stack: &Stack,
        servers: impl IntoIterator<Item = IpAddr>,
        secure: impl Fn(TcpStream, IpAddr) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = io::Result<S>> + 'static,
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        Self::with(stack, servers, Some(channel::secure(secure)))
    }

    fn with(
        stack: &Stack,
        servers: impl IntoIterator<Item = IpAddr>,
        secure: Option<Secure>,
    ) -> Self {
        Self(Rc::new(Inner {
            stack: stack.clone(),
            servers: RefCell::new(servers.into_iter().collect()),
            domains: RefCell::default(),
            names: Cell::new(stack.driver.with(Driver::open_names)),
            generation: Cell::new(0),
            secure,
            kept: RefCell::new(None),
        }))
    }

    /// The servers that are asked.
    pub fn servers(&self) -> Vec<IpAddr> {
        self.0.servers.borrow().clone()
    }

    /// Asks these from now on, and forgets what others have answered.
    pub fn set_servers(&self, servers: impl IntoIterator<Item = IpAddr>) {
        let inner = &*self.0;
        inner.servers.replace(servers.into_iter().collect());
        inner.kept.take();
        inner.generation.update(|it| it.wrapping_add(1));
        inner.stack.driver.with(|driver| {
            let former = inner.names.replace(driver.open_names());
            driver.close_names(former);
        });
    }

    /// Looks for names of one label in these domains from now on, one after the other, before it asks for them as they
    /// are: those that the network has told of, [`Stack::domains`]. Others, and names that end in a dot, are asked for as
    /// they are, always. None unless said so.
    pub fn set_domains(&self, domains: impl IntoIterator<Item = String>) {
        self.0.domains.replace(domains.into_iter().collect());
    }

    /// The domains that names of one label are looked for in.
    pub fn domains(&self) -> Vec<String> {
        self.0.domains.borrow().clone()
    }

    /// The name to ask for in place of `name`, if there is one, and what is found by it: in the first domain that has
    /// it, or may have.
    pub(crate) async fn lookup_in_domains(
        &self,
        name: &str,
    ) -> Option<io::Result<(String, Vec<IpAddr>)>> {
        use io::ErrorKind::{InvalidInput, NotFound};
        let is_label = !name.contains(['.', ':']) && !is_localhost(name);
        for domain in self.domains().iter().filter(|_| is_label) {
            let full = format!("{name}.{domain}");
            match self.lookup_full(&full).await {
                // Behind a domain that is long it may be no name.
                Err(error) if matches!(error.kind(), NotFound | InvalidInput) => {}
                found => return Some(found.map(|addresses| (full, addresses))),
            }
        }
        None
    }

    /// The addresses of `name`, which may be an address written out, in the order in which they are to be tried (RFC
    /// 6724 §6). What the stack has no address of its own to speak to is not asked for.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such name or it has no such address, `TimedOut` if no server
    /// answered or there is none, `InvalidInput` if `name` is none, `Other` if the servers answered with failures,
    /// `OutOfMemory` if there is none left for an answer.
    pub async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match self.lookup_in_domains(name).await {
            Some(found) => found.map(|(_, addresses)| addresses),
            None => self.lookup_full(name).await,
        }
    }

    async fn lookup_full(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let mut lookups = Lookups::new(self, name);
        let (mut found, mut failure) = (Vec::new(), None);
        let mut patience = None;
        poll_fn(|context| {
            while let Some((_, answer)) = lookups.poll(context) {
                match answer {
                    Ok(addresses) => found.extend(addresses),
                    Err(error) => failure = Some(worse(failure.take(), error)),
                }
            }
            if lookups.is_empty() {
                return Poll::Ready(());
            }
            if found.is_empty() {
                return Poll::Pending;
            }
            // There are servers that never answer a question for AAAA.
            let delay = || Delay::new(&self.0.stack.driver, PATIENCE);
            Pin::new(patience.get_or_insert_with(delay)).poll(context)
        })
        .await;
        match failure {
            Some(error) if found.is_empty() => Err(error),
            _ => {
                self.sort(&mut found);
                Ok(found)
            }
        }
    }

    /// The addresses of `name`, as it is, that are of `family`, in the order in which the server gave them.
    ///
    /// # Errors
    ///
    /// As [`Resolver::lookup`].
    pub async fn lookup_family(&self, name: &str, family: Family) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = name.parse() {
            let addresses = Some(address).filter(|address| Family::of(*address) == family);
            return found(name, family, addresses.map_or(Cached::None, written));
        }
        if is_localhost(name) {
            return Ok(vec![match family {
                Family::V4 => Ipv4Addr::LOCALHOST.into(),
                Family::V6 => Ipv6Addr::LOCALHOST.into(),
            }]);
        }
        let mut current = name.to_owned();
        for _ in 0..MAX_ALIASES {
            let Inner { stack, names, .. } = &*self.0;
            let driver = &stack.driver;
            let cached = driver.with(|driver| driver.recall(names.get(), (&current, family)));
            if let Some(cached) = cached {
                return found(name, family, cached);
            }
            let asked = self.0.generation.get();
            let (cached, ttl) = match self.ask_all(&current, family).await? {
                Answer::Addresses(addresses, ttl) => (Cached::Addresses(addresses), ttl),
                Answer::None(ttl) => (Cached::None, ttl),
                Answer::Alias(target) => {
                    current = target;
                    continue;
                }
                Answer::Truncated | Answer::Failed => break,
            };
            // Not what servers said that are asked no more.
            if self.0.generation.get() == asked {
                driver
                    .with(|driver| driver.remember(names.get(), (&current, family), &cached, ttl));
            }
            return found(name, family, cached);
        }
        Err(io::Error::other(format!(
            "{name}: the DNS servers could not answer"
        )))
    }

    pub(crate) fn stack(&self) -> &Stack {
        &self.0.stack
    }

    /// Puts first what is to be tried first.
    pub(crate) fn sort(&self, addresses: &mut [IpAddr]) {
        self.0.stack.sort_destinations(addresses);
    }

    /// Asks one server after the other until one answers.
    async fn ask_all(&self, name: &str, family: Family) -> io::Result<Answer> {
        if self.servers().is_empty() {
            let kind = io::ErrorKind::TimedOut;
            return Err(io::Error::new(kind, "there is no name server to ask"));
        }
        let patience = match self.0.secure {
            None => PATIENCE,
            Some(_) => TLS_PATIENCE,
        };
        let mut last = Err(timed_out());
        for round in 0..ROUNDS {
            let patience = patience * (1 << round);
            for server in self.servers() {
                // An identifier that cannot be guessed (RFC 5452 §9.2).
                let driver = &self.0.stack.driver;
                let id = driver.with(|driver| driver.proto.random_u16());
                let question = Question::new(id, name, family, self.0.secure.is_some())?;
                match within(driver, patience, self.ask(server, &question)).await {
                    Ok(Answer::Failed) => last = Ok(Answer::Failed),
                    Ok(answer) => return Ok(answer),
                    Err(error) => last = last.or(Err(error)),
                }
            }
            if matches!(last, Ok(Answer::Failed)) {
                break;
            }
        }
        last
    }

    async fn ask(&self, server: IpAddr, question: &Question<'_>) -> io::Result<Answer> {
        let stack = &self.0.stack;
        if let Some(secure) = &self.0.secure {
            return self.ask_over_tls(secure, server, question).await;
        }
        let unspecified: IpAddr = match server {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        // A port that cannot be guessed.
        let socket = UdpSocket::bind(stack, (unspecified, 0))?;
        socket.connect((server, dns::PORT))?;
        socket.send(&question.message)?;
        for _ in 0..DATAGRAMS {
            let datagram = socket.recv_datagram().await?;
            match question.answer(&datagram.payload) {
                Some(Answer::Truncated) => break,
                Some(answer) => return Ok(answer),
                None => {}
            }
        }
        let stream = TcpStream::connect(stack, (server, dns::PORT)).await?;
        channel::ask(stack, &mut Channel::new(stream), question).await
    }

    /// Asks over the connection of the last question, if there is one, or over a new one.
    async fn ask_over_tls(
        &self,
        secure: &Secure,
        server: IpAddr,
        question: &Question<'_>,
    ) -> io::Result<Answer> {
        let Inner { stack, kept, .. } = &*self.0;
        let last = kept.take().filter(|(peer, _)| *peer == server);
        if let Some((_, mut channel)) = last {
            // The server may have closed it meanwhile.
            if let Ok(answer) = channel::ask(stack, &mut channel, question).await {
                kept.replace(Some((server, channel)));
                return Ok(answer);
            }
        }
        let stream = TcpStream::connect(stack, (server, dns::TLS_PORT)).await?;
        let mut channel = secure(stream, server).await?;
        let answer = channel::ask(stack, &mut channel, question).await?;
        kept.replace(Some((server, channel)));
        Ok(answer)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let names = self.names.get();
        self.stack.driver.with(|driver| driver.close_names(names));
    }
}

/// A question and what tells its answer.
struct Question<'a> {
    id: u16,
    name: &'a str,
    family: Family,
    message: Vec<u8>,
}

impl<'a> Question<'a> {
    fn new(id: u16, name: &'a str, family: Family, secure: bool) -> io::Result<Self> {
        let message = match secure {
            false => dns::question(id, name, family),
            true => dns::padded_question(id, name, family),
        };
        let message = message.map_err(|error| invalid(error.to_string()))?;
        Ok(Self {
            id,
            name,
            family,
            message,
        })
    }

    fn answer(&self, message: &[u8]) -> Option<Answer> {
        dns::answer(self.id, self.name, self.family, message)
    }
}

impl Stack {
    pub(crate) fn families(&self) -> Vec<Family> {
        self.driver.with(|driver| driver.proto.families())
    }

    /// Sorts `destinations`, the one to be tried first in front (RFC 6724 §6).
    pub fn sort_destinations(&self, destinations: &mut [IpAddr]) {
        self.driver.with(|driver| {
            let now = driver.now();
            let source = |destination| driver.proto.source_for(now, destination);
            selection::sort_destinations(DEFAULT_POLICY, destinations, source);
        });
    }
}

/// Whether nobody needs to be asked: `localhost`, and all names below it (RFC 6761 §6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next();
    last.is_some_and(|label| label.eq_ignore_ascii_case("localhost"))
}

fn written(address: IpAddr) -> Cached {
    Cached::Addresses(vec![address])
}

fn found(name: &str, family: Family, cached: Cached) -> io::Result<Vec<IpAddr>> {
    match cached {
        Cached::Addresses(addresses) => Ok(addresses),
        Cached::None => {
            let family = match family {
                Family::V4 => "IPv4",
                Family::V6 => "IPv6",
            };
            let text = format!("{name}: no such name, or no {family} address");
            Err(io::Error::new(io::ErrorKind::NotFound, text))
        }
    }
}

/// Of the errors for two families, the one that leaves more open: that there is no address is known only if it is of
/// both.
pub(crate) fn worse(before: Option<io::Error>, error: io::Error) -> io::Error {
    match before {
        Some(before) if before.kind() != io::ErrorKind::NotFound => before,
        _ => error,
    }
}

#[cfg(test)]
mod tests;
