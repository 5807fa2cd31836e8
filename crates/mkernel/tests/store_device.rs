//! A store on a device that has another length than when it was written.
#![cfg(feature = "store")]

use std::fs::File;
use std::os::unix::fs::FileExt;

use blockdev::{BlockDevice, FileDevice};
use mkernel::store::redb::{Error, TableDefinition};
use mkernel::store::{OpenError, Options, Space, Store};

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("test");
const LEN: u64 = 4 << 20;
const VALUES: u64 = 10;

fn open(file: &File) -> Result<Store<FileDevice>, OpenError> {
    let device = FileDevice::from_file(file.try_clone().unwrap(), 4096).unwrap();
    Store::open(BlockDevice::new(device), &Options::default())
}

/// The first octets of the values that are there.
fn values(store: &Store<FileDevice>) -> Vec<u8> {
    let found = store.read(|transaction| {
        let table = transaction.open_table(TABLE)?;
        let values = (0..VALUES).map(|key| Ok(table.get(key)?.map(|value| value.value()[0])));
        values.collect::<Result<Option<Vec<u8>>, Error>>()
    });
    found.unwrap().expect("all values")
}

#[test]
fn a_store_that_was_cut_short_is_refused_and_is_there_again_on_all_of_the_device() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(LEN).unwrap();
    let store = open(&file).unwrap();
    for key in 0..VALUES {
        let change = store.write(Space::Ordinary, |transaction| {
            let mut table = transaction.open_table(TABLE)?;
            table.insert(key, &[key as u8; 200_000][..])?;
            Ok(())
        });
        change.unwrap();
    }
    drop(store);
    let mut whole = vec![0; LEN as usize];
    file.read_exact_at(&mut whole, 0).unwrap();
    for len in [LEN / 2, LEN / 4, 1 << 20] {
        file.set_len(len).unwrap();
        match open(&file) {
            Err(OpenError::CutShort { capacity, expected }) => {
                assert_eq!(capacity, len);
                assert!((len + 1..=LEN).contains(&expected), "{expected}");
            }
            other => panic!("{len}: {other:?}"),
        }
    }
    // What was refused has not been written to.
    let mut left = vec![0; 1 << 20];
    file.read_exact_at(&mut left, 0).unwrap();
    assert!(left == whole[..1 << 20]);
    file.write_all_at(&whole, 0).unwrap();
    for len in [LEN, 2 * LEN] {
        file.set_len(len).unwrap();
        let expected: Vec<u8> = (0..VALUES).map(|key| key as u8).collect();
        assert_eq!(values(&open(&file).unwrap()), expected);
    }
}
