use std::ops::Range;

use super::super::ErrorKind;
use super::super::device::Device;

/// Octets of it.
pub(super) const LEN: u64 = 96;
/// What a table has for its offset that there is not.
const ABSENT: u64 = u64::MAX;

pub(super) struct Superblock {
    /// Octets of a block of data: a power of two from 4 KiB to 1 MiB.
    pub(super) block_size: u32,
    /// Where the metadata is that holds inodes.
    pub(super) inodes: Range<u64>,
    /// Where the metadata is that holds directories.
    pub(super) directories: Range<u64>,
    /// Where the places of the metadata are that tells of fragments.
    pub(super) fragments: u64,
    pub(super) fragment_count: u32,
    /// Where the root's inode is, as directories say it.
    pub(super) root: u64,
    /// Octets of the file system.
    pub(super) end: u64,
}

impl Superblock {
    pub(super) fn read(device: &Device) -> Result<Self, ErrorKind> {
        let octets: [u8; LEN as usize] = device.read_array(0)?;
        let short = |at: usize| u16::from_le_bytes([octets[at], octets[at + 1]]);
        let word = |at| u32::from(short(at + 2)) << 16 | u32::from(short(at));
        let long = |at| u64::from(word(at + 4)) << 32 | u64::from(word(at));
        if (short(28), short(30)) != (4, 0) {
            return Err(ErrorKind::Unsupported(format!(
                "squashfs {}.{}, only 4.0 is",
                short(28),
                short(30)
            )));
        }
        let name = match short(20) {
            1 => None,
            2 => Some("lzma"),
            3 => Some("lzo"),
            4 => Some("xz"),
            5 => Some("lz4"),
            6 => Some("zstd"),
            _ => Some("an unknown method"),
        };
        if let Some(name) = name {
            return Err(ErrorKind::Unsupported(format!(
                "squashfs compressed by {name}, only gzip is"
            )));
        }
        let (block_size, end) = (word(12), long(40));
        if !block_size.is_power_of_two() || !(4 << 10..=1 << 20).contains(&block_size) {
            return Err(ErrorKind::Damaged(format!(
                "blocks of {block_size} octets in squashfs"
            )));
        }
        let (inodes, directories, fragments) = (long(64), long(72), long(80));
        // Directories end where the next table has its metadata, which only the table tells: at its own place at most.
        let behind = [fragments, long(88), long(48)]
            .into_iter()
            .filter(|&table| table != ABSENT && table > directories)
            .min()
            .unwrap_or(end);
        if end > device.capacity() || inodes >= directories || behind > end {
            return Err(ErrorKind::Damaged(format!(
                "tables at {inodes}, {directories} and {behind} in {end} octets on a device of {}",
                device.capacity()
            )));
        }
        Ok(Self {
            block_size,
            inodes: inodes..directories,
            directories: directories..behind,
            fragments,
            fragment_count: match fragments {
                ABSENT => 0,
                _ => word(16),
            },
            root: long(32),
            end,
        })
    }
}
