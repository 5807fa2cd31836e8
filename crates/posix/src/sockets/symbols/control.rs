//! Control messages: descriptors that go from one Unix socket to another, and what is said of datagrams of UDP.

use core::ffi::c_int;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::{
    AF_UNIX, EINVAL, ENODEV, IP_PKTINFO, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP,
    IPV6_HOPLIMIT, IPV6_PKTINFO, IPV6_TCLASS, MSG_CMSG_CLOEXEC, MSG_CTRUNC, SCM_CREDENTIALS,
    SCM_RIGHTS, SOCK_DGRAM, SOL_SOCKET, UDP_GRO, UDP_SEGMENT, cmsghdr, in_pktinfo, in6_pktinfo,
    msghdr,
};
use netstack::proto::ip::SCOPE;

use crate::descriptors::process;
use crate::error::{Result, fail};
use crate::ffi::{bytes, bytes_mut};
use crate::sockets::Received;
use crate::sockets::address::is_ours;
use crate::sockets::beside::Beside;
use crate::sockets::rights::Rights;

/// What stands before the data, which lies as words do.
const HEADER: usize = size_of::<cmsghdr>();
const NUMBER: usize = size_of::<c_int>();

/// What is sent beside a message; nothing by sockets of TCP, which know no control message.
///
/// # Errors
///
/// `EINVAL` if it makes no sense, `EBADF`, `ENODEV` if it names an interface that there is not, and those of [`Rights::push`].
///
/// # Safety
///
/// The message's control messages can be read.
pub(super) unsafe fn sent(fd: c_int, message: &msghdr) -> Result<Beside> {
    let mut beside = Beside::default();
    // SAFETY: the caller's promise is the same.
    let mut rest = unsafe { bytes(message.msg_control, message.msg_controllen) };
    if rest.is_empty() {
        return Ok(beside);
    }
    let (domain, kind, _) = process::open(fd)?.description().as_socket()?.sort();
    while rest.len() >= HEADER {
        // SAFETY: there are so many octets, and any are a header.
        let header = unsafe { rest.as_ptr().cast::<cmsghdr>().read_unaligned() };
        let Some(data) = rest.get(HEADER..header.cmsg_len) else {
            return fail(EINVAL);
        };
        let name = (header.cmsg_level, header.cmsg_type);
        match (domain, kind) {
            (AF_UNIX, _) => read_of_unix(&mut beside.rights, name, data)?,
            (_, SOCK_DGRAM) => read_of_udp(&mut beside, name, data)?,
            _ => {}
        }
        let next = header.cmsg_len.next_multiple_of(size_of::<usize>());
        rest = rest.get(next..).unwrap_or_default();
    }
    Ok(beside)
}

fn read_of_unix(rights: &mut Rights, name: (c_int, c_int), data: &[u8]) -> Result<()> {
    match name {
        (SOL_SOCKET, SCM_RIGHTS) => {
            for number in data.as_chunks().0 {
                rights.push(process::open(c_int::from_ne_bytes(*number))?)?;
            }
        }
        // The program's own are told of every peer.
        (SOL_SOCKET, SCM_CREDENTIALS) => {}
        (SOL_SOCKET, _) => return fail(EINVAL),
        _ => {}
    }
    Ok(())
}

fn read_of_udp(beside: &mut Beside, name: (c_int, c_int), data: &[u8]) -> Result<()> {
    match name {
        (IPPROTO_UDP, UDP_SEGMENT) => {
            let octets = data.try_into().or(fail(EINVAL))?;
            beside.segment = Some(u16::from_ne_bytes(octets));
        }
        (IPPROTO_IP, IP_PKTINFO) => {
            let (Some((interface, [address @ .., _, _, _, _])), 12) =
                (data.split_first_chunk(), data.len())
            else {
                return fail(EINVAL);
            };
            let address: [u8; 4] = address.try_into().or(fail(EINVAL))?;
            beside.source = Some(Ipv4Addr::from(address).into());
            return interface_of_ours(*interface);
        }
        (IPPROTO_IPV6, IPV6_PKTINFO) => {
            let Some((address, [a, b, c, d, ..])) = data.split_first_chunk() else {
                return fail(EINVAL);
            };
            beside.source = Some(IpAddr::from(Ipv6Addr::from_octets(*address)).to_canonical());
            return interface_of_ours([*a, *b, *c, *d]);
        }
        // As the options of these names, which are told and change nothing.
        (IPPROTO_IP, IP_TOS | IP_TTL) | (IPPROTO_IPV6, IPV6_TCLASS | IPV6_HOPLIMIT) => {}
        (SOL_SOCKET | IPPROTO_UDP | IPPROTO_IP | IPPROTO_IPV6, _) => return fail(EINVAL),
        _ => {}
    }
    Ok(())
}

fn interface_of_ours(interface: [u8; 4]) -> Result<()> {
    match is_ours(u32::from_ne_bytes(interface)) {
        true => Ok(()),
        false => fail(ENODEV),
    }
}

/// The place for control messages that are received.
struct Place<'a> {
    octets: &'a mut [u8],
    used: usize,
    /// Something had no room.
    is_cut: bool,
}

impl Place<'_> {
    /// Octets of data for which there is room.
    fn room(&self) -> usize {
        (self.octets.len() - self.used).saturating_sub(HEADER)
    }

    fn put(&mut self, level: c_int, kind: c_int, data: &[u8]) {
        if data.len() > self.room() {
            self.is_cut = true;
            return;
        }
        let header = cmsghdr {
            cmsg_len: HEADER + data.len(),
            cmsg_level: level,
            cmsg_type: kind,
        };
        let place = &mut self.octets[self.used..];
        // SAFETY: there is room for a header.
        unsafe { place.as_mut_ptr().cast::<cmsghdr>().write_unaligned(header) };
        place[HEADER..header.cmsg_len].copy_from_slice(data);
        let taken = header.cmsg_len.next_multiple_of(size_of::<usize>());
        self.used = self.octets.len().min(self.used + taken);
    }
}

/// Tells the program what is to be told of a message, as far as there is room; descriptors for which there is none are closed.
/// Flags that tell of that.
///
/// # Safety
///
/// The message's control messages can be written.
pub(super) unsafe fn received(message: &mut msghdr, received: &Received, flags: c_int) -> c_int {
    let mut place = Place {
        // SAFETY: the caller's promise is the same.
        octets: unsafe { bytes_mut(message.msg_control, message.msg_controllen) },
        used: 0,
        is_cut: false,
    };
    if let Some(segment) = received.segment {
        let segment = segment as c_int;
        place.put(IPPROTO_UDP, UDP_GRO, &segment.to_ne_bytes());
    }
    let interface = SCOPE.to_ne_bytes();
    match received.to {
        Some(IpAddr::V4(to)) => {
            let octets = [interface, to.octets(), to.octets()].concat();
            place.put(IPPROTO_IP, IP_PKTINFO, &octets);
        }
        Some(IpAddr::V6(to)) => {
            let octets = [&to.octets()[..], &interface].concat();
            place.put(IPPROTO_IPV6, IPV6_PKTINFO, &octets);
        }
        None => {}
    }
    hand_over(&mut place, &received.rights, flags);
    message.msg_controllen = place.used;
    if place.is_cut { MSG_CTRUNC } else { 0 }
}

fn hand_over(place: &mut Place<'_>, rights: &Rights, flags: c_int) {
    let closes_on_exec = flags & MSG_CMSG_CLOEXEC != 0;
    let mut numbers = Vec::new();
    for open in rights.iter().take(place.room() / NUMBER) {
        let added = process::with(|process| process.table.add(open.clone(), closes_on_exec));
        let Ok(number) = added else { break };
        numbers.extend(number.to_ne_bytes());
    }
    if !numbers.is_empty() {
        place.put(SOL_SOCKET, SCM_RIGHTS, &numbers);
    }
    place.is_cut |= numbers.len() < rights.iter().count() * NUMBER;
}

const _: () = assert!(size_of::<in_pktinfo>() == 12 && size_of::<in6_pktinfo>() == 20);
