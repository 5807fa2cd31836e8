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
#![no_std]
#![forbid(unsafe_code)]

mod layout;

pub mod api;
pub mod elf;
pub mod hvt;
pub mod manifest;
pub mod note;
pub mod spt;

/// Bytes of the buffer that holds a guest's command line, the terminating NUL included: a command
/// line is at most 8191 bytes long.
pub const CMDLINE_SIZE: usize = 8192;
