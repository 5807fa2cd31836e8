use solo5_abi::manifest::{DeviceType, Entry, MAX_DEVICES, NameError};

/// A device that a unikernel needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    name: String,
    device_type: DeviceType,
}

impl Device {
    /// Its name, 1 to 67 ASCII letters and digits.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn device_type(&self) -> DeviceType {
        self.device_type
    }

    pub(crate) fn entry(&self) -> Entry {
        Entry::new(&self.name, self.device_type)
    }
}

/// A manifest: up to 63 devices, no two with the same name and type.
///
/// The reserved entry that precedes the devices in an executable is not counted as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    devices: Vec<Device>,
}

impl Manifest {
    /// A manifest without devices.
    pub fn new() -> Self {
        Self::default()
    }

    /// The devices, in the order of their handles; the first has handle 1.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// Adds a device behind the others.
    ///
    /// # Errors
    ///
    /// When the name is not 1 to 67 ASCII letters and digits, the manifest has a device of the same
    /// name and type already (no tender could ever attach the second one), or it is full.
    pub fn push(&mut self, name: &str, device_type: DeviceType) -> Result<(), DeviceError> {
        solo5_abi::manifest::check_name(name)?;
        let device = Device {
            name: name.to_owned(),
            device_type,
        };
        if self.devices.contains(&device) {
            return Err(DeviceError::Repeated(device));
        }
        if self.devices.len() == MAX_DEVICES {
            return Err(DeviceError::TooMany);
        }
        self.devices.push(device);
        Ok(())
    }
}

/// Why a device cannot be added to a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// It cannot have this name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is one already.
    #[error("a second {} named {:?}, expected one at most", .0.device_type, .0.name)]
    Repeated(Device),
    /// The manifest is full. (Solo5's own test suite looks for this wording.)
    #[error("too many entries, maximum {MAX_DEVICES}")]
    TooMany,
}
