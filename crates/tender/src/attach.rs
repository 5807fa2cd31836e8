//! The devices of the command line, opened and matched with those that the unikernel declares.

mod block;

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use hostdev::{BlockError, Cable, MacAddress, Offload, Tap, TapError};
use solo5_abi::manifest::{
    DeviceType, Entry, Header, Manifest, NET_OFFLOAD, NET_OFFLOAD_UDP, NET_OFFLOAD_V6,
    NetProperties, TENDER_FLUSH, TENDER_POLL_SET, TENDER_SHUTDOWN, TenderProperties,
};

use crate::Tender;
use crate::options::{NetSource, Options};
use crate::user::Plan;
use crate::wire::{Behind, Wire, WireError};

pub use block::BlockDevice;

/// Why the devices asked for cannot be attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// An option names a device that the unikernel does not declare.
    #[error(
        "option {option}:{name} names no device of this unikernel: its manifest declares {declared}"
    )]
    Undeclared {
        /// The option, without its value.
        option: &'static str,
        /// The name.
        name: String,
        /// What is declared, for the reader.
        declared: String,
    },
    /// A network device cannot be attached.
    #[error("cannot attach network device {name:?}: {source}")]
    Net {
        /// The device.
        name: String,
        /// Why not.
        source: TapError,
    },
    /// A network device that is no TAP interface cannot be attached.
    #[error("cannot attach network device {name:?}: {source}")]
    Wire {
        /// The device.
        name: String,
        /// Why not.
        source: WireError,
    },
    /// No random MAC address could be made.
    #[error("cannot make a MAC address for network device {name:?} from /dev/urandom: {source}")]
    Mac {
        /// The device.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// A block device cannot be attached.
    #[error("cannot attach block device {name:?}: {source}")]
    Block {
        /// The device.
        name: String,
        /// Why not.
        source: BlockError,
    },
    /// What it takes to flush a block device while the guest goes on cannot be had.
    #[error("cannot prepare to flush block device {name:?}: {source}")]
    Flush {
        /// The device.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// The unikernel declares devices that nothing is attached to.
    #[error("{} declared by the unikernel not attached: {}", count(.0.len()), .0.join(", "))]
    Missing(
        /// The option that each of them needs.
        Vec<String>,
    ),
}

fn count(devices: usize) -> String {
    if devices == 1 {
        "1 device".to_owned()
    } else {
        format!("{devices} devices")
    }
}

/// An attached network device.
#[derive(Debug)]
pub struct NetDevice {
    /// Its handle, the index in the manifest.
    pub handle: usize,
    /// The host's side of it.
    pub interface: Interface,
}

/// What carries a network device's frames.
#[derive(Debug)]
pub enum Interface {
    /// A TAP interface.
    Tap(Tap),
    /// A cable to a process of this tender's.
    Cable(Cable),
}

/// All devices of a unikernel, attached.
#[derive(Debug)]
pub struct Devices {
    /// Network devices by ascending handle.
    pub net: Vec<NetDevice>,
    /// Block devices by ascending handle.
    pub block: Vec<BlockDevice>,
    /// Seconds that the guest has to end, if it asks to be told when it shall.
    pub shutdown: Option<u32>,
    /// What the guest is told before its own arguments.
    pub(crate) words: Vec<String>,
    wires: Vec<Wire>,
    /// Whether the guest asks for flushes that go on while it does.
    flushes: bool,
    entries: Vec<Entry>,
}

impl Interface {
    fn mtu(&self) -> u16 {
        match self {
            Self::Tap(tap) => tap.mtu(),
            Self::Cable(cable) => cable.mtu(),
        }
    }

    /// What it is called, for a message.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Tap(tap) => tap.name(),
            Self::Cable(_) => "cable",
        }
    }

    /// The features that the guest has for this.
    fn granted(&self) -> u16 {
        let offload = match self {
            Self::Tap(tap) => tap.offload(),
            Self::Cable(_) => None,
        };
        match offload {
            None => 0,
            Some(Offload::Tcp4) => NET_OFFLOAD,
            Some(Offload::Tcp4AndTcp6) => NET_OFFLOAD | NET_OFFLOAD_V6,
            Some(Offload::TcpAndUdp) => NET_OFFLOAD | NET_OFFLOAD_V6 | NET_OFFLOAD_UDP,
        }
    }
}

impl AsFd for Interface {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tap(tap) => tap.as_fd(),
            Self::Cable(cable) => cable.as_fd(),
        }
    }
}

impl AsRawFd for Interface {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Devices {
    /// Opens what `options` attach to the devices of `manifest`.
    ///
    /// # Errors
    ///
    /// When an option names no declared device, when something cannot be opened, or when a declared device is left
    /// without anything.
    pub fn attach(manifest: &Manifest<'_>, options: &Options) -> Result<Self, AttachError> {
        check_declared(manifest, options)?;
        let mut devices = Self {
            net: Vec::new(),
            block: Vec::new(),
            shutdown: None,
            words: Vec::new(),
            wires: Vec::new(),
            flushes: false,
            entries: Vec::new(),
        };
        let first = manifest.entries().next();
        let wanted = first.map_or(0, |first| first.tender_wanted());
        if wanted & TENDER_SHUTDOWN != 0 {
            devices.shutdown = Some(options.shutdown_timeout).filter(|&seconds| seconds > 0);
        }
        devices.flushes = wanted & TENDER_FLUSH != 0;
        let mut missing = Vec::new();
        for (handle, entry) in manifest.entries().enumerate() {
            // The file may hold properties of its own; those count for nothing, but for the features that it asks for.
            let entry = entry.detached();
            // A guest finds the first device of a name: a second one would never be used.
            let repeated = is_repeated(manifest, handle, &entry);
            let attached = if repeated {
                None
            } else {
                devices.attach_entry(handle, entry, options)?
            };
            if attached.is_none() && !entry.is_reserved() {
                missing.push(wanted_option(&entry, repeated));
            }
            devices.entries.push(attached.unwrap_or(entry));
        }
        if missing.is_empty() {
            Ok(devices)
        } else {
            Err(AttachError::Missing(missing))
        }
    }

    /// The entry with its device attached, if an option says to what.
    fn attach_entry(
        &mut self,
        handle: usize,
        entry: Entry,
        options: &Options,
    ) -> Result<Option<Entry>, AttachError> {
        let Some(name) = entry.name() else {
            return Ok(None);
        };
        match entry.device_type() {
            Some(DeviceType::NetBasic) => {
                let Some(source) = options.net.get(name) else {
                    return Ok(None);
                };
                let interface = self.open_net(name, source, entry.wanted(), options)?;
                let properties = NetProperties {
                    mac: mac_address(name, options)?.0,
                    mtu: interface.mtu(),
                    wanted: entry.wanted(),
                    granted: interface.granted(),
                };
                let attached = entry.with_net(interface.as_raw_fd(), properties);
                self.net.push(NetDevice { handle, interface });
                Ok(Some(attached))
            }
            Some(DeviceType::BlockBasic) => {
                let Some(path) = options.block.get(name) else {
                    return Ok(None);
                };
                let size = options.block_size.get(name).copied().unwrap_or_default();
                let (device, attached) = block::open(handle, entry, path, size, self.flushes)?;
                self.block.push(device);
                Ok(Some(attached))
            }
            None => Ok(None),
        }
    }

    /// Opens what is to carry a network device's frames.
    fn open_net(
        &mut self,
        name: &str,
        source: &NetSource,
        wanted: u16,
        options: &Options,
    ) -> Result<Interface, AttachError> {
        let large = options.mem >= LARGE_FRAME_MEMORY;
        match source {
            NetSource::Interface(interface) if large && wanted & NET_OFFLOAD != 0 => {
                let offload = match [NET_OFFLOAD_V6, NET_OFFLOAD_UDP].map(|bit| wanted & bit != 0) {
                    [false, _] => Offload::Tcp4,
                    [true, false] => Offload::Tcp4AndTcp6,
                    [true, true] => Offload::TcpAndUdp,
                };
                open_tap(name, Tap::open_with_offload(interface, offload))
            }
            NetSource::Interface(interface) => open_tap(name, Tap::open(interface)),
            NetSource::Descriptor(fd) => open_tap(name, Tap::from_inherited(*fd)),
            NetSource::User(network) => {
                let plan = Plan::new(network, self.wires.len(), options, large);
                // Of more than one it would not know which is meant.
                let users = options
                    .net
                    .values()
                    .filter(|source| matches!(source, NetSource::User(_)));
                if !network.no_arguments && users.count() == 1 {
                    self.words = plan.words(options, wanted != 0);
                }
                self.cable(name, plan.passt.mtu, Behind::Passt(plan.into()))
            }
            NetSource::Socket(path, mtu) => self.cable(name, *mtu, Behind::Socket(path.clone())),
        }
    }

    fn cable(&mut self, name: &str, mtu: u16, to: Behind) -> Result<Interface, AttachError> {
        let (cable, wire) = Wire::new(name, mtu, to).map_err(|source| AttachError::Wire {
            name: name.to_owned(),
            source,
        })?;
        self.wires.push(wire);
        Ok(Interface::Cable(cable))
    }

    /// Has something at the other ends of cables: processes of their own, so that this must be done by a single thread, and
    /// while little is mapped.
    pub(crate) fn start_wires(
        &mut self,
        tender: Tender,
        options: &Options,
    ) -> Result<(), AttachError> {
        for wire in self.wires.drain(..) {
            let name = wire.name.clone();
            wire.start(tender, options)
                .map_err(|source| AttachError::Wire { name, source })?;
        }
        Ok(())
    }

    /// The descriptors of all of them.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let net = self.net.iter().map(|device| device.interface.as_raw_fd());
        net.chain(self.block.iter().flat_map(BlockDevice::descriptors))
    }

    /// The manifest that the guest is given: as declared, with what was attached and what the tender offers filled in, to which
    /// belongs what `host` says of the host: [`TENDER_WRFSBASE`](solo5_abi::manifest::TENDER_WRFSBASE), or 0.
    #[must_use]
    pub fn manifest(&self, host: u16) -> Vec<u8> {
        let header = Header::new(
            u32::try_from(self.entries.len()).expect("a valid manifest has 64 entries at most"),
        );
        let mut bytes = header.to_bytes().to_vec();
        let flush = if self.flushes { TENDER_FLUSH } else { 0 };
        let offers = Entry::first(TenderProperties {
            granted: TENDER_POLL_SET | self.shutdown.map_or(0, |_| TENDER_SHUTDOWN) | flush | host,
            ..Default::default()
        });
        bytes.extend(offers.to_bytes());
        for entry in self.entries.iter().skip(1) {
            bytes.extend(entry.to_bytes());
        }
        bytes
    }
}

/// Octets of memory below which a guest is given no frames of 64 KiB: a few of them, and buffers for them, would be all of
/// its heap.
const LARGE_FRAME_MEMORY: u64 = 8 << 20;

fn open_tap(name: &str, source: Result<Tap, TapError>) -> Result<Interface, AttachError> {
    let tap = source.map_err(|source| AttachError::Net {
        name: name.to_owned(),
        source,
    })?;
    Ok(Interface::Tap(tap))
}

fn mac_address(name: &str, options: &Options) -> Result<MacAddress, AttachError> {
    match options.net_mac.get(name) {
        Some(mac) if !mac.is_zero() => Ok(*mac),
        _ => MacAddress::random().map_err(|source| AttachError::Mac {
            name: name.to_owned(),
            source,
        }),
    }
}

fn check_declared(manifest: &Manifest<'_>, options: &Options) -> Result<(), AttachError> {
    let net = options
        .net
        .keys()
        .map(|name| ("--net", name, DeviceType::NetBasic));
    let net_mac = options
        .net_mac
        .keys()
        .map(|name| ("--net-mac", name, DeviceType::NetBasic));
    let block = options
        .block
        .keys()
        .map(|name| ("--block", name, DeviceType::BlockBasic));
    let block_size = options
        .block_size
        .keys()
        .map(|name| ("--block-sector-size", name, DeviceType::BlockBasic));
    for (option, name, device_type) in net.chain(net_mac).chain(block).chain(block_size) {
        if manifest.find(name, device_type).is_none() {
            let declared = declared(manifest);
            return Err(AttachError::Undeclared {
                option,
                name: name.clone(),
                declared,
            });
        }
    }
    Ok(())
}

/// The devices of a manifest for a message: `service (NET_BASIC), disk (BLOCK_BASIC)`.
fn declared(manifest: &Manifest<'_>) -> String {
    let mut text = String::new();
    for (_, entry) in manifest.devices() {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = match entry.device_type() {
            Some(kind) => write!(
                text,
                "{separator}{} ({kind})",
                entry.name_bytes().escape_ascii()
            ),
            None => write!(
                text,
                "{separator}{} (type {:#x})",
                entry.name_bytes().escape_ascii(),
                entry.raw_type()
            ),
        };
    }
    if text.is_empty() {
        "no device".to_owned()
    } else {
        text
    }
}

/// Whether a device of the same name and type stands before this one.
fn is_repeated(manifest: &Manifest<'_>, handle: usize, entry: &Entry) -> bool {
    let (Some(name), Some(device_type)) = (entry.name(), entry.device_type()) else {
        return false;
    };
    manifest
        .find(name, device_type)
        .is_some_and(|(first, _)| first != handle)
}

/// The option that attaches a device, for a message.
fn wanted_option(entry: &Entry, repeated: bool) -> String {
    let name = entry.name_bytes().escape_ascii();
    match entry.device_type() {
        _ if repeated => format!("{name} (declared twice)"),
        Some(DeviceType::NetBasic) => format!("--net:{name}=IFACE (NET_BASIC)"),
        Some(DeviceType::BlockBasic) => format!("--block:{name}=PATH (BLOCK_BASIC)"),
        None => format!(
            "{name} (unknown type {:#x}, no option attaches it)",
            entry.raw_type()
        ),
    }
}
