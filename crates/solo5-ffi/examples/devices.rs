//! Declares a network and a block device, acquires both, and says what they are.
//!
//! On a host without `MIOU_PROFILING` it prints its manifest instead.
#![forbid(unsafe_code)]

use std::error::Error;

/// Two instances of a generic function declare one device between them.
fn disk<T>(_: T) -> Result<solo5_ffi::Block, solo5_ffi::AcquireError> {
    solo5_ffi::block!("disk")
}

/// Nothing calls it, so the device is not in the manifest.
#[expect(dead_code, reason = "shows that an unreachable device is not declared")]
fn spare() -> bool {
    solo5_ffi::net!("spare").is_ok()
}

fn main() -> Result<(), Box<dyn Error>> {
    let net = solo5_ffi::net!("service")?;
    println!("service: {net:?}");
    let disk = disk(1_u8).or_else(|_| self::disk("again"))?;
    println!("disk: {disk:?}");

    match self::disk(2_u8) {
        Err(error) => println!("again: {error}"),
        Ok(_) => return Err("a device was acquired twice".into()),
    }
    let mut block = vec![0; disk.block_size()];
    disk.write(0, &vec![0x5a; disk.block_size()])?;
    disk.read(0, &mut block)?;
    println!("first byte: {:#x}", block[0]);
    println!("{}", net.write(&[0; 13]).unwrap_err());
    println!("{}", disk.read(1, &mut block).unwrap_err());
    println!("{}", disk.read(0, &mut block[1..]).unwrap_err());
    println!("readable: {:?}", solo5_ffi::yield_until(0));
    Ok(())
}
