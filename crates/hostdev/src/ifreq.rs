//! The ioctls on network interfaces, each as a safe function.

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `TUNGETIFF`: which interface is this TUN/TAP descriptor attached to (linux/if_tun.h).
const TUNGETIFF: libc::Ioctl = 0x8004_54d2;
/// `SIOCETHTOOL` and the two commands used with it (linux/sockios.h, linux/ethtool.h).
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_SGSO: u32 = 0x24;
const ETHTOOL_SGRO: u32 = 0x2c;

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    cmd: u32,
    data: u32,
}

/// An all-zero request for the interface `name`, of which at most 15 bytes are used.
fn request(name: &str) -> libc::ifreq {
    // SAFETY: `ifreq` is plain C data (integers, arrays, a nullable pointer): all zeros is a valid value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name[..libc::IFNAMSIZ - 1]
        .iter_mut()
        .zip(name.bytes())
    {
        *to = from.cast_signed();
    }
    request
}

/// Calls an ioctl whose argument is an `ifreq` that refers to no other memory.
fn call(fd: BorrowedFd<'_>, number: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: `request` is a live, exclusively borrowed `ifreq`, as every request number passed here takes; those
    // numbers neither keep the pointer nor follow one inside it (`SIOCETHTOOL` has its own function).
    match unsafe { libc::ioctl(fd.as_raw_fd(), number, request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn name_of(request: &libc::ifreq) -> String {
    let bytes = request
        .ifr_name
        .iter()
        .map(|c| c.cast_unsigned())
        .take_while(|&b| b != 0)
        .collect::<Vec<_>>();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Attaches a `/dev/net/tun` descriptor to the TAP `name`; the name the kernel chose.
pub(crate) fn tun_set_iff(tun: BorrowedFd<'_>, name: &str) -> io::Result<String> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    call(tun, libc::TUNSETIFF, &mut request)?;
    Ok(name_of(&request))
}

/// The interface and the `IFF_*` flags of an attached TUN/TAP descriptor.
pub(crate) fn tun_get_iff(tun: BorrowedFd<'_>) -> io::Result<(String, i32)> {
    let mut request = request("");
    call(tun, TUNGETIFF, &mut request)?;
    // SAFETY: TUNGETIFF fills in `ifru_flags`, and any bytes are a valid integer.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok((name_of(&request), i32::from(flags)))
}

/// A throw-away socket for asking about interfaces of this network namespace.
pub(crate) struct InterfaceQuery(UdpSocket);

impl InterfaceQuery {
    pub(crate) fn new() -> io::Result<Self> {
        // An ephemeral port of the wildcard address: works without any interface being up, and sends nothing.
        UdpSocket::bind("0.0.0.0:0").map(Self)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.0)
    }

    /// The `IFF_*` flags of the interface (netdevice(7), SIOCGIFFLAGS).
    pub(crate) fn flags(&self, name: &str) -> io::Result<i32> {
        let mut request = request(name);
        call(self.fd(), libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: SIOCGIFFLAGS fills in `ifru_flags`, and any bytes are a valid integer.
        Ok(i32::from(unsafe { request.ifr_ifru.ifru_flags }))
    }

    /// The interface's MTU in bytes, Ethernet header excluded (netdevice(7), SIOCGIFMTU).
    pub(crate) fn mtu(&self, name: &str) -> io::Result<i32> {
        let mut request = request(name);
        call(self.fd(), libc::SIOCGIFMTU, &mut request)?;
        // SAFETY: SIOCGIFMTU fills in `ifru_mtu`, and any bytes are a valid integer.
        Ok(unsafe { request.ifr_ifru.ifru_mtu })
    }

    /// Switches generic receive and segmentation offload off, as far as the driver lets it.
    pub(crate) fn disable_offloads(&self, name: &str) {
        for cmd in [ETHTOOL_SGRO, ETHTOOL_SGSO] {
            let mut value = EthtoolValue { cmd, data: 0 };
            let mut request = request(name);
            request.ifr_ifru.ifru_data = (&raw mut value).cast();
            // SAFETY: `request` is a live `ifreq` whose data pointer is to a live, writable `ethtool_value`, as both
            // commands want; the kernel keeps neither pointer. The result is ignored on purpose.
            unsafe { libc::ioctl(self.fd().as_raw_fd(), SIOCETHTOOL, &raw mut request) };
        }
    }
}
