//! What a user may set of one connection, and its flow label.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::proto::tcp::config::{KeepAlive, Linger, Options};
use crate::proto::tcp::congestion::MakeController;

/// Settings that may change in the life of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// In milliseconds.
    user_timeout: Option<NonZeroU32>,
    pub(crate) ttl: u8,
    /// 20 bits, in octets that would lie idle: [`Tcb`](super::Tcb) is as large as it may be.
    flow_label: [u8; 3],
    /// Those that few connections have.
    uncommon: Option<Box<Uncommon>>,
}

/// Settings other than the defaults that are seldom changed.
#[derive(Clone, Debug, Default)]
struct Uncommon {
    keep_alive: Option<KeepAlive>,
    linger: Linger,
    /// Makes the congestion controller, if it is not to be the engine's.
    congestion: Option<MakeController>,
}

impl Settings {
    pub(crate) fn new(options: &Options, flow_label: u32) -> Self {
        let [_, label @ ..] = flow_label.to_be_bytes();
        let mut settings = Self {
            user_timeout: None,
            ttl: options.ttl,
            flow_label: label,
            uncommon: None,
        };
        settings.set_user_timeout(options.user_timeout);
        settings.set_keep_alive(options.keep_alive);
        settings.set_linger(options.linger);
        if options.congestion.is_some() {
            settings.uncommon.get_or_insert_default().congestion = options.congestion;
        }
        settings
    }

    /// Of packets of IPv6 (RFC 6437).
    pub(crate) fn flow_label(&self) -> u32 {
        let [high, middle, low] = self.flow_label;
        u32::from_be_bytes([0, high, middle, low])
    }

    /// Octets beside the settings' own.
    pub(crate) fn held(&self) -> usize {
        self.uncommon.as_deref().map_or(0, size_of_val)
    }

    pub(crate) fn user_timeout(&self) -> Option<Duration> {
        let millis = self.user_timeout?.get();
        Some(Duration::from_millis(millis.into()))
    }

    /// To a millisecond, and 49 days at most.
    pub(crate) fn set_user_timeout(&mut self, timeout: Option<Duration>) {
        self.user_timeout = timeout.map(|timeout| {
            let millis = timeout.as_nanos().div_ceil(1_000_000);
            let millis = u32::try_from(millis).unwrap_or(u32::MAX);
            NonZeroU32::new(millis).unwrap_or(NonZeroU32::MIN)
        });
    }

    pub(crate) fn keep_alive(&self) -> Option<KeepAlive> {
        self.uncommon.as_ref()?.keep_alive
    }

    pub(crate) fn set_keep_alive(&mut self, keep_alive: Option<KeepAlive>) {
        if keep_alive != self.keep_alive() {
            self.uncommon.get_or_insert_default().keep_alive = keep_alive;
        }
    }

    pub(crate) fn linger(&self) -> Linger {
        self.uncommon
            .as_ref()
            .map_or_else(Linger::default, |uncommon| uncommon.linger)
    }

    pub(crate) fn set_linger(&mut self, linger: Linger) {
        if linger != self.linger() {
            self.uncommon.get_or_insert_default().linger = linger;
        }
    }

    pub(crate) fn congestion(&self) -> Option<MakeController> {
        self.uncommon.as_ref()?.congestion
    }
}
