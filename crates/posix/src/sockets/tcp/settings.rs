//! Options of TCP.

use core::cell::Cell;
use core::ffi::c_int;
use core::time::Duration;

use libc::{
    EINVAL, ENOPROTOOPT, TCP_CORK, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_MAXSEG,
    TCP_NODELAY, TCP_QUICKACK, TCP_USER_TIMEOUT,
};
use netstack::TcpStream;
use netstack::proto::tcp::{self, KeepAlive};

use super::Tcp;
use crate::error::{Result, fail};
use crate::sockets::options::{Value, number};

/// What is set of TCP; times in seconds, as C has them.
pub(super) struct Settings {
    nodelay: Cell<bool>,
    idle: Cell<c_int>,
    interval: Cell<c_int>,
    probes: Cell<c_int>,
    /// In milliseconds; 0 for none.
    user_timeout: Cell<c_int>,
    /// Told as they were set: the stack decides by itself.
    quick: Cell<bool>,
    cork: Cell<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nodelay: Cell::default(),
            idle: Cell::new(7200),
            interval: Cell::new(75),
            probes: Cell::new(9),
            user_timeout: Cell::default(),
            quick: Cell::new(true),
            cork: Cell::default(),
        }
    }
}

impl Settings {
    pub(super) fn inherit(&self, from: &Self) {
        self.nodelay.set(from.nodelay.get());
        self.idle.set(from.idle.get());
        self.interval.set(from.interval.get());
        self.probes.set(from.probes.get());
        self.user_timeout.set(from.user_timeout.get());
    }

    pub(super) fn set(&self, name: c_int, value: &[u8]) -> Result<()> {
        let value = number(value)?;
        // Linux' bounds.
        let (place, range) = match name {
            TCP_NODELAY => {
                self.nodelay.set(value != 0);
                return Ok(());
            }
            TCP_QUICKACK => {
                self.quick.set(value != 0);
                return Ok(());
            }
            TCP_CORK => {
                self.cork.set(value != 0);
                return Ok(());
            }
            TCP_USER_TIMEOUT => (&self.user_timeout, 0..=c_int::MAX),
            TCP_KEEPIDLE => (&self.idle, 1..=32_767),
            TCP_KEEPINTVL => (&self.interval, 1..=32_767),
            TCP_KEEPCNT => (&self.probes, 1..=127),
            _ => return fail(ENOPROTOOPT),
        };
        if !range.contains(&value) {
            return fail(EINVAL);
        }
        place.set(value);
        Ok(())
    }

    pub(super) fn value(&self, name: c_int) -> Result<Value> {
        Ok(Value::Number(match name {
            TCP_NODELAY => self.nodelay.get().into(),
            TCP_QUICKACK => self.quick.get().into(),
            TCP_CORK => self.cork.get().into(),
            TCP_USER_TIMEOUT => self.user_timeout.get(),
            TCP_KEEPIDLE => self.idle.get(),
            TCP_KEEPINTVL => self.interval.get(),
            TCP_KEEPCNT => self.probes.get(),
            // Linux' before a connection is there.
            TCP_MAXSEG => 536,
            _ => return fail(ENOPROTOOPT),
        }))
    }

    fn keep_alive(&self) -> KeepAlive {
        let seconds = |time: &Cell<c_int>| Duration::from_secs(time.get().unsigned_abs().into());
        KeepAlive::default()
            .idle(seconds(&self.idle))
            .interval(seconds(&self.interval))
            .probes(u8::try_from(self.probes.get()).unwrap_or(u8::MAX))
    }

    fn user_timeout(&self) -> Option<Duration> {
        match self.user_timeout.get() {
            0 => None,
            millis => Some(Duration::from_millis(millis.unsigned_abs().into())),
        }
    }
}

impl Tcp {
    /// What a connection is opened with.
    pub(super) fn stack_options(&self) -> tcp::Options {
        tcp::Options::default()
            .ttl(self.options.ttl.get())
            .nodelay(self.settings.nodelay.get())
    }

    /// Has a connection be as is set here. What fails has ended, and tells so by itself.
    pub(super) fn apply(&self, stream: &TcpStream) {
        let Self {
            options, settings, ..
        } = self;
        let linger = options.linger.get();
        let linger = linger.map(|seconds| Duration::from_secs(seconds.unsigned_abs().into()));
        let keep_alive = options.keep_alive.get().then(|| settings.keep_alive());
        let _ = stream.set_nodelay(settings.nodelay.get());
        let _ = stream.set_keep_alive(keep_alive);
        let _ = stream.set_linger(linger);
        let _ = stream.set_user_timeout(settings.user_timeout());
        let _ = stream.set_ttl(options.ttl.get().into());
    }
}
