//! The Solo5 ABI as data: what a unikernel and its tender say to each other, with every size and
//! offset checked at compile time.
//!
//! The crate describes Solo5 v0.12's `hvt` and `spt` targets, ABI version 2, on x86_64. It holds
//! layouts, numbers and the checks that belong to them; it does no input or output, allocates
//! nothing, needs no `std` and has no dependency, so that both sides of the ABI can use it.
//!
//! Every structure has `SIZE`, `to_bytes` and `from_bytes`: memory that belongs to somebody else is
//! copied in and out, never referenced. Integers are little-endian; addresses in guest memory are
//! plain `u64`. Bytes that are padding are written as zero.
//!
//! # Example
//!
//! A manifest that declares one network device, as the bytes that an ELF note carries, read back:
//!
//! ```
//! use solo5_abi::manifest::{DeviceType, Entry, Header, Manifest};
//!
//! const SERVICE: Entry = Entry::new("service", DeviceType::NetBasic);
//!
//! let mut note = Vec::new();
//! note.extend(Header::new(2).to_bytes());
//! note.extend(Entry::RESERVED_FIRST.to_bytes());
//! note.extend(SERVICE.to_bytes());
//!
//! let manifest = Manifest::parse(&note)?;
//! let (handle, device) = manifest.find("service", DeviceType::NetBasic).unwrap();
//! assert_eq!(handle, 1);
//! assert_eq!(device, SERVICE);
//! # Ok::<(), solo5_abi::manifest::ParseError>(())
//! ```
//!
//! # Extensions
//!
//! Some things here are not Solo5's. All are agreed upon in bytes of manifest entries, in the union `u`, that Solo5
//! leaves unused, and nothing depends on them:
//!
//! | feature | asked for | granted | what it is |
//! | --- | --- | --- | --- |
//! | [`manifest::NET_OFFLOAD`] | `wanted` of a network device | its `granted` | a frame may carry up to 64 KiB of TCP over IPv4, behind a header of ten bytes ([`net::NetHeader`]) |
//! | [`manifest::NET_OFFLOAD_V6`] | the same, beside it | the same | and over IPv6 |
//! | [`manifest::NET_OFFLOAD_UDP`] | the same, beside both | the same | and of UDP, many datagrams at once |
//! | [`manifest::TENDER_POLL_SET`] | | `granted` of the first entry | a guest can wait for some network devices, or for none, so that frames nobody reads keep nobody awake |
//! | [`manifest::TENDER_SHUTDOWN`] | `wanted` of the first entry | its `granted` | the guest is told that the host wants it to end, and has some time to do so |
//! | [`manifest::TENDER_WRFSBASE`] | | `granted` of the first entry | on spt, a guest can set its thread pointer without a system call |
//! | [`manifest::TENDER_FLUSH`] | `wanted` of the first entry | its `granted` | a flush may go on while the guest does |
//! | [`manifest::BLOCK_WHOLE`] | | `granted` of a block device | a write never makes an image grow again that was cut short while in use |
//! | [`manifest::BLOCK_FLUSH`] | `wanted` of a block device | its `granted` | what was written can be made durable |
//! | [`manifest::BLOCK_MANY`] | `wanted` of a block device | its `granted` | up to 1 MiB in one read or write, and errors that say why |
//! | [`manifest::BLOCK_DISCARD`] | `wanted` of a block device | its `granted` | blocks can be given up, so that the host has their room |
//!
//! For offload, that is:
//!
//! 1. the guest sets [`manifest::NET_OFFLOAD`] in `wanted`, in its own note;
//! 2. a tender that knows the field and can do it sets the bit in `granted`, in the copy that it
//!    hands to the guest, and only then do frames carry headers;
//! 3. [`manifest::NET_OFFLOAD_V6`] likewise, and only then may a frame be TCP over IPv6 that is to be
//!    cut: a guest that does not ask never meets one, and a tender that knows only the first bit
//!    grants only that;
//! 4. [`manifest::NET_OFFLOAD_UDP`] likewise, of UDP.
//!
//! Whoever knows nothing of this meets what Solo5 specifies. A guest of Solo5's own has zeros in
//! `wanted`, so a tender that follows these rules grants nothing. A tender of Solo5's own fills in
//! address and MTU and copies the rest as it is, so a guest that wants the feature reads zero in
//! `granted`. (A guest linked with bindings of Solo5's own, which do not look at `granted`, must not
//! ask.) The sizes and offsets of all else are unchanged, and tools that read manifests do not
//! look at the union.
#![no_std]
#![forbid(unsafe_code)]

mod layout;

pub mod api;
pub mod elf;
pub mod hvt;
pub mod manifest;
pub mod net;
pub mod note;
pub mod spt;

/// Bytes of the buffer that holds a guest's command line, the terminating NUL included: a command
/// line is at most 8191 bytes long.
pub const CMDLINE_SIZE: usize = 8192;
