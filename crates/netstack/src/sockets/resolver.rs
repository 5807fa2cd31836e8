//! The DNS resolver: questions over UDP, over TCP when an answer does not fit.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use crate::driver::delay::within;
use crate::driver::{Driver, Room};
use crate::proto::dns::{self, Answer, Cached};
use crate::sockets::error::{invalid, timed_out};
use crate::sockets::stack::Stack;
use crate::sockets::stream::TcpStream;
use crate::sockets::udp::UdpSocket;

/// Rounds through all servers, with [`PATIENCE`] for each question, doubled each round.
const ROUNDS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(1);
/// Datagrams that are taken of a server for one question. Who is sent more that do not answer it is being
/// deceived, and asks over TCP instead (RFC 5452 §9.3).
const DATAGRAMS: usize = 16;
/// Names asked for in one look-up, when answers name others.
const MAX_ALIASES: usize = 8;

/// Finds the IPv4 addresses of names. Its clones are the same resolver.
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

#[derive(Debug)]
struct Inner {
    stack: Stack,
    servers: RefCell<Vec<Ipv4Addr>>,
    /// Its cache.
    names: Cell<usize>,
}

impl Resolver {
    /// A resolver that asks `servers`, the first one first.
    pub fn new(stack: &Stack, servers: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        Self(Rc::new(Inner {
            stack: stack.clone(),
            servers: RefCell::new(servers.into_iter().collect()),
            names: Cell::new(stack.driver.with(Driver::open_names)),
        }))
    }

    /// The servers that are asked.
    pub fn servers(&self) -> Vec<Ipv4Addr> {
        self.0.servers.borrow().clone()
    }

    /// Asks these from now on, and forgets what others have answered.
    pub fn set_servers(&self, servers: impl IntoIterator<Item = Ipv4Addr>) {
        let inner = &*self.0;
        inner.servers.replace(servers.into_iter().collect());
        inner.stack.driver.with(|driver| {
            // The new one before the old one goes, so that it is another.
            let former = inner.names.replace(driver.open_names());
            driver.close_names(former);
        });
    }

    /// The addresses of `name`, which may be an address written out.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such name or it has no IPv4 address, `TimedOut` if no server
    /// answered or there is none, `InvalidInput` if `name` is none, `Other` if the servers answered with failures,
    /// `OutOfMemory` if there is none left for an answer.
    pub async fn lookup(&self, name: &str) -> io::Result<Vec<Ipv4Addr>> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        if is_localhost(name) {
            return Ok(vec![Ipv4Addr::LOCALHOST]);
        }
        let mut current = name.to_owned();
        for _ in 0..MAX_ALIASES {
            let Inner { stack, names, .. } = &*self.0;
            let driver = &stack.driver;
            if let Some(cached) = driver.with(|driver| driver.recall(names.get(), &current)) {
                return found(name, cached);
            }
            let asked = names.get();
            let (cached, ttl) = match self.ask_all(&current).await? {
                Answer::Addresses(addresses, ttl) => (Cached::Addresses(addresses), ttl),
                Answer::None(ttl) => (Cached::None, ttl),
                Answer::Alias(target) => {
                    current = target;
                    continue;
                }
                Answer::Truncated | Answer::Failed => break,
            };
            // Not what servers said that are asked no more.
            if names.get() == asked {
                driver.with(|driver| driver.remember(asked, &current, &cached, ttl));
            }
            return found(name, cached);
        }
        Err(io::Error::other(format!(
            "{name}: the DNS servers could not answer"
        )))
    }

    /// Asks one server after the other until one answers.
    async fn ask_all(&self, name: &str) -> io::Result<Answer> {
        if self.servers().is_empty() {
            let kind = io::ErrorKind::TimedOut;
            return Err(io::Error::new(kind, "there is no name server to ask"));
        }
        let mut last = Err(timed_out());
        for round in 0..ROUNDS {
            let patience = PATIENCE * (1 << round);
            for server in self.servers() {
                match within(&self.0.stack.driver, patience, self.ask(server, name)).await {
                    Ok(Answer::Failed) => last = Ok(Answer::Failed),
                    Ok(answer) => return Ok(answer),
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
                    Err(error) => last = last.or(Err(error)),
                }
            }
            if matches!(last, Ok(Answer::Failed)) {
                break;
            }
        }
        last
    }

    async fn ask(&self, server: Ipv4Addr, name: &str) -> io::Result<Answer> {
        // A port and an identifier that cannot be guessed (RFC 5452 §9.2).
        let stack = &self.0.stack;
        let id = stack.driver.with(|driver| driver.proto.random_u16());
        let question = dns::question(id, name).map_err(|error| invalid(error.to_string()))?;
        let socket = UdpSocket::bind(stack, (Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((server, dns::PORT))?;
        socket.send(&question)?;
        for _ in 0..DATAGRAMS {
            let datagram = socket.recv_datagram().await?;
            match dns::answer(id, name, &datagram.payload) {
                Some(Answer::Truncated) => break,
                Some(answer) => return Ok(answer),
                None => {}
            }
        }
        self.ask_by_tcp(server, name, id, &question).await
    }

    async fn ask_by_tcp(
        &self,
        server: Ipv4Addr,
        name: &str,
        id: u16,
        question: &[u8],
    ) -> io::Result<Answer> {
        let stack = &self.0.stack;
        let stream = TcpStream::connect(stack, (server, dns::PORT)).await?;
        // RFC 1035 §4.2.2: a length of two octets goes before each message.
        let length = u16::try_from(question.len()).map_err(io::Error::other)?;
        stream
            .write_all(&[&length.to_be_bytes(), question].concat())
            .await?;
        let mut length = [0; 2];
        stream.read_exact(&mut length).await?;
        let length = u16::from_be_bytes(length).into();
        let _room = Room::new(&stack.driver, length)?;
        let mut message = vec![0; length];
        stream.read_exact(&mut message).await?;
        Ok(dns::answer(id, name, &message).unwrap_or(Answer::Failed))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let names = self.names.get();
        self.stack.driver.with(|driver| driver.close_names(names));
    }
}

/// Whether nobody needs to be asked: `localhost`, and all names below it (RFC 6761 §6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next();
    last.is_some_and(|label| label.eq_ignore_ascii_case("localhost"))
}

fn found(name: &str, cached: Cached) -> io::Result<Vec<Ipv4Addr>> {
    match cached {
        Cached::Addresses(addresses) => Ok(addresses),
        Cached::None => {
            let text = format!("{name}: no such name, or no IPv4 address");
            Err(io::Error::new(io::ErrorKind::NotFound, text))
        }
    }
}

#[cfg(test)]
mod tests;
