//! The ioctls on network interfaces, each as a safe function.

use std::fs::File;
use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use crate::tap::Offload;

/// `TUNGETIFF`: which interface is this TUN/TAP descriptor attached to (linux/if_tun.h).
const TUNGETIFF: libc::Ioctl = 0x8004_54d2;
/// `TUNGETFEATURES`: which flags does `TUNSETIFF` know.
const TUNGETFEATURES: libc::Ioctl = 0x8004_54cf;
/// `TUNGETDEVNETNS`: a descriptor of the network namespace that the interface lives in, since Linux 5.4.
const TUNGETDEVNETNS: libc::Ioctl = 0x54e3;
/// `TUNSETOFFLOAD`: what may be left to whoever reads the descriptor, as `TUN_F_*` bits.
const TUNSETOFFLOAD: libc::Ioctl = 0x4004_54d0;
/// `TUNSETPERSIST`: whether the interface stays when its last descriptor is closed.
const TUNSETPERSIST: libc::Ioctl = 0x4004_54cb;
/// `TUNSETVNETHDRSZ` and `TUNSETVNETLE`: bytes of the virtio-net header, and its byte order.
const TUNSETVNETHDRSZ: libc::Ioctl = 0x4004_54d8;
const TUNSETVNETLE: libc::Ioctl = 0x4004_54dc;
/// `TUN_F_CSUM|TUN_F_TSO4|TUN_F_TSO_ECN`, and `TUN_F_TSO6`, all of them as old as `TUNSETOFFLOAD`; and
/// `TUN_F_USO4|TUN_F_USO6`, since Linux 6.2.
const TCP4: libc::c_ulong = 1 | 2 | 8;
const TCP6: libc::c_ulong = 4;
const UDP: libc::c_ulong = 0x20 | 0x40;
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

fn same_file(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
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

/// Attaches a `/dev/net/tun` descriptor to the TAP `name`, with or without a virtio-net header in front of each frame;
/// the name the kernel chose.
pub(crate) fn tun_set_iff(tun: BorrowedFd<'_>, name: &str, header: bool) -> io::Result<String> {
    let mut request = request(name);
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | if header { libc::IFF_VNET_HDR } else { 0 };
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    call(tun, libc::TUNSETIFF, &mut request)?;
    Ok(name_of(&request))
}

/// Keeps the interface of an attached TUN/TAP descriptor when that is closed.
pub(crate) fn tun_persist(tun: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: TUNSETPERSIST takes a number in place of a pointer.
    match unsafe { libc::ioctl(tun.as_raw_fd(), TUNSETPERSIST, 1 as libc::c_ulong) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The interface and the `IFF_*` flags of an attached TUN/TAP descriptor.
pub(crate) fn tun_get_iff(tun: BorrowedFd<'_>) -> io::Result<(String, i32)> {
    let mut request = request("");
    call(tun, TUNGETIFF, &mut request)?;
    // SAFETY: TUNGETIFF fills in `ifru_flags`, and any bytes are a valid integer.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok((name_of(&request), i32::from(flags)))
}

/// The network namespace of the interface that the TUN/TAP descriptor is attached to. It takes CAP_NET_ADMIN there.
pub(crate) fn tun_namespace(tun: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: TUNGETDEVNETNS takes no argument.
    let fd = unsafe { libc::ioctl(tun.as_raw_fd(), TUNGETDEVNETNS) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above has opened it, and nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The hardware address of the interface that the TUN/TAP descriptor is attached to.
pub(crate) fn tun_hardware_address(tun: BorrowedFd<'_>) -> io::Result<[u8; 6]> {
    hardware_address(tun, request(""))
}

fn hardware_address(fd: BorrowedFd<'_>, mut request: libc::ifreq) -> io::Result<[u8; 6]> {
    call(fd, libc::SIOCGIFHWADDR, &mut request)?;
    // SAFETY: SIOCGIFHWADDR fills in `ifru_hwaddr`, and any bytes are valid integers.
    let data = unsafe { request.ifr_ifru.ifru_hwaddr.sa_data };
    Ok([0, 1, 2, 3, 4, 5].map(|index: usize| data[index].cast_unsigned()))
}

/// Whether the kernel can put a virtio-net header in front of each frame.
pub(crate) fn tun_has_header(tun: BorrowedFd<'_>) -> bool {
    let mut features: libc::c_uint = 0;
    // SAFETY: TUNGETFEATURES writes one `unsigned int`, which `features` is.
    let result = unsafe { libc::ioctl(tun.as_raw_fd(), TUNGETFEATURES, &raw mut features) };
    result == 0 && features & libc::IFF_VNET_HDR.cast_unsigned() != 0
}

/// Has the attached TAP, whose frames carry headers, leave checksums and segmentation to whoever reads them; that of UDP only
/// where the kernel knows it. What it does.
pub(crate) fn tun_enable_offload(tun: BorrowedFd<'_>, offload: Offload) -> io::Result<Offload> {
    let set = |number, value: libc::c_int| {
        // SAFETY: both numbers read one `int`, which `value` is.
        match unsafe { libc::ioctl(tun.as_raw_fd(), number, &raw const value) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // A persistent TAP keeps what its last user set.
    set(TUNSETVNETHDRSZ, crate::OFFLOAD_HEADER_LEN as libc::c_int)?;
    set(TUNSETVNETLE, 1)?;
    if offload == Offload::TcpAndUdp && tun_set_offload(tun, TCP4 | TCP6 | UDP).is_ok() {
        return Ok(offload);
    }
    let (offload, offloads) = match offload {
        Offload::Tcp4 => (offload, TCP4),
        Offload::Tcp4AndTcp6 | Offload::TcpAndUdp => (Offload::Tcp4AndTcp6, TCP4 | TCP6),
    };
    tun_set_offload(tun, offloads)?;
    Ok(offload)
}

/// Has the attached TAP finish every frame before it is read.
pub(crate) fn tun_disable_offload(tun: BorrowedFd<'_>) {
    // No kernel refuses to leave nothing undone; one that knows no offload does not have to be told.
    let _ = tun_set_offload(tun, 0);
}

fn tun_set_offload(tun: BorrowedFd<'_>, offloads: libc::c_ulong) -> io::Result<()> {
    // SAFETY: the argument of TUNSETOFFLOAD is a number.
    match unsafe { libc::ioctl(tun.as_raw_fd(), TUNSETOFFLOAD, offloads) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A throw-away socket for asking about the interfaces of the network namespace that it was made in.
pub(crate) struct InterfaceQuery(UdpSocket);

impl InterfaceQuery {
    pub(crate) fn new() -> io::Result<Self> {
        // An ephemeral port of the wildcard address: works without any interface being up, and sends nothing.
        UdpSocket::bind("0.0.0.0:0").map(Self)
    }

    /// For the namespace of the interface that the TUN/TAP descriptor is attached to, as interface `name`; `None` where
    /// that namespace can neither be told to be this process's nor entered.
    pub(crate) fn of_tun(tun: BorrowedFd<'_>, name: &str) -> io::Result<Option<Self>> {
        let own = Self::new()?;
        let namespaces = tun_namespace(tun).and_then(|theirs| {
            let ours = File::open("/proc/thread-self/ns/net")?;
            Ok((File::from(theirs), ours))
        });
        let Ok((namespace, ours)) = namespaces else {
            // Not permitted, an old kernel, or no /proc: an interface of ours that has the very address is the one.
            let theirs = tun_hardware_address(tun)?;
            let ours = hardware_address(own.fd(), request(name));
            return Ok(ours.is_ok_and(|ours| ours == theirs).then_some(own));
        };
        if same_file(&namespace, &ours)? {
            return Ok(Some(own));
        }
        // A namespace is entered by a thread, and this one's is not to change.
        let entered = std::thread::spawn(move || {
            // SAFETY: the call takes no pointer; it changes this thread alone.
            match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
                0 => Self::new().ok(),
                _ => None,
            }
        });
        Ok(entered.join().ok().flatten())
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

    /// Switches generic receive and segmentation offload on or off, as far as the driver lets it.
    pub(crate) fn set_generic_offloads(&self, name: &str, on: bool) {
        for cmd in [ETHTOOL_SGRO, ETHTOOL_SGSO] {
            let data = u32::from(on);
            let mut value = EthtoolValue { cmd, data };
            let mut request = request(name);
            request.ifr_ifru.ifru_data = (&raw mut value).cast();
            // SAFETY: `request` is a live `ifreq` whose data pointer is to a live, writable `ethtool_value`, as both
            // commands want; the kernel keeps neither pointer. The result is ignored on purpose.
            unsafe { libc::ioctl(self.fd().as_raw_fd(), SIOCETHTOOL, &raw mut request) };
        }
    }
}
