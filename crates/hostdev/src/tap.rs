use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use crate::ifreq::{
    InterfaceQuery, tun_disable_offload, tun_enable_offload, tun_get_iff, tun_has_header,
    tun_persist, tun_set_iff,
};

/// The longest interface name (`IFNAMSIZ` less its NUL).
const MAX_NAME: usize = libc::IFNAMSIZ - 1;
/// MTU of an inherited TAP that lives in a network namespace where it cannot be asked for.
const DEFAULT_MTU: u16 = 1500;

/// Why a TAP interface could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The name is empty or too long for the kernel.
    #[error("interface name {0:?} is {len} bytes long: expected 1 to {MAX_NAME}", len = .0.len())]
    NameLength(String),
    /// No such interface in this network namespace.
    #[error(
        "interface {0:?} does not exist: expected a TAP interface; as root: ip tuntap add dev {0} mode tap user USER && \
         ip address add 10.0.0.1/24 dev {0} && ip link set {0} up; or take =user in place of ={0}, a network without root"
    )]
    NotFound(String),
    /// The interface is neither up nor running.
    #[error("interface {0:?} is down (ip link set {0} up)")]
    Down(String),
    /// `/dev/net/tun` cannot be opened.
    #[error("cannot open /dev/net/tun: {0}")]
    OpenTun(#[source] io::Error),
    /// The interface exists but this process cannot be attached to it.
    #[error(
        "cannot attach to interface {name:?}: {source} (expected a TAP interface that nothing else is attached to)"
    )]
    Attach {
        /// The interface.
        name: String,
        /// What TUNSETIFF said.
        source: io::Error,
    },
    /// The kernel attached another interface than the one asked for, as with patterns like `tap%d`.
    #[error("asked for interface {wanted:?}, the kernel attached {attached:?}")]
    Renamed {
        /// The name asked for.
        wanted: String,
        /// The name the kernel chose.
        attached: String,
    },
    /// The inherited descriptor is not open, or cannot be made non-blocking.
    #[error("descriptor {fd} cannot be used: {source}")]
    Descriptor {
        /// The descriptor.
        fd: RawFd,
        /// What the kernel said.
        source: io::Error,
    },
    /// The inherited descriptor is open but is no TAP with plain Ethernet frames.
    #[error(
        "descriptor {fd} is not a TAP attached with IFF_TAP|IFF_NO_PI and no virtio header (flags {flags:#x})"
    )]
    NotTap {
        /// The descriptor.
        fd: RawFd,
        /// Its TUN/TAP flags, 0 when it has none.
        flags: i32,
    },
    /// A property of the interface could not be read.
    #[error("cannot read the {what} of interface {name:?}: {source}")]
    Query {
        /// The interface.
        name: String,
        /// The property.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The MTU does not fit the 16 bits a Solo5 manifest has for it.
    #[error("interface {name:?} has an MTU of {mtu}: expected 1 to 65535")]
    Mtu {
        /// The interface.
        name: String,
        /// Its MTU.
        mtu: i32,
    },
}

/// Which segments are left to be cut to whoever reads an interface; and with them all checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offload {
    /// Those of TCP over IPv4: of IPv6 no frame is longer than the MTU allows.
    Tcp4,
    /// Those of TCP over IPv4 and IPv6.
    Tcp4AndTcp6,
    /// These, and datagrams of UDP over either, where the kernel knows them.
    TcpAndUdp,
}

/// A TAP interface, attached for non-blocking reading and writing of Ethernet frames.
#[derive(Debug)]
pub struct Tap {
    file: File,
    name: String,
    mtu: u16,
    offload: Option<Offload>,
}

impl Tap {
    /// Makes a TAP interface that stays, down, when nothing is attached to it. One that is there already is left as it is.
    ///
    /// # Errors
    ///
    /// When this process may not, or there is another kind of interface, or a TAP in use, of that name.
    pub fn create(name: &str) -> Result<(), TapError> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(TapError::NameLength(name.to_owned()));
        }
        let file = attach_plain(name)?;
        tun_persist(file.as_fd()).map_err(|source| TapError::Attach {
            name: name.to_owned(),
            source,
        })
    }

    /// Attaches to the existing TAP interface `name`, which must be up or running, and switches its GRO, its GSO and
    /// whatever else an earlier user had left to itself off.
    ///
    /// # Errors
    ///
    /// When there is no such interface, when it is down, not a TAP, in use, or this process may not attach to it.
    pub fn open(name: &str) -> Result<Self, TapError> {
        Self::attach(name, None)
    }

    /// As [`open`](Self::open), with that offload where the kernel can do it, which [`offload`](Self::offload)
    /// tells; without any otherwise.
    ///
    /// With offload, each frame that is read or written has [`OFFLOAD_HEADER_LEN`](crate::OFFLOAD_HEADER_LEN) bytes in
    /// front of it, which say whether its checksum is still to be filled in and whether it is TCP or UDP of up to 64 KiB,
    /// whatever the MTU, that is to be cut into segments or datagrams. What is written may be that of either family.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with_offload(name: &str, offload: Offload) -> Result<Self, TapError> {
        Self::attach(name, Some(offload))
    }

    fn attach(name: &str, offload: Option<Offload>) -> Result<Self, TapError> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(TapError::NameLength(name.to_owned()));
        }
        let query = query(name)?;
        // TUNSETIFF would create a missing interface: ask first.
        let flags = query
            .flags(name)
            .map_err(|source| match source.raw_os_error() {
                Some(libc::ENODEV) => TapError::NotFound(name.to_owned()),
                _ => query_error(name, "flags", source),
            })?;
        if flags & (libc::IFF_UP | libc::IFF_RUNNING) == 0 {
            return Err(TapError::Down(name.to_owned()));
        }
        let (file, offload) = match offload.and_then(|offload| attach_offload(name, offload)) {
            Some((file, offload)) => (file, Some(offload)),
            None => (attach_plain(name)?, None),
        };
        let mtu = mtu(&query, name)?;
        query.set_generic_offloads(name, offload.is_some());
        Ok(Self {
            file,
            name: name.to_owned(),
            mtu,
            offload,
        })
    }

    /// Uses a duplicate of the inherited TAP descriptor `fd`, whose open file is made non-blocking.
    ///
    /// The MTU is the interface's, whichever network namespace that lives in; 1500 where that one may not be asked, and
    /// nothing of the interface is changed then.
    ///
    /// # Errors
    ///
    /// When `fd` is not open, or is not a TAP attached with `IFF_TAP|IFF_NO_PI` alone.
    pub fn from_inherited(fd: RawFd) -> Result<Self, TapError> {
        let descriptor_error = |source| TapError::Descriptor { fd, source };
        let owned = duplicate(fd).map_err(descriptor_error)?;
        let (name, flags) = match tun_get_iff(owned.as_fd()) {
            Ok(found) => found,
            Err(_) => return Err(TapError::NotTap { fd, flags: 0 }),
        };
        // Not IFF_TUN, no packet information, no virtio header: bare frames.
        let framing = libc::IFF_TUN | libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
        if flags & framing != libc::IFF_TAP | libc::IFF_NO_PI {
            return Err(TapError::NotTap { fd, flags });
        }
        set_nonblocking(owned.as_fd()).map_err(descriptor_error)?;
        let query = InterfaceQuery::of_tun(owned.as_fd(), &name)
            .map_err(|source| query_error(&name, "network namespace", source))?;
        tun_disable_offload(owned.as_fd());
        let mtu = match query {
            Some(query) => {
                query.set_generic_offloads(&name, false);
                mtu(&query, &name)?
            }
            None => DEFAULT_MTU,
        };
        Ok(Self {
            file: File::from(owned),
            name,
            mtu,
            offload: None,
        })
    }

    /// The interface's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The interface's MTU in bytes when it was attached, the 14-byte Ethernet header excluded.
    #[must_use]
    pub fn mtu(&self) -> u16 {
        self.mtu
    }

    /// Set if each frame has a header in front of it: see [`open_with_offload`](Self::open_with_offload).
    #[must_use]
    pub fn offload(&self) -> Option<Offload> {
        self.offload
    }

    /// Reads one frame, header included, into `buffer`; `None` when none is queued. A longer frame is cut.
    ///
    /// # Errors
    ///
    /// When the kernel refuses, as when the interface has been deleted.
    pub fn read_frame(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match (&self.file).read(buffer) {
                Ok(0) => return Ok(None),
                Ok(len) => return Ok(Some(len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes one frame, header included.
    ///
    /// # Errors
    ///
    /// When the kernel refuses (a frame shorter than 14 bytes, an interface that is down, no room) or cuts the frame.
    pub fn write_frame(&self, frame: &[u8]) -> io::Result<()> {
        loop {
            match (&self.file).write(frame) {
                Ok(len) if len == frame.len() => return Ok(()),
                Ok(_) => return Err(io::Error::from(ErrorKind::WriteZero)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for Tap {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

fn open_tun() -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")
}

fn attach_plain(name: &str) -> Result<File, TapError> {
    let file = open_tun().map_err(TapError::OpenTun)?;
    let attached = tun_set_iff(file.as_fd(), name, false).map_err(|source| TapError::Attach {
        name: name.to_owned(),
        source,
    })?;
    if attached != name {
        return Err(TapError::Renamed {
            wanted: name.to_owned(),
            attached,
        });
    }
    tun_disable_offload(file.as_fd());
    Ok(file)
}

/// The TAP with offload, if it can be had. Otherwise it is left alone, for [`attach_plain`] to say what is wrong.
fn attach_offload(name: &str, offload: Offload) -> Option<(File, Offload)> {
    let file = open_tun().ok()?;
    if !tun_has_header(file.as_fd()) {
        return None;
    }
    let attached = tun_set_iff(file.as_fd(), name, true).ok()?;
    let offload = tun_enable_offload(file.as_fd(), offload).ok()?;
    (attached == name).then_some((file, offload))
}

fn query(name: &str) -> Result<InterfaceQuery, TapError> {
    InterfaceQuery::new().map_err(|source| query_error(name, "properties", source))
}

fn query_error(name: &str, what: &'static str, source: io::Error) -> TapError {
    TapError::Query {
        name: name.to_owned(),
        what,
        source,
    }
}

fn mtu(query: &InterfaceQuery, name: &str) -> Result<u16, TapError> {
    let mtu = query
        .mtu(name)
        .map_err(|source| query_error(name, "MTU", source))?;
    match u16::try_from(mtu) {
        Ok(mtu) if mtu > 0 => Ok(mtu),
        _ => Err(TapError::Mtu {
            name: name.to_owned(),
            mtu,
        }),
    }
}

fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC touches no memory; for a number that is not open it fails with EBADF.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `copy` was opened by the call above and nothing else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_GETFL and F_SETFL touch no memory, and `fd` is open for the length of the borrow.
    let done = unsafe {
        let flags = libc::fcntl(fd.as_raw_fd(), libc::F_GETFL);
        flags >= 0 && libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) >= 0
    };
    if done {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
