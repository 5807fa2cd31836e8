//! A device that fails on demand.

use blockdev::{
    BlockDevice, Error, Fault, FaultError, FaultyDevice, MemoryDevice, Operation, SectorDevice,
};

fn disk() -> FaultyDevice<MemoryDevice> {
    FaultyDevice::new(MemoryDevice::new(4, 8).unwrap())
}

fn on_demand(
    operation: Operation,
    offset: u64,
) -> Result<(), FaultError<std::convert::Infallible>> {
    Err(FaultError::OnDemand { operation, offset })
}

#[test]
fn the_nth_call_fails_once() {
    let mut disk = disk();
    disk.inject(Fault::Nth(Operation::Write, 1));
    disk.inject(Fault::Nth(Operation::Flush, 0));
    disk.write_blocks(0, &[1; 4]).unwrap();
    disk.read_blocks(0, &mut [0; 4]).unwrap();
    assert_eq!(
        disk.write_blocks(8, &[1; 8]),
        on_demand(Operation::Write, 8)
    );
    disk.write_blocks(16, &[1; 4]).unwrap();
    assert_eq!(disk.flush(), on_demand(Operation::Flush, 0));
    disk.flush().unwrap();
    assert_eq!(
        disk.get_ref().as_bytes()[..20],
        [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    );
}

#[test]
fn a_block_fails_until_it_is_repaired() {
    let mut disk = disk();
    disk.inject(Fault::Block(Operation::Write, 8));
    disk.inject(Fault::Block(Operation::Read, 12));
    disk.inject(Fault::Block(Operation::Discard, 16));
    for _ in 0..2 {
        let failed = disk.write_blocks(4, &[1; 12]);
        assert_eq!(failed, on_demand(Operation::Write, 8));
        let failed = disk.read_blocks(8, &mut [0; 8]);
        assert_eq!(failed, on_demand(Operation::Read, 12));
        assert_eq!(disk.discard(0, 20), on_demand(Operation::Discard, 16));
    }
    assert_eq!(
        disk.get_ref().as_bytes()[..12],
        [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]
    );
    disk.write_blocks(12, &[2; 4]).unwrap();
    disk.discard(20, 4).unwrap();
    disk.repair();
    disk.write_blocks(4, &[3; 12]).unwrap();
    disk.read_blocks(8, &mut [0; 8]).unwrap();
    disk.discard(0, 20).unwrap();
}

#[test]
fn all_calls_of_a_kind_fail() {
    let mut disk = disk();
    disk.inject(Fault::All(Operation::Write));
    for offset in [0, 4] {
        let failed = disk.write_blocks(offset, &[1; 4]);
        assert_eq!(failed, on_demand(Operation::Write, offset));
    }
    disk.read_blocks(0, &mut [0; 4]).unwrap();
}

#[test]
fn a_disk_that_is_full_takes_no_new_blocks() {
    let mut disk = disk();
    disk.limit(3);
    disk.write_blocks(0, &[1; 8]).unwrap();
    disk.write_blocks(0, &[2; 8]).unwrap();
    let full = disk.write_blocks(4, &[3; 16]);
    assert_eq!(full, Err(FaultError::Full { offset: 12 }));
    assert_eq!(
        disk.get_ref().as_bytes()[..16],
        [2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0]
    );
    disk.write_blocks(8, &[4; 4]).unwrap();
    assert_eq!(
        full.unwrap_err().to_string(),
        "no room for the block at offset 12, on demand"
    );
    disk.repair();
    disk.write_blocks(0, &[5; 32]).unwrap();
}

#[test]
fn errors_of_the_device_itself_go_through() {
    let mut disk = FaultyDevice::new(disk());
    disk.get_mut().inject(Fault::All(Operation::Read));
    let mut disk = BlockDevice::new(disk);
    let Err(Error::Device { source, .. }) = disk.read_at(4, &mut [0; 4]) else {
        panic!("it does not fail");
    };
    assert!(matches!(
        source,
        FaultError::Device(FaultError::OnDemand { .. })
    ));
    assert_eq!(
        source.to_string(),
        "read of the block at offset 4 fails on demand"
    );
    disk.get_mut().inject(Fault::All(Operation::Flush));
    let error = disk.flush().unwrap_err();
    assert_eq!(error.to_string(), "flush failed: flush fails on demand");
    assert!(disk.into_inner().into_inner().into_inner().as_bytes().len() == 32);
}
