use core::fmt;
use core::mem::offset_of;

use super::name::{NAME_FIELD, NAME_MAX, NameError, check_name};
use crate::layout::layout;

/// Type of the first entry of every manifest. Types from here on up are reserved.
pub const TYPE_RESERVED_FIRST: u32 = 0x4000_0000;

/// The kinds of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum DeviceType {
    /// A block device, read and written one block at a time.
    BlockBasic = 1,
    /// A network device, read and written one Ethernet frame at a time.
    NetBasic = 2,
}

impl DeviceType {
    /// The type with this number, if there is one.
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            1 => Some(Self::BlockBasic),
            2 => Some(Self::NetBasic),
            _ => None,
        }
    }

    /// The type with this name in a manifest's JSON, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "BLOCK_BASIC" => Some(Self::BlockBasic),
            "NET_BASIC" => Some(Self::NetBasic),
            _ => None,
        }
    }

    /// The type's name in a manifest's JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlockBasic => "BLOCK_BASIC",
            Self::NetBasic => "NET_BASIC",
        }
    }
}

impl fmt::Display for DeviceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

layout! {
    /// What a tender tells of an attached block device, in the union `u` of its entry; and what the guest has asked for
    /// there.
    ///
    /// Features are bits: there are [`BLOCK_WHOLE`], [`BLOCK_FLUSH`], [`BLOCK_MANY`] and [`BLOCK_DISCARD`]. Their two
    /// fields are an extension of this project's, in bytes that are zero in a manifest of Solo5's own.
    pub struct BlockProperties, size 16 {
        /// Bytes of the whole device.
        0 => pub capacity: u64,
        /// Bytes of one block.
        8 => pub block_size: u16,
        /// Features that have to be asked for and that the guest can use, written by whoever declares the device.
        10 => pub wanted: u16,
        /// Features that it has, written by the tender.
        12 => pub granted: u16,
    }
}

layout! {
    /// What a tender tells of an attached network device, in the union `u` of its entry; and what
    /// the guest has asked for there.
    ///
    /// Features are bits: there are [`NET_OFFLOAD`], [`NET_OFFLOAD_V6`] and [`NET_OFFLOAD_UDP`]. Their two fields are an
    /// extension of this project's, in bytes that are zero in a manifest of Solo5's own.
    pub struct NetProperties, size 12 {
        /// The guest's own address on this device.
        0 => pub mac: [u8; 6],
        /// Bytes of the largest payload of a frame, without the 14 bytes of Ethernet header.
        6 => pub mtu: u16,
        /// Features that the guest can use, written by whoever declares the device.
        8 => pub wanted: u16,
        /// Those of them that it has, written by the tender.
        10 => pub granted: u16,
    }
}

layout! {
    /// What a tender offers to the guest as a whole, in the union `u` of the first entry of the guest's copy of the
    /// manifest, which stands for no device; and what the guest has asked for there.
    ///
    /// Features are bits: there are [`TENDER_POLL_SET`], [`TENDER_SHUTDOWN`], [`TENDER_WRFSBASE`] and [`TENDER_FLUSH`]. Their two fields are an
    /// extension of this project's, in bytes that are zero in a manifest of Solo5's own.
    pub struct TenderProperties, size 12 {
        /// Zeros.
        0 => pub reserved: [u8; 8],
        /// Features that have to be asked for and that the guest can use, written by the guest.
        8 => pub wanted: u16,
        /// Features that the guest has, written by the tender.
        10 => pub granted: u16,
    }
}

/// The feature of a tender that a guest can wait for some of its network devices, or for none: on hvt by
/// [`Hypercall::PollSet`](crate::hvt::Hypercall::PollSet), on spt by `epoll_ctl(2)` on its epoll set, with
/// `EPOLL_CTL_ADD` and `EPOLL_CTL_DEL` of its own network devices' descriptors.
pub const TENDER_POLL_SET: u16 = 1;

/// The feature of a tender, which a guest has to ask for, that it tells the guest when it is itself asked to end, by SIGTERM
/// or SIGINT, and ends the guest only some time later, or at the second signal. The first entry's index, 0, stands for this
/// among the handles of network devices: on hvt bit 0 of a [`PollSet`](crate::hvt::PollSet), which is then set in each
/// answer; on spt the data word of an event in the epoll set, which comes once.
pub const TENDER_SHUTDOWN: u16 = 2;

/// What a tender says of spt's host: a guest may set its thread pointer by the instruction WRFSBASE, which takes a processor
/// that has it and a kernel that has turned it on. `arch_prctl(2)` does it in any case. On hvt the guest can turn it on itself.
pub const TENDER_WRFSBASE: u16 = 4;

/// The feature of a tender, which a guest has to ask for, that a flush of a device that has [`BLOCK_FLUSH`] may go on while the
/// guest does, one at a time for each device. The device's handle stands for its end among those of network devices.
///
/// On hvt it is begun by [`Hypercall::FlushBegin`](crate::hvt::Hypercall::FlushBegin); from its end on the handle's bit is set
/// in each answer to a [`PollSet`](crate::hvt::PollSet), until [`Hypercall::FlushEnd`](crate::hvt::Hypercall::FlushEnd) has
/// told what came of it. On spt the tender's copy of the entry has two descriptors, [`Entry::flush_fds`], that are eventfds:
/// eight bytes written to the first, the number 1, begin a flush; at its end the second can be read, which is an event in the
/// epoll set with the handle as its data word, and holds 1 if the flush has succeeded and another number if not.
///
/// Such a flush covers every write that returned before it was begun, and of later ones any or none; for what follows a failure
/// see [`BLOCK_FLUSH`]. On spt it is for the guest to keep from `fdatasync(2)` until it has read what came of a flush that
/// it has begun, since the kernel tells of an error only one of the two.
///
/// The bit is none of a block device, so that bindings may tell it among those.
pub const TENDER_FLUSH: u16 = 0x100;

/// The feature of a block device that a write never makes an image grow again that was cut short while in use: on hvt the
/// tender looks before each write, on spt the guest does, by `lseek(2)` on the device's descriptor, with offset 0 and
/// `SEEK_END`.
pub const BLOCK_WHOLE: u16 = 1;

/// The feature of a block device, which a guest has to ask for, that what was written can be made durable: on hvt by
/// [`Hypercall::BlockFlush`](crate::hvt::Hypercall::BlockFlush), on spt by `fdatasync(2)` on the device's descriptor.
///
/// A flush that succeeds covers every write that returned before it began. One that fails covers none, and no later flush
/// of that image may succeed: the host's kernel reports a failed write to the disk once and may then forget what it was to
/// write, so that a later success would say nothing of it. On hvt the tender remembers that, on spt the guest does.
pub const BLOCK_FLUSH: u16 = 2;

/// The feature of a block device, which a guest has to ask for, that one read or write may carry any whole number of blocks
/// up to [`BLOCK_MANY_MAX`](crate::api::BLOCK_MANY_MAX) bytes, by the hypercalls and system calls that otherwise carry one;
/// on spt the filter then takes any number of bytes up to that within the image, so that the rest of a transfer that was
/// cut off can be asked for. On hvt these calls then answer [`Enospc`](crate::api::SolResult::Enospc) and
/// [`Eshrunk`](crate::api::SolResult::Eshrunk), too. (Solo5's tenders take what is one block, and no guest of its own sends
/// anything else.)
pub const BLOCK_MANY: u16 = 4;

/// The feature of a block device, which a guest has to ask for, that blocks can be given up, so that the host has their room:
/// on hvt by [`Hypercall::BlockDiscard`](crate::hvt::Hypercall::BlockDiscard), on spt by `fallocate(2)` on the device's
/// descriptor, with `FALLOC_FL_PUNCH_HOLE` and `FALLOC_FL_KEEP_SIZE`.
pub const BLOCK_DISCARD: u16 = 8;

/// The feature of a network device that frames carry a [`NetHeader`](crate::net::NetHeader), by
/// which checksums and segmentation are left to the other side.
pub const NET_OFFLOAD: u16 = 1;

/// The feature of a network device that segmentation is left to the other side for TCP over IPv6 as it is for TCP over IPv4:
/// a header may say [`GSO_TCPV6`](crate::net::NetHeader::GSO_TCPV6). It is asked for and granted beside [`NET_OFFLOAD`],
/// and without that means nothing. What [`NET_OFFLOAD`] says of checksums holds for both families by itself.
pub const NET_OFFLOAD_V6: u16 = 2;

/// The feature of a network device that segmentation is left to the other side for UDP, over IPv4 and IPv6, too: a header may
/// say [`GSO_UDP`](crate::net::NetHeader::GSO_UDP). It is asked for and granted beside [`NET_OFFLOAD`] and
/// [`NET_OFFLOAD_V6`], and without both means nothing.
pub const NET_OFFLOAD_UDP: u16 = 4;

/// One entry of a manifest (`struct mft_entry`), 104 bytes aligned to 8.
///
/// It has no byte of implicit padding, so a `static` of it is laid out in full.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct Entry {
    name: [u8; NAME_FIELD],
    raw_type: u32,
    /// The C union `u`: `u64` capacity and `u16` block size, or 6 bytes of MAC and `u16` MTU; then `u16` each of wanted
    /// and granted features.
    properties: [u8; 16],
    /// The C union `b`: an `int` descriptor of the tender's, or a pointer of its own. Behind the former, `u16` each of the
    /// descriptors that begin a flush and tell its end.
    binding: [u8; 8],
    pub(super) attached: u8,
    padding: [u8; 7],
}

const _: () = {
    assert!(size_of::<Entry>() == 104);
    assert!(align_of::<Entry>() == 8);
    assert!(offset_of!(Entry, name) == 0);
    assert!(offset_of!(Entry, raw_type) == 68);
    assert!(offset_of!(Entry, properties) == 72);
    assert!(offset_of!(Entry, binding) == 88);
    assert!(offset_of!(Entry, attached) == 96);
    assert!(offset_of!(Entry, padding) == 97);
};

/// The features of network devices.
const NET_FEATURES: u16 = NET_OFFLOAD | NET_OFFLOAD_V6 | NET_OFFLOAD_UDP;
/// The features of block devices that have to be asked for.
const BLOCK_FEATURES: u16 = BLOCK_FLUSH | BLOCK_MANY | BLOCK_DISCARD;

/// Where the features that are asked for lie in `properties` of an entry of this type, and which ones there are.
const fn features(raw_type: u32) -> Option<(usize, u16)> {
    const NET: u32 = DeviceType::NetBasic as u32;
    const BLOCK: u32 = DeviceType::BlockBasic as u32;
    match raw_type {
        NET => Some((offset_of!(NetProperties, wanted), NET_FEATURES)),
        BLOCK => Some((offset_of!(BlockProperties, wanted), BLOCK_FEATURES)),
        TYPE_RESERVED_FIRST => Some((
            offset_of!(TenderProperties, wanted),
            TENDER_SHUTDOWN | TENDER_FLUSH,
        )),
        _ => None,
    }
}

impl Entry {
    /// Bytes that an entry takes.
    pub const SIZE: usize = size_of::<Self>();

    /// The first entry of every manifest.
    pub const RESERVED_FIRST: Self = Self::with_raw_type([0; NAME_FIELD], TYPE_RESERVED_FIRST);

    const fn with_raw_type(name: [u8; NAME_FIELD], raw_type: u32) -> Self {
        Self {
            name,
            raw_type,
            properties: [0; 16],
            binding: [0; 8],
            attached: 0,
            padding: [0; 7],
        }
    }

    /// An entry that declares a device.
    ///
    /// It is meant for statics and constants, where a bad name ends the compilation:
    ///
    /// ```compile_fail
    /// use solo5_abi::manifest::{DeviceType, Entry};
    /// const DISK: Entry = Entry::new("my disk", DeviceType::BlockBasic);
    /// # fn main() { println!("{DISK:?}") }
    /// ```
    ///
    /// # Panics
    ///
    /// When the name is not 1 to 67 ASCII letters and digits; [`try_new`](Self::try_new) does not.
    pub const fn new(name: &str, device_type: DeviceType) -> Self {
        match Self::try_new(name, device_type) {
            Ok(entry) => entry,
            Err(NameError::Empty) => panic!("the name of a Solo5 device is empty"),
            Err(NameError::TooLong { .. }) => {
                panic!("the name of a Solo5 device has more than 67 bytes")
            }
            Err(NameError::NotAlphanumeric { .. }) => {
                panic!(
                    "the name of a Solo5 device holds something else than ASCII letters and digits"
                )
            }
        }
    }

    /// An entry that declares a device.
    ///
    /// # Errors
    ///
    /// When the name is not 1 to 67 ASCII letters and digits.
    pub const fn try_new(name: &str, device_type: DeviceType) -> Result<Self, NameError> {
        if let Err(error) = check_name(name) {
            return Err(error);
        }
        let mut field = [0; NAME_FIELD];
        let (start, _) = field.split_at_mut(name.len());
        start.copy_from_slice(name.as_bytes());
        Ok(Self::with_raw_type(field, device_type as u32))
    }

    /// The entry, which declares a device, asking for features of it: bits such as [`NET_OFFLOAD`] or [`BLOCK_FLUSH`].
    ///
    /// # Panics
    ///
    /// When devices of its type have not all of these.
    #[must_use]
    pub const fn wanting(mut self, wanted: u16) -> Self {
        match features(self.raw_type) {
            Some((at, known)) if !self.is_reserved() && wanted & !known == 0 => {
                [self.properties[at], self.properties[at + 1]] = wanted.to_le_bytes();
            }
            _ => panic!("a device of this type does not have these features to ask for"),
        }
        self
    }

    /// The features that the declaration of a device asks for, those that are known.
    pub const fn wanted(&self) -> u16 {
        match self.is_reserved() {
            true => 0,
            false => self.known_wanted(),
        }
    }

    const fn known_wanted(&self) -> u16 {
        match features(self.raw_type) {
            Some((at, known)) => {
                u16::from_le_bytes([self.properties[at], self.properties[at + 1]]) & known
            }
            None => 0,
        }
    }

    /// The entry as it lies in memory.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..68].copy_from_slice(&self.name);
        bytes[68..72].copy_from_slice(&self.raw_type.to_le_bytes());
        bytes[72..88].copy_from_slice(&self.properties);
        bytes[88..96].copy_from_slice(&self.binding);
        bytes[96] = self.attached;
        bytes
    }

    /// The entry read from memory, as it is: [`Manifest::parse`](super::Manifest::parse) checks.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        use crate::layout::Field;
        Self {
            name: Field::get(&bytes[..68]),
            raw_type: Field::get(&bytes[68..72]),
            properties: Field::get(&bytes[72..88]),
            binding: Field::get(&bytes[88..96]),
            attached: bytes[96],
            padding: [0; 7],
        }
    }

    /// The name up to its first NUL. Names in files need not keep to the alphabet of
    /// [`check_name`].
    pub fn name_bytes(&self) -> &[u8] {
        let len = self.name.iter().position(|&byte| byte == 0);
        &self.name[..len.unwrap_or(NAME_FIELD)]
    }

    /// The name, if it is UTF-8.
    pub fn name(&self) -> Option<&str> {
        core::str::from_utf8(self.name_bytes()).ok()
    }

    pub(super) fn name_is_terminated(&self) -> bool {
        self.name[NAME_MAX] == 0
    }

    /// The number of the device's type.
    pub const fn raw_type(&self) -> u32 {
        self.raw_type
    }

    /// The device's type, if it is known.
    pub const fn device_type(&self) -> Option<DeviceType> {
        DeviceType::from_raw(self.raw_type)
    }

    /// Whether the type is one of those that stand for no device.
    pub const fn is_reserved(&self) -> bool {
        self.raw_type >= TYPE_RESERVED_FIRST
    }

    /// Whether a tender attached the device.
    pub const fn is_attached(&self) -> bool {
        self.attached != 0
    }

    /// The tender's descriptor; it means something to the guest on `spt` only.
    pub fn host_fd(&self) -> i32 {
        let [a, b, c, d, ..] = self.binding;
        i32::from_le_bytes([a, b, c, d])
    }

    /// The tender's descriptors of [`TENDER_FLUSH`], that which begins a flush and that which tells its end; both zero if there
    /// are none. They mean something to the guest on `spt` only.
    pub fn flush_fds(&self) -> [u16; 2] {
        let [.., a, b, c, d] = self.binding;
        [[a, b], [c, d]].map(u16::from_le_bytes)
    }

    /// The entry of an attached block device, with these [`flush_fds`](Self::flush_fds).
    #[must_use]
    pub fn with_flush_fds(mut self, fds: [u16; 2]) -> Self {
        let [[a, b], [c, d]] = fds.map(u16::to_le_bytes);
        self.binding[4..].copy_from_slice(&[a, b, c, d]);
        self
    }

    /// The properties, if this is an attached block device.
    pub fn block(&self) -> Option<BlockProperties> {
        let is_block = self.device_type() == Some(DeviceType::BlockBasic);
        (is_block && self.is_attached()).then(|| BlockProperties::from_bytes(&self.properties))
    }

    /// The properties, if this is an attached network device.
    pub fn net(&self) -> Option<NetProperties> {
        let is_net = self.device_type() == Some(DeviceType::NetBasic);
        let (properties, _) = self.properties.split_first_chunk()?;
        (is_net && self.is_attached()).then(|| NetProperties::from_bytes(properties))
    }

    /// The entry as declared: name, type and wanted features are kept, all that a tender fills in is
    /// cleared.
    pub const fn detached(self) -> Self {
        let entry = Self::with_raw_type(self.name, self.raw_type);
        match self.wanted() {
            0 => entry,
            wanted => entry.wanting(wanted),
        }
    }

    /// The features of the tender that the guest asks for in the first entry of its manifest, those that are known.
    pub const fn tender_wanted(&self) -> u16 {
        match self.raw_type {
            TYPE_RESERVED_FIRST => self.known_wanted(),
            _ => 0,
        }
    }

    /// The first entry of every manifest, in which a tender tells what it offers.
    pub fn first(tender: TenderProperties) -> Self {
        let mut entry = Self::RESERVED_FIRST;
        entry.properties[..TenderProperties::SIZE].copy_from_slice(&tender.to_bytes());
        entry
    }

    /// The entry with a block device attached, of whatever type it was declared.
    pub fn with_block(self, host_fd: i32, block: BlockProperties) -> Self {
        self.with_properties(DeviceType::BlockBasic, host_fd, &block.to_bytes())
    }

    /// The entry with a network device attached, of whatever type it was declared.
    pub fn with_net(self, host_fd: i32, net: NetProperties) -> Self {
        self.with_properties(DeviceType::NetBasic, host_fd, &net.to_bytes())
    }

    fn with_properties(self, device_type: DeviceType, host_fd: i32, properties: &[u8]) -> Self {
        let mut entry = Self::with_raw_type(self.name, device_type as u32);
        entry.properties[..properties.len()].copy_from_slice(properties);
        entry.binding[..4].copy_from_slice(&host_fd.to_le_bytes());
        entry.attached = 1;
        entry
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Entry");
        debug.field(
            "name",
            &format_args!("\"{}\"", self.name_bytes().escape_ascii()),
        );
        match self.device_type() {
            Some(device_type) => debug.field("type", &device_type),
            None => debug.field("type", &format_args!("{:#x}", self.raw_type)),
        };
        if let Some(block) = self.block() {
            debug.field("block", &block);
        }
        if let Some(net) = self.net() {
            debug.field("net", &net);
        }
        debug.finish_non_exhaustive()
    }
}
