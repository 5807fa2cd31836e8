//! What is true of every image, whatever it holds.

use blockdev::partition::Table;
use blockdev::{BlockDevice, Geometry, MemoryDevice, SectorDevice};

/// Counts what is read.
struct Counting {
    memory: MemoryDevice,
    read: usize,
}

impl SectorDevice for Counting {
    type Error = std::convert::Infallible;

    fn geometry(&self) -> Geometry {
        self.memory.geometry()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Self::Error> {
        self.read += blocks.len();
        self.memory.read_blocks(offset, blocks)
    }

    fn write_blocks(&mut self, _: u64, _: &[u8]) -> Result<(), Self::Error> {
        panic!("a table is read")
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn discard(&mut self, _: u64, _: u64) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Reads the table of an image of whole sectors: what is read is bounded, partitions lie on the image
/// and apart, and can be opened. Whether there is a table.
pub(crate) fn check_image(image: Vec<u8>) -> bool {
    let device = Counting {
        memory: MemoryDevice::from_bytes(512, image).unwrap(),
        read: 0,
    };
    let mut disk = BlockDevice::new(device);
    let result = Table::read(&mut disk);
    // Two tables of 128 KiB, four headers, and 129 records for each of four extended partitions.
    let read = disk.get_ref().read;
    assert!(
        read <= (2 << 17) + (4 << 12) + 4 * 129 * 512 + 512,
        "{read}"
    );
    let Ok(table) = result else { return false };
    assert!(table.entries.len() <= 1024);
    let mut ranges = Vec::new();
    for entry in &table.entries {
        assert!(entry.start >= 512 && entry.len >= 512);
        ranges.push((entry.start, entry.start + entry.len));
        assert!(entry.open(disk.get_mut()).is_ok());
    }
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    true
}

/// An image of 128 KiB, for a fuzzer, made of what `input` says is where: an offset of two bytes, in units of two,
/// a length of one, and as many bytes; and then, if the first byte of all is odd, with the checksums
/// that a GPT there should have.
pub(crate) fn image(input: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 128 << 10];
    let Some((flags, mut rest)) = input.split_first() else {
        return image;
    };
    while let [low, high, len, behind @ ..] = rest {
        let offset = 2 * usize::from(u16::from_le_bytes([*low, *high]));
        let (bytes, next) = behind.split_at(usize::from(*len).min(behind.len()));
        let end = (offset + bytes.len()).min(image.len());
        image[offset..end].copy_from_slice(&bytes[..end - offset]);
        rest = next;
    }
    if flags & 1 == 1 {
        correct_all(&mut image);
    }
    image
}

/// Gives the headers of GPTs the checksums that they should have.
pub(crate) fn correct_all(image: &mut [u8]) {
    let end = image.len();
    for (header, sector_size) in [
        (512, 512),
        (4096, 4096),
        (end - 512, 512),
        (end - 4096, 4096),
    ] {
        correct(image, header, sector_size);
    }
}

/// Gives the header at this byte, if there is one, the checksums that it should have.
fn correct(image: &mut [u8], header: usize, sector_size: usize) {
    let number = |image: &[u8], at: usize| {
        u32::from_le_bytes(image[header + at..][..4].try_into().unwrap()) as usize
    };
    if image[header..header + 8] != *b"EFI PART" {
        return;
    }
    let table = number(image, 72).saturating_mul(sector_size);
    let len = number(image, 80).saturating_mul(number(image, 84));
    if let Some(entries) = image.get(table..table.saturating_add(len)) {
        let checksum = super::image::crc32(entries);
        image[header + 88..][..4].copy_from_slice(&checksum.to_le_bytes());
    }
    image[header + 16..][..4].fill(0);
    let size = number(image, 12).min(sector_size);
    let checksum = super::image::crc32(&image[header..header + size]);
    image[header + 16..][..4].copy_from_slice(&checksum.to_le_bytes());
}
