//! What a unikernel says of itself.

use std::fs::File;
use std::path::Path;

use manifest_gen::DeviceType;
use manifest_gen::elf::Executable;
use solo5_abi::manifest::Manifest;
use solo5_abi::note::Target;

/// What a unikernel is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// A virtual machine.
    Hvt,
    /// A process behind a filter.
    Spt,
}

impl Abi {
    /// The target's name, as `--target` takes it.
    #[must_use]
    pub const fn triple(self) -> &'static str {
        match self {
            Self::Hvt => "x86_64-solo5-hvt",
            Self::Spt => "x86_64-solo5-spt",
        }
    }

    /// The tender's name.
    #[must_use]
    pub const fn tender(self) -> &'static str {
        match self {
            Self::Hvt => "solo5-hvt",
            Self::Spt => "solo5-spt",
        }
    }
}

/// A unikernel's notes.
#[derive(Debug)]
pub struct Unikernel {
    /// What it is built for.
    pub abi: Abi,
    /// The names of its network devices.
    pub networks: Vec<String>,
    /// The names of its block devices.
    pub blocks: Vec<String>,
    /// Whether it asks for what only ours do, as those of mkernel's devices do.
    pub ours: bool,
}

impl Unikernel {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// When there is no such file, or it is no unikernel of either ABI.
    pub fn read(path: &Path) -> Result<Self, String> {
        let about = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let file = File::open(path).map_err(|error| about(&error))?;
        let mut executable = Executable::open(file).map_err(|error| about(&error))?;
        let abi = executable.abi().map_err(|error| about(&error))?;
        let abi = match Target::from_raw(abi.target) {
            Some(Target::Hvt) => Abi::Hvt,
            Some(Target::Spt) => Abi::Spt,
            _ => return Err(about(&"expected a unikernel for hvt or spt")),
        };
        let bytes = executable.manifest_bytes().map_err(|error| about(&error))?;
        let manifest = Manifest::parse(&bytes).map_err(|error| about(&error))?;
        let named = |wanted| {
            let entries = manifest.devices().map(|(_, entry)| entry);
            entries
                .filter(|entry| entry.device_type() == Some(wanted))
                .map(|entry| String::from_utf8_lossy(entry.name_bytes()).into_owned())
                .collect()
        };
        let ours = manifest.devices().any(|(_, entry)| entry.wanted() != 0);
        Ok(Self {
            abi,
            ours,
            networks: named(DeviceType::NetBasic),
            blocks: named(DeviceType::BlockBasic),
        })
    }
}
