//! A library that offers devices: a program declares those that it uses.

use solo5_ffi::{AcquireError, Block, Net};

/// The device `disk`, in a generic function.
///
/// # Errors
///
/// When it has been acquired before.
pub fn disk<T: Default>() -> Result<(Block, T), AcquireError> {
    Ok((solo5_ffi::block!("disk")?, T::default()))
}

/// The device `service`, in a generic async function.
///
/// # Errors
///
/// When it has been acquired before.
pub async fn service<T: Default>() -> Result<(Net, T), AcquireError> {
    Ok((solo5_ffi::net!("service")?, T::default()))
}

/// The device `uplink`, with offload where the tender has it.
///
/// # Errors
///
/// When it has been acquired before.
pub fn uplink() -> Result<Net, AcquireError> {
    solo5_ffi::net!("uplink", offload)
}

/// A device that the program does not use.
///
/// # Errors
///
/// When it has been acquired before.
pub fn spare() -> Result<Net, AcquireError> {
    solo5_ffi::net!("spare")
}
