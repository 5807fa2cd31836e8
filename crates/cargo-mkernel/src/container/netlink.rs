//! Requests to the kernel about interfaces and what becomes of their frames (rtnetlink(7), linux/pkt_sched.h, linux/pkt_cls.h).

use std::io::{self, Error};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

const RTM_NEWLINK: u16 = 16;
const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const RTM_NEWTFILTER: u16 = 44;

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLMSG_ERROR: u16 = 2;
/// Octets of `struct nlmsghdr`.
const HEADER: usize = 16;

/// The queueing discipline of what comes in: its handle, and the place that it is put to.
const INGRESS: u32 = 0xffff_0000;
const TC_H_INGRESS: u32 = 0xffff_fff1;
/// The filter's priority 1, and `ETH_P_ALL` in the network's order.
const EVERY_FRAME: u32 = 1 << 16 | 0x0300;

const IFLA_MTU: u16 = 4;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_U32_SEL: u16 = 5;
const TCA_U32_ACT: u16 = 7;
const TCA_ACT_KIND: u16 = 1;
const TCA_ACT_OPTIONS: u16 = 2;
const TCA_MIRRED_PARMS: u16 = 2;
const TCA_EGRESS_REDIR: u32 = 1;
const TC_ACT_STOLEN: u32 = 4;

/// A socket for such requests.
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Sets an interface up, with this MTU.
    pub(super) fn set_up(&mut self, interface: u32, mtu: u32) -> io::Result<()> {
        let up = libc::IFF_UP.cast_unsigned();
        // struct ifinfomsg: family and type of none, the index, flags, and which of them change.
        let mut body = words(&[0, interface, up, up]);
        attribute(&mut body, IFLA_MTU, &mtu.to_ne_bytes());
        self.request(RTM_NEWLINK, 0, &body)
    }

    /// Has all frames that come in by the interface `from` go out by `to`, in place of whatever was done with them.
    pub(super) fn redirect(&mut self, from: u32, to: u32) -> io::Result<()> {
        let mut discipline = words(&[0, from, INGRESS, TC_H_INGRESS, 0]);
        attribute(&mut discipline, TCA_KIND, b"ingress\0");
        // There is none the first time.
        let _ = self.request(RTM_DELQDISC, 0, &discipline);
        self.request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &discipline)?;

        let mut mirror = Vec::new();
        // struct tc_mirred: of its own number, and what to do with the frame.
        let parameters = words(&[0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, to]);
        attribute(&mut mirror, TCA_MIRRED_PARMS, &parameters);
        let mut action = Vec::new();
        attribute(&mut action, TCA_ACT_KIND, b"mirred\0");
        attribute(&mut action, TCA_ACT_OPTIONS, &mirror);
        let mut actions = Vec::new();
        attribute(&mut actions, 1, &action);
        // struct tc_u32_sel: it decides (1), by one key, of which no bit counts.
        let mut selector = vec![1, 0, 1, 0];
        selector.resize(32, 0);
        let mut options = Vec::new();
        attribute(&mut options, TCA_U32_SEL, &selector);
        attribute(&mut options, TCA_U32_ACT, &actions);
        let mut filter = words(&[0, from, 0, INGRESS, EVERY_FRAME]);
        attribute(&mut filter, TCA_KIND, b"u32\0");
        attribute(&mut filter, TCA_OPTIONS, &options);
        self.request(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &filter)
    }

    /// Asks for something, and for the answer whether it was done.
    fn request(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.sequence += 1;
        let flags = flags | NLM_F_REQUEST | NLM_F_ACK;
        let length = HEADER + body.len();
        let mut message = u32::try_from(length)
            .map_err(Error::other)?
            .to_ne_bytes()
            .to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend(words(&[self.sequence, 0]));
        message.extend(body);
        let kernel = NetlinkAddr::new(0, 0);
        sendto(
            self.socket.as_raw_fd(),
            &message,
            &kernel,
            MsgFlags::empty(),
        )?;
        let mut answer = [0; 4096];
        let length = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        outcome(&answer[..length])
    }
}

/// What an acknowledgement says: a header, and the negative number of an error, or 0.
fn outcome(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6);
    let number = answer.get(HEADER..).and_then(|rest| rest.first_chunk());
    match (kind, number) {
        (Some(kind), Some(&number)) if kind == NLMSG_ERROR.to_ne_bytes() => {
            match i32::from_ne_bytes(number) {
                0 => Ok(()),
                number => Err(Error::from_raw_os_error(number.wrapping_neg())),
            }
        }
        _ => Err(Error::other("the kernel's answer is no acknowledgement")),
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// Adds an attribute, and what its length lacks of a multiple of four.
fn attribute(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // All of ours are short.
    let length = (4 + value.len()) as u16;
    to.extend(length.to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(value);
    to.resize(to.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests;
