//! Networks made quickly: by the kernel's own interface, as a container runtime does, and not by a program that has
//! to be started for each step. Where this is inside of what is timed, nobody is to wait for `ip`.

use std::fs::OpenOptions;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

const NLMSG_ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_EXCL: u16 = 0x200;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_NET_NS_FD: u16 = 28;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFF_UP: u32 = 1;

/// A message that is being written: its header, which is completed at the end, and what follows.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16) -> Self {
        let mut octets = vec![0; 4];
        octets.extend(kind.to_ne_bytes());
        octets.extend((NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
        // Sequence number and port: one question at a time.
        octets.extend([0; 8]);
        Self(octets)
    }

    /// `struct ifinfomsg`.
    fn link(&mut self, index: u32, flags: u32) {
        self.0.extend([0; 4]);
        self.0.extend(index.to_ne_bytes());
        self.0.extend(flags.to_ne_bytes());
        // Which of the flags are to change.
        self.0.extend(flags.to_ne_bytes());
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nested(kind, |message| message.0.extend(value));
    }

    /// An attribute that `inside` writes.
    fn nested(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend(kind.to_ne_bytes());
        inside(self);
        let length = (self.0.len() - start) as u16;
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// Sends it in the namespace of this thread, and waits for the acknowledgement.
    fn send(mut self, what: &str) -> Result<()> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        send(socket.as_raw_fd(), &self.0, MsgFlags::empty())?;
        let mut answer = [0; 1024];
        let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let field = |at: usize| answer[at..at + 4].try_into().map(i32::from_ne_bytes);
        let kind = u16::from_ne_bytes([answer[4], answer[5]]);
        ensure!(length >= 20 && kind == NLMSG_ERROR, "{what}: no answer");
        match field(16)? {
            0 => Ok(()),
            error => Err(Errno::from_raw(-error)).with_context(|| what.to_owned()),
        }
    }
}

/// Makes a veth pair: `link` here, `peer` in the namespace given.
pub fn add_veth(link: &str, peer: &str, namespace: BorrowedFd<'_>) -> Result<()> {
    let mut message = Message::new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    message.link(0, 0);
    message.attribute(IFLA_IFNAME, &named(link));
    message.nested(IFLA_LINKINFO, |message| {
        message.attribute(IFLA_INFO_KIND, b"veth");
        message.nested(IFLA_INFO_DATA, |message| {
            message.nested(VETH_INFO_PEER, |message| {
                message.link(0, 0);
                message.attribute(IFLA_IFNAME, &named(peer));
                message.attribute(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
            });
        });
    });
    message.send("a veth pair")
}

pub fn set_up(link: &str) -> Result<()> {
    let mut message = Message::new(RTM_NEWLINK, 0);
    message.link(if_nametoindex(link)?, IFF_UP);
    message.send("an interface that is up")
}

/// Gives an interface an address, in a network of 24 bits.
pub fn add_address(link: &str, address: Ipv4Addr) -> Result<()> {
    let mut message = Message::new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    // `struct ifaddrmsg`: family, length of the prefix, flags, scope, interface.
    message.0.extend([libc::AF_INET as u8, 24, 0, 0]);
    message.0.extend(if_nametoindex(link)?.to_ne_bytes());
    message.attribute(IFA_LOCAL, &address.octets());
    message.attribute(IFA_ADDRESS, &address.octets());
    message.send("an address")
}

fn named(link: &str) -> Vec<u8> {
    let mut octets = link.as_bytes().to_vec();
    octets.push(0);
    octets
}

nix::ioctl_write_ptr_bad!(tun_set_interface, libc::TUNSETIFF, libc::ifreq);
nix::ioctl_write_int_bad!(tun_set_persistent, libc::TUNSETPERSIST);

/// Makes a TAP interface that stays.
pub fn add_tap(link: &str) -> Result<()> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .context("/dev/net/tun")?;
    // SAFETY: zeros are a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    ensure!(
        link.len() < request.ifr_name.len(),
        "{link}: too long a name"
    );
    for (place, octet) in request.ifr_name.iter_mut().zip(link.bytes()) {
        *place = octet.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as i16;
    // SAFETY: the descriptor is open, and the request lives until the call returns.
    unsafe { tun_set_interface(device.as_raw_fd(), &raw const request) }.context("TUNSETIFF")?;
    // SAFETY: the descriptor is open; no pointer is passed.
    unsafe { tun_set_persistent(device.as_raw_fd(), 1) }.context("TUNSETPERSIST")?;
    Ok(())
}
