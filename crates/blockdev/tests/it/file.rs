//! Files as devices.

use std::error::Error as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use blockdev::{BlockDevice, Error, FileDevice, GeometryError, OpenError, Operation};

fn image(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn what_is_written_is_in_the_file() {
    let path = image("image", &[0; 4096]);
    let mut disk = BlockDevice::new(FileDevice::open(&path, 512).unwrap());
    disk.write_at(1022, b"across").unwrap();
    disk.flush().unwrap();
    let mut bytes = [0; 8];
    disk.read_at(1021, &mut bytes).unwrap();
    assert_eq!(&bytes, b"\0across\0");
    drop(disk.into_inner().into_inner());
    let file = fs::read(&path).unwrap();
    assert_eq!((&file[1022..1028], file.len()), (&b"across"[..], 4096));
}

#[test]
fn files_of_other_sizes_are_refused() {
    let odd = image("odd", &[0; 1000]);
    assert!(matches!(
        FileDevice::open(&odd, 512),
        Err(OpenError::Geometry(GeometryError::Capacity {
            capacity: 1000,
            block_size: 512
        }))
    ));
    let error = FileDevice::open(image("none", &[]), 512).unwrap_err();
    assert_eq!(
        error.to_string(),
        "device of 0 bytes, expected a multiple of its blocks of 512 bytes, and at least one"
    );
    assert!(matches!(
        FileDevice::open(&odd, 500),
        Err(OpenError::Geometry(GeometryError::BlockSize {
            block_size: 500
        }))
    ));
    assert!(error.source().is_none(), "nothing is behind it");
    let missing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("missing");
    let error = FileDevice::open(missing, 512).unwrap_err();
    assert!(matches!(error, OpenError::Io(_)));
    let source = error.source().and_then(|source| source.downcast_ref());
    assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::NotFound));
}

#[test]
fn a_file_that_shrinks_or_is_read_only_fails_by_the_transfer() {
    let path = image("shrinking", &[7; 2048]);
    let mut disk =
        BlockDevice::new(FileDevice::from_file(File::open(&path).unwrap(), 512).unwrap());
    let error = disk.write_at(512, &[1; 512]).unwrap_err();
    assert!(matches!(
        error,
        Error::Device {
            operation: Operation::Write,
            offset: 512,
            ..
        }
    ));
    fs::write(&path, [7; 1100]).unwrap();
    let mut bytes = [0; 2048];
    disk.read_at(512, &mut bytes[..512]).unwrap();
    let error = disk.read_at(512, &mut bytes[..1024]).unwrap_err();
    assert!(matches!(
        error,
        Error::Device {
            operation: Operation::Read,
            offset: 512,
            len: 1024,
            ..
        }
    ));
}
