//! What `setsockopt` sets.

use core::cell::Cell;
use core::ffi::c_int;
use core::time::Duration;
use std::net::SocketAddr;

use libc::{
    AF_INET6, AF_UNIX, EINVAL, ENOPROTOOPT, IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IP_TOS, IP_TTL,
    IPPROTO_IP, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, IPV6_MULTICAST_LOOP, IPV6_TCLASS,
    IPV6_UNICAST_HOPS, IPV6_V6ONLY, SO_BROADCAST, SO_DOMAIN, SO_ERROR, SO_KEEPALIVE, SO_LINGER,
    SO_OOBINLINE, SO_PEERCRED, SO_PROTOCOL, SO_RCVBUF, SO_RCVTIMEO, SO_REUSEADDR, SO_REUSEPORT,
    SO_SNDBUF, SO_SNDTIMEO, SO_TYPE, SOL_SOCKET, linger, timeval,
};

use super::Socket;
use super::address::Address;
use super::local::Binding;
use crate::error::{Errno, Result, fail};

/// The value of an option, as `getsockopt` copies it.
pub(crate) enum Value {
    Number(c_int),
    Linger(Option<c_int>),
    Time(Option<Duration>),
    /// Whose a Unix socket's peer is: this program, and its only user.
    Credentials,
}

impl Value {
    /// Its octets.
    pub(crate) fn octets(&self) -> Vec<u8> {
        match *self {
            Self::Number(number) => number.to_ne_bytes().to_vec(),
            Self::Linger(seconds) => {
                let on = c_int::from(seconds.is_some());
                [on, seconds.unwrap_or(0)].map(c_int::to_ne_bytes).concat()
            }
            Self::Time(time) => {
                let time = time.unwrap_or_default();
                let [seconds, micros] = [time.as_secs(), time.subsec_micros().into()];
                [seconds, micros].map(u64::to_ne_bytes).concat()
            }
            Self::Credentials => [1, 0, 0].map(c_int::to_ne_bytes).concat(),
        }
    }
}

/// Options that every socket has.
pub(crate) struct Options {
    pub(super) reuse_address: Cell<bool>,
    pub(super) reuse_port: Cell<bool>,
    pub(super) only_v6: Cell<bool>,
    pub(super) keep_alive: Cell<bool>,
    pub(super) linger: Cell<Option<c_int>>,
    pub(super) ttl: Cell<u8>,
    pub(super) receive_limit: Cell<Option<Duration>>,
    pub(super) send_limit: Cell<Option<Duration>>,
    /// What is sent to a multicast group comes to those of its members that are in the program.
    pub(super) loops: Cell<bool>,
    /// How many links what is sent to a multicast group may pass.
    pub(super) hops: Cell<u8>,
    broadcast: Cell<bool>,
    inline: Cell<bool>,
    service: Cell<c_int>,
    /// Told as they were set: the sizes follow from the memory.
    receive_buffer: Cell<c_int>,
    send_buffer: Cell<c_int>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reuse_address: Cell::default(),
            reuse_port: Cell::default(),
            only_v6: Cell::default(),
            keep_alive: Cell::default(),
            linger: Cell::default(),
            ttl: Cell::new(64),
            receive_limit: Cell::default(),
            send_limit: Cell::default(),
            loops: Cell::new(true),
            hops: Cell::new(1),
            broadcast: Cell::default(),
            inline: Cell::default(),
            service: Cell::default(),
            receive_buffer: Cell::new(128 << 10),
            send_buffer: Cell::new(128 << 10),
        }
    }
}

/// Reads an `int`; boolean options may be one octet long.
pub(super) fn number(value: &[u8]) -> Result<c_int> {
    match (value.first_chunk(), value) {
        (Some(octets), _) => Ok(c_int::from_ne_bytes(*octets)),
        (None, [octet]) => Ok((*octet).into()),
        _ => fail(EINVAL),
    }
}

fn time(value: &[u8]) -> Result<Option<Duration>> {
    let words = value.as_chunks().0;
    let [seconds, micros] = *words else {
        return fail(EINVAL);
    };
    let [seconds, micros] = [seconds, micros].map(i64::from_ne_bytes);
    match (u64::try_from(seconds), u32::try_from(micros)) {
        (Ok(0), Ok(0)) => Ok(None),
        (Ok(seconds), Ok(micros @ 0..1_000_000)) => Ok(Some(Duration::new(seconds, micros * 1000))),
        _ => fail(EINVAL),
    }
}

fn is_bound(socket: &(impl Socket + ?Sized)) -> bool {
    matches!(socket.local(), Ok(Address::Internet(address)) if address.port() != 0)
}

const _: () = assert!(size_of::<timeval>() == 16 && size_of::<linger>() == 8);

impl Options {
    /// Whether a port may be another one's too.
    pub(super) fn shares(&self) -> bool {
        self.reuse_port.get() || self.reuse_address.get()
    }

    /// What a socket with these options asks for that is bound to `address`.
    pub(super) fn binding(&self, address: SocketAddr) -> Binding {
        Binding {
            address,
            reuse_address: self.reuse_address.get(),
            reuse_port: self.reuse_port.get(),
            only_v6: self.only_v6.get(),
            listens: false,
        }
    }

    /// Lets an address pass that the program gives, if it is one of IPv4 only where these are not left out.
    ///
    /// # Errors
    ///
    /// `error`.
    pub(super) fn admit(&self, address: SocketAddr, error: c_int) -> Result<()> {
        match self.only_v6.get() && address.is_ipv4() {
            true => fail(error),
            false => Ok(()),
        }
    }

    /// As those of a listener are those of what it accepts.
    pub(super) fn inherit(&self, from: &Self) {
        self.keep_alive.set(from.keep_alive.get());
        self.linger.set(from.linger.get());
        self.ttl.set(from.ttl.get());
        self.receive_limit.set(from.receive_limit.get());
        self.send_limit.set(from.send_limit.get());
        self.reuse_address.set(from.reuse_address.get());
        self.reuse_port.set(from.reuse_port.get());
        self.only_v6.set(from.only_v6.get());
    }

    /// # Errors
    ///
    /// `ENOPROTOOPT` for options that there are not, `EINVAL` for values that they cannot have, and of those that decide what
    /// a socket is bound to when it is.
    pub(super) fn set(
        &self,
        socket: &(impl Socket + ?Sized),
        level: c_int,
        name: c_int,
        value: &[u8],
    ) -> Result<()> {
        match (level, name) {
            (IPPROTO_IPV6, _) if socket.sort().0 != AF_INET6 => return fail(ENOPROTOOPT),
            (IPPROTO_IPV6, IPV6_V6ONLY) if is_bound(socket) => return fail(EINVAL),
            (SOL_SOCKET, SO_RCVTIMEO) => self.receive_limit.set(time(value)?),
            (SOL_SOCKET, SO_SNDTIMEO) => self.send_limit.set(time(value)?),
            (SOL_SOCKET, SO_LINGER) => {
                let seconds = number(value.get(4..).unwrap_or_default())?;
                self.linger
                    .set((number(value)? != 0).then_some(seconds.max(0)));
            }
            _ => self.set_number(level, name, number(value)?)?,
        }
        Ok(())
    }

    fn set_number(&self, level: c_int, name: c_int, value: c_int) -> Result<()> {
        let flag = match (level, name) {
            (SOL_SOCKET, SO_REUSEADDR) => &self.reuse_address,
            (SOL_SOCKET, SO_REUSEPORT) => &self.reuse_port,
            (SOL_SOCKET, SO_KEEPALIVE) => &self.keep_alive,
            (SOL_SOCKET, SO_BROADCAST) => &self.broadcast,
            (SOL_SOCKET, SO_OOBINLINE) => &self.inline,
            (IPPROTO_IPV6, IPV6_V6ONLY) => &self.only_v6,
            (IPPROTO_IP, IP_MULTICAST_LOOP) | (IPPROTO_IPV6, IPV6_MULTICAST_LOOP) => &self.loops,
            (SOL_SOCKET, SO_RCVBUF) => {
                // As Linux does it, which counts what it needs itself.
                self.receive_buffer.set(value.saturating_mul(2));
                return Ok(());
            }
            (SOL_SOCKET, SO_SNDBUF) => {
                self.send_buffer.set(value.saturating_mul(2));
                return Ok(());
            }
            (IPPROTO_IP, IP_MULTICAST_TTL) | (IPPROTO_IPV6, IPV6_MULTICAST_HOPS) => {
                let hops = if value == -1 {
                    Ok(1)
                } else {
                    u8::try_from(value)
                };
                self.hops.set(hops.map_err(|_| Errno(EINVAL))?);
                return Ok(());
            }
            (IPPROTO_IP, IP_TTL) | (IPPROTO_IPV6, IPV6_UNICAST_HOPS) => {
                return match u8::try_from(value) {
                    Ok(ttl @ 1..) => {
                        self.ttl.set(ttl);
                        Ok(())
                    }
                    _ if value == -1 => {
                        self.ttl.set(64);
                        Ok(())
                    }
                    _ => fail(EINVAL),
                };
            }
            (IPPROTO_IP, IP_TOS) | (IPPROTO_IPV6, IPV6_TCLASS) => {
                self.service.set(value);
                return Ok(());
            }
            _ => return fail(ENOPROTOOPT),
        };
        flag.set(value != 0);
        Ok(())
    }

    /// # Errors
    ///
    /// `ENOPROTOOPT` for options that there are not.
    pub(super) fn value(
        &self,
        socket: &(impl Socket + ?Sized),
        level: c_int,
        name: c_int,
    ) -> Result<Value> {
        let (domain, kind, protocol) = socket.sort();
        Ok(Value::Number(match (level, name) {
            (SOL_SOCKET, SO_RCVTIMEO) => return Ok(Value::Time(self.receive_limit.get())),
            (SOL_SOCKET, SO_SNDTIMEO) => return Ok(Value::Time(self.send_limit.get())),
            (SOL_SOCKET, SO_LINGER) => return Ok(Value::Linger(self.linger.get())),
            (SOL_SOCKET, SO_PEERCRED) if domain == AF_UNIX => return Ok(Value::Credentials),
            (SOL_SOCKET, SO_ERROR) => socket.take_error(),
            (SOL_SOCKET, SO_TYPE) => kind,
            (SOL_SOCKET, SO_DOMAIN) => domain,
            (SOL_SOCKET, SO_PROTOCOL) => protocol,
            (SOL_SOCKET, SO_REUSEADDR) => self.reuse_address.get().into(),
            (SOL_SOCKET, SO_REUSEPORT) => self.reuse_port.get().into(),
            (SOL_SOCKET, SO_KEEPALIVE) => self.keep_alive.get().into(),
            (SOL_SOCKET, SO_BROADCAST) => self.broadcast.get().into(),
            (SOL_SOCKET, SO_OOBINLINE) => self.inline.get().into(),
            (SOL_SOCKET, SO_RCVBUF) => self.receive_buffer.get(),
            (SOL_SOCKET, SO_SNDBUF) => self.send_buffer.get(),
            (IPPROTO_IPV6, IPV6_V6ONLY) => self.only_v6.get().into(),
            (IPPROTO_IP, IP_MULTICAST_LOOP) | (IPPROTO_IPV6, IPV6_MULTICAST_LOOP) => {
                self.loops.get().into()
            }
            (IPPROTO_IP, IP_MULTICAST_TTL) | (IPPROTO_IPV6, IPV6_MULTICAST_HOPS) => {
                self.hops.get().into()
            }
            (IPPROTO_IP, IP_TTL) | (IPPROTO_IPV6, IPV6_UNICAST_HOPS) => self.ttl.get().into(),
            (IPPROTO_IP, IP_TOS) | (IPPROTO_IPV6, IPV6_TCLASS) => self.service.get(),
            _ => return fail(ENOPROTOOPT),
        }))
    }
}
