//! Options of UDP sockets alone.

use core::cell::Cell;
use core::ffi::c_int;

use libc::{
    EINVAL, IP_PKTINFO, IP_RECVTOS, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, IPV6_RECVPKTINFO,
    IPV6_RECVTCLASS, UDP_GRO, UDP_SEGMENT,
};

use super::Udp;
use crate::error::{Result, fail};
use crate::sockets::address::Family;

/// Those that there are.
#[derive(Default)]
pub(super) struct Own {
    /// Octets of each datagram that is made of what is sent; 0 if it is a single one.
    pub(super) segment: Cell<u16>,
    /// Datagrams that wait are received together.
    pub(super) joins: Cell<bool>,
    /// Where a datagram was sent to is told.
    pub(super) tells_destination: Cell<bool>,
    /// As it was set: the stack does not tell the class of what it receives.
    tells_class: Cell<bool>,
}

impl Udp {
    fn flag(&self, level: c_int, name: c_int) -> Option<&Cell<bool>> {
        match (self.family, level, name) {
            (_, IPPROTO_UDP, UDP_GRO) => Some(&self.own.joins),
            (Family::V4, IPPROTO_IP, IP_PKTINFO) | (Family::V6, IPPROTO_IPV6, IPV6_RECVPKTINFO) => {
                Some(&self.own.tells_destination)
            }
            (_, IPPROTO_IP, IP_RECVTOS) | (Family::V6, IPPROTO_IPV6, IPV6_RECVTCLASS) => {
                Some(&self.own.tells_class)
            }
            _ => None,
        }
    }

    /// Sets an option, if it is one of these.
    ///
    /// # Errors
    ///
    /// `EINVAL` for values that it cannot have.
    pub(super) fn set_own(&self, level: c_int, name: c_int, value: &[u8]) -> Result<bool> {
        let is_segment = (level, name) == (IPPROTO_UDP, UDP_SEGMENT);
        let flag = self.flag(level, name);
        if !is_segment && flag.is_none() {
            return Ok(false);
        }
        let Some(number) = value.first_chunk() else {
            return fail(EINVAL);
        };
        let number = c_int::from_ne_bytes(*number);
        match flag {
            Some(flag) => flag.set(number != 0),
            None => self.own.segment.set(number.try_into().or(fail(EINVAL))?),
        }
        Ok(true)
    }

    /// The value of an option, if it is one of these.
    pub(super) fn own_value(&self, level: c_int, name: c_int) -> Option<c_int> {
        match (level, name) {
            (IPPROTO_UDP, UDP_SEGMENT) => Some(self.own.segment.get().into()),
            _ => Some(self.flag(level, name)?.get().into()),
        }
    }
}
