//! Solo5 application manifests: the list of devices that a unikernel needs.
//!
//! A manifest is written as JSON (`solo5.manifest`, version 1), lies in the executable as an ELF
//! note, and gets there through a C source file or through the linker. This crate converts between
//! these forms, and [`elf`] reads them back out of executables that nobody vouches for. [`elftool`]
//! does the same from the command line, as Solo5's own tool of that name does.
//!
//! ```
//! use manifest_gen::{DeviceType, Manifest};
//!
//! let manifest = Manifest::from_json(
//!     br#"{
//!         "type": "solo5.manifest",
//!         "version": 1,
//!         "devices": [ { "name": "service", "type": "NET_BASIC" } ]
//!     }"#,
//! )?;
//! assert_eq!(manifest.devices()[0].name(), "service");
//! assert_eq!(manifest.devices()[0].device_type(), DeviceType::NetBasic);
//!
//! let note = manifest.to_note();
//! assert_eq!(note.len(), 24 + 8 + 2 * 104);
//! assert_eq!(Manifest::from_note(&note)?, manifest);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod elf;
pub mod elftool;

mod c_source;
mod json;
mod model;
mod note;
mod query;

pub use json::{JsonError, JsonProblem, JsonType, SOURCE_MAX};
pub use model::{Device, DeviceError, Manifest};
pub use note::{NoteError, NoteKind, NoteProblem};
pub use query::{abi_to_json, manifest_to_json, query_abi, query_manifest};
pub use solo5_abi::manifest::DeviceType;
