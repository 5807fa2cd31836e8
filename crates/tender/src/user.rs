//! Networks that need neither privilege nor a TAP interface, as the command line asks for them: `user` and `unix:PATH`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hostdev::Passt;
use hostdev::passt::{Forward, PasstError, can_listen};

use crate::options::{Options, number};

/// The form of `--net:NAME=user`.
pub(crate) const FORM: &str = "--net:NAME=user[,tcp=[ADDRESS:]HOST[:GUEST]][,udp=[ADDRESS:]HOST[:GUEST]][,mtu=N][,host][,no-arguments] \
     with ports from 1 to 65535, an IPv4 ADDRESS (default 127.0.0.1) and an MTU from 68 to 65520";
/// The form of `--net:NAME=unix:PATH`.
pub(crate) const SOCKET_FORM: &str =
    "--net:NAME=unix:PATH[,mtu=N] with the path of a stream socket and an MTU from 68 to 65520";
/// The longest packet of passt's.
const MTU_MAX: u16 = 65_520;
/// The shortest that a host may be asked to take whole (RFC 791 section 3.1).
const MTU_MIN: u16 = 68;
/// What all networks have, and a guest with little memory is given.
const MTU_SMALL: u16 = 1500;
/// Ports that services are commonly on, which lead to the guest where no port is named.
const COMMON_PORTS: [u16; 8] = [80, 443, 3000, 4433, 5000, 8000, 8080, 8443];
/// How long ports that nobody has named are waited for, which the passt of a unikernel that has just ended may yet have.
const PATIENCE: Duration = Duration::from_millis(100);

/// A network in which the guest is behind this process, and its host's ports lead to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserNetwork {
    /// TCP ports, if any is named.
    pub tcp: Vec<Forward>,
    /// UDP ports.
    pub udp: Vec<Forward>,
    /// Octets of the longest packet; otherwise by the guest's memory.
    pub mtu: Option<u16>,
    /// Whether the router's address leads to the host's loopback interface.
    pub host_loopback: bool,
    /// Whether the guest is not told of its address.
    pub no_arguments: bool,
}

impl UserNetwork {
    /// Reads what follows `user` in the option; `None` if it is not of the [form](FORM).
    pub(crate) fn parse(parts: &str) -> Option<Self> {
        let mut network = Self::default();
        for part in parts.split(',').skip(1) {
            match part.split_once('=') {
                Some(("tcp", ports)) => network.tcp.push(forward(ports)?),
                Some(("udp", ports)) => network.udp.push(forward(ports)?),
                Some(("mtu", mtu)) => network.mtu = Some(self::mtu(mtu.as_bytes())?),
                None if part == "host" => network.host_loopback = true,
                None if part == "no-arguments" => network.no_arguments = true,
                _ => return None,
            }
        }
        Some(network)
    }
}

/// Reads what follows `unix:` in the option.
pub(crate) fn socket(value: &[u8]) -> Option<(PathBuf, u16)> {
    const PART: &[u8] = b",mtu=";
    let part = value.windows(PART.len()).rposition(|part| part == PART);
    let (path, mtu) = match part {
        Some(at) => (&value[..at], mtu(&value[at + PART.len()..])?),
        None => (value, MTU_SMALL),
    };
    (!path.is_empty()).then(|| (OsStr::from_bytes(path).into(), mtu))
}

fn mtu(text: &[u8]) -> Option<u16> {
    let mtu = u16::try_from(number(text)?).ok()?;
    (MTU_MIN..=MTU_MAX).contains(&mtu).then_some(mtu)
}

/// Reads `[ADDRESS:]HOST[:GUEST]`.
fn forward(text: &str) -> Option<Forward> {
    let port = |text: &str| {
        let port = number(text.as_bytes()).and_then(|port| u16::try_from(port).ok());
        port.filter(|&port| port > 0)
    };
    let (address, ports) = match text.split_once(':') {
        Some((address, ports)) if address.contains('.') => (address.parse().ok()?, ports),
        _ => (Ipv4Addr::LOCALHOST, text),
    };
    let (host, guest) = ports.split_once(':').unwrap_or((ports, ports));
    Some(Forward {
        host: SocketAddrV4::new(address, port(host)?),
        guest: port(guest)?,
    })
}

/// A network of passt's for one guest.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) passt: Passt,
    /// Ports that would lead to the guest were they not in use.
    in_use: Vec<u16>,
    /// The guest's own port, if this user may not listen there.
    denied: Option<u16>,
}

impl Plan {
    /// The network of the `index`th such device of a guest that has `options` and, unless something else is said, so much
    /// room for packets.
    pub(crate) fn new(network: &UserNetwork, index: usize, options: &Options, large: bool) -> Self {
        let given = Given::new(options);
        let (address, prefix) = given
            .network()
            .unwrap_or((Ipv4Addr::new(10, 0, index as u8, 2), 24));
        let start = address.to_bits() & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        let mut others = (1..).map(|host| Ipv4Addr::from_bits(start.wrapping_add(host)));
        let mut other = |not| others.find(|&it| it != address && it != not);
        let gateway = given.gateway().or_else(|| other(address));
        let gateway = gateway.unwrap_or(address);
        let dns = other(gateway).unwrap_or(gateway);
        let (mut tcp, mut udp, mut in_use) = (network.tcp.clone(), network.udp.clone(), Vec::new());
        let mut denied = None;
        if tcp.is_empty() && udp.is_empty() {
            let ports = given.ports().chain(COMMON_PORTS);
            let until = Instant::now() + PATIENCE;
            for port in ports.collect::<BTreeSet<_>>() {
                let forward = Forward {
                    host: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port),
                    guest: port,
                };
                match can_listen("tcp", forward.host, until) {
                    Ok(()) => tcp.push(forward),
                    Err(error) if error.is_in_use() => in_use.push(port),
                    Err(error) if is_denied(&error) && given.port() == Some(port) => {
                        denied = Some(port);
                    }
                    Err(_) => {}
                }
                if can_listen("udp", forward.host, until).is_ok() {
                    udp.push(forward);
                }
            }
        }
        let mtu = if large { MTU_MAX } else { MTU_SMALL };
        let passt = Passt {
            address,
            prefix,
            gateway,
            dns,
            mtu: network.mtu.unwrap_or(mtu),
            host_loopback: network.host_loopback,
            tcp,
            udp,
        };
        Self {
            passt,
            in_use,
            denied,
        }
    }

    /// What the guest is told before its own arguments, unless these say it. Not all guests that know the first two words
    /// know the third, which is ours.
    pub(crate) fn words(&self, options: &Options, ours: bool) -> Vec<String> {
        let given = Given::new(options);
        if given.has("--dhcp") {
            return Vec::new();
        }
        let Passt {
            address,
            prefix,
            gateway,
            dns,
            ..
        } = &self.passt;
        let words = [
            ("--ipv4", format!("{address}/{prefix}"), true),
            ("--ipv4-gateway", gateway.to_string(), true),
            ("--dns", dns.to_string(), ours),
        ];
        let words = words
            .into_iter()
            .filter(|(name, _, told)| *told && !given.has(name));
        words
            .map(|(name, value, _)| format!("{name}={value}"))
            .collect()
    }

    /// What the user is told.
    pub(crate) fn notice(&self, name: &str) -> String {
        let Passt {
            address, tcp, udp, ..
        } = &self.passt;
        let only_udp = udp.iter().filter(|forward| !tcp.contains(forward));
        let ports: Vec<String> = tcp.iter().chain(only_udp).map(described).collect();
        let mut notice = format!("network device {name:?} is {address} behind passt");
        if !ports.is_empty() {
            notice += &format!(", where these ports lead: {}", ports.join(", "));
        }
        for port in &self.in_use {
            notice += &format!("; port {port} does not, as it is in use");
        }
        if let Some(port) = self.in_use.first() {
            notice +=
                &format!(" (--net:{name}=user,tcp=OTHER:{port} for another port of this host)");
        }
        if let Some(port) = self.denied {
            notice += &format!(
                "; port {port} does not, as this user may not listen there (--net:{name}=user,tcp={}:{port} for another port of \
                 this host)",
                allowed(port)
            );
        }
        notice
    }
}

/// Whether the host lets this user not listen there.
fn is_denied(error: &PasstError) -> bool {
    matches!(error, PasstError::Port { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
}

/// What to type in place of a port that is denied, as the end of the error's line.
pub(crate) fn instead(error: &PasstError) -> String {
    match error {
        PasstError::Port { protocol, host, .. } if is_denied(error) => {
            let port = host.port();
            format!(
                " ({protocol}={}:{port} for another port of this host)",
                allowed(port)
            )
        }
        _ => String::new(),
    }
}

/// A port that any user may listen on, in place of one of root's.
fn allowed(port: u16) -> u16 {
    port.saturating_add(8000)
}

/// A port of the host's as a user writes it.
fn described(forward: &Forward) -> String {
    let Forward { host, guest } = forward;
    let address = match host.ip().is_loopback() {
        true => String::new(),
        false => format!("{}:", host.ip()),
    };
    match host.port() == *guest {
        true => format!("{address}{guest}"),
        false => format!("{address}{}:{guest}", host.port()),
    }
}

/// The words of a guest's arguments, which are split at spaces wherever they come from.
struct Given(Vec<String>);

impl Given {
    fn new(options: &Options) -> Self {
        let arguments = options
            .args
            .iter()
            .map(|argument| argument.to_string_lossy());
        let words = arguments.flat_map(|argument| {
            argument
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        Self(words.collect())
    }

    /// Whether the option is among them.
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|word| {
            let rest = word.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    }

    /// The value of the option, in its own word or the next one.
    fn value(&self, name: &str) -> Option<&str> {
        let mut words = self.0.iter();
        while let Some(word) = words.next() {
            match word.strip_prefix(name) {
                Some("") => return words.next().map(String::as_str),
                Some(rest) if rest.starts_with('=') => return Some(&rest[1..]),
                _ => {}
            }
        }
        None
    }

    fn network(&self) -> Option<(Ipv4Addr, u8)> {
        let (address, prefix) = self.value("--ipv4")?.split_once('/')?;
        let prefix = prefix.parse().ok().filter(|&prefix| prefix <= 32)?;
        Some((address.parse().ok()?, prefix))
    }

    fn gateway(&self) -> Option<Ipv4Addr> {
        self.value("--ipv4-gateway")?.parse().ok()
    }

    /// The port that programs are commonly told.
    fn port(&self) -> Option<u16> {
        self.value("--port")?.parse().ok()
    }

    /// What may be the numbers of ports: whatever a word ends in.
    fn ports(&self) -> impl Iterator<Item = u16> {
        self.0.iter().filter_map(|word| {
            let last = word.rsplit(['=', ':']).next()?;
            let port = number(last.as_bytes())?;
            u16::try_from(port).ok().filter(|&port| port > 0)
        })
    }
}

#[cfg(test)]
mod tests;
