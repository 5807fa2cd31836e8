//! What the files of a program are on.

use posix::Storage;

/// The device `storage`.
#[cfg(feature = "posix-storage")]
pub(super) fn start() -> Storage {
    use blockdev::SectorDevice;
    use posix::Disk;
    use solo5_ffi::BlockError;

    let device = crate::block!("storage").map_err(|error| error.to_string());
    Some(device.and_then(|device| {
        let device = crate::block::open(device).map_err(|error| error.to_string())?;
        let is_full = |error: &<crate::block::Disk as SectorDevice>::Error| {
            matches!(error, BlockError::NoSpace)
        };
        Ok(Disk::new(device, is_full))
    }))
}

/// Memory.
#[cfg(not(feature = "posix-storage"))]
pub(super) fn start() -> Storage {
    None
}
