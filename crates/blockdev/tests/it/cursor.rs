//! The stream over a device.

use std::io::{BufReader, BufWriter, Error, ErrorKind, Read, Seek, SeekFrom, Write};

use blockdev::{BlockDevice, Cursor, MemoryDevice};

use crate::recorder::{Call, Recorder};

fn cursor() -> Cursor<MemoryDevice> {
    Cursor::new(BlockDevice::new(MemoryDevice::new(512, 4).unwrap()))
}

#[test]
fn streams_copy_through_buffers() {
    let lines: String = (0..100).map(|i| format!("line {i}\n")).collect();
    let mut writer = BufWriter::with_capacity(100, cursor());
    writer.write_all(lines.as_bytes()).unwrap();
    let mut disk = writer.into_inner().unwrap();
    disk.rewind().unwrap();
    let mut text = String::new();
    BufReader::with_capacity(77, &mut disk)
        .take(lines.len() as u64)
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, lines);
}

#[test]
fn the_end_is_the_end() {
    let mut disk = cursor();
    assert_eq!(disk.seek(SeekFrom::End(-2)).unwrap(), 2046);
    assert_eq!(disk.write(b"abc").unwrap(), 2);
    assert_eq!(disk.write(b"c").unwrap(), 0);
    assert_eq!(
        disk.write_all(b"c").unwrap_err().kind(),
        ErrorKind::WriteZero
    );
    assert_eq!(disk.read(&mut [0; 4]).unwrap(), 0);
    assert_eq!(disk.seek(SeekFrom::Current(-1)).unwrap(), 2047);
    let mut rest = Vec::new();
    disk.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"b");
    for beyond in [2049, u64::MAX] {
        disk.seek(SeekFrom::Start(beyond)).unwrap();
        assert_eq!(disk.position(), beyond);
        assert_eq!(disk.read(&mut [0; 4]).unwrap(), 0);
        assert_eq!(disk.write(b"c").unwrap(), 0);
    }
}

#[test]
fn positions_that_are_none_are_refused() {
    let mut disk = cursor();
    disk.seek(SeekFrom::Start(5)).unwrap();
    for to in [
        SeekFrom::Current(-6),
        SeekFrom::End(-2049),
        SeekFrom::End(i64::MIN),
    ] {
        let error = disk.seek(to).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("from position 5"), "{error}");
    }
    assert_eq!(disk.position(), 5);
    disk.seek(SeekFrom::Start(u64::MAX)).unwrap();
    assert!(disk.seek(SeekFrom::Current(1)).is_err());
}

#[test]
fn a_device_error_becomes_an_error_of_the_stream() {
    let mut disk = Cursor::new(BlockDevice::new(Recorder::new(4)));
    disk.get_mut().get_mut().broken = Some(Call::Flush);
    let error = disk.flush().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert_eq!(error.to_string(), "flush failed: broken on purpose");
    disk.get_mut().get_mut().can_flush = false;
    let error = disk.flush().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    disk.get_mut().get_mut().broken = Some(Call::Read(1, 1));
    disk.seek(SeekFrom::Start(512)).unwrap();
    assert!(disk.read(&mut [0; 1]).is_err());
    assert_eq!(disk.position(), 512);
    let bounds = disk.into_inner().read_at(9999, &mut [0]).unwrap_err();
    assert_eq!(Error::from(bounds).kind(), ErrorKind::InvalidInput);
}
