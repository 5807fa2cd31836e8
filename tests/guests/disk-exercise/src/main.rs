//! Does with the block device `disk` all that there is to do, and says what that is.
#![forbid(unsafe_code)]

use std::error::Error;

use mkernel::block::blockdev::SectorDevice;

/// Where what is written begins, within a block, and its length: more than is transferred at once.
const START: u64 = 100;
const LENGTH: usize = (2 << 20) + 1000;
/// What is given up of it: whole blocks.
const HOLE: (u64, usize) = (8192, 1 << 20);

fn main() -> Result<(), Box<dyn Error>> {
    let mut disk = mkernel::block::open(mkernel::block!("disk")?)?;
    let device = disk.get_ref();
    let (most, flush, discard) = (
        device.max_transfer(),
        device.can_flush(),
        device.can_discard(),
    );
    println!("{most} bytes at once, flush {flush}, discard {discard}");

    let mut written: Vec<u8> = (0..LENGTH).map(|at| (at * 7 + at / 251) as u8).collect();
    disk.write_at(START, &written)?;
    disk.flush()?;
    disk.discard(HOLE.0, HOLE.1 as u64)?;
    if discard {
        let start = (HOLE.0 - START) as usize;
        written[start..start + HOLE.1].fill(0);
    }
    let mut read = vec![0; LENGTH];
    disk.read_at(START, &mut read)?;
    if read != written {
        return Err("what was read is not what was written".into());
    }
    disk.flush()?;
    let last = disk.capacity() - 1;
    disk.write_at(last, &[9])?;
    match disk.write_at(last, &[9; 2]) {
        Ok(()) => return Err("a write beyond the end".into()),
        Err(error) => println!("{error}"),
    }
    disk.flush()?;
    Ok(())
}
