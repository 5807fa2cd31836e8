//! Inodes and directories.

use super::super::{ErrorKind, FileType};
use super::Image;
use super::metadata::{Cursor, Place};

/// What a file has for its fragment that has none.
const NO_FRAGMENT: u32 = u32::MAX;

#[derive(Clone)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    /// In seconds since 1970.
    pub(super) modified: u32,
}

#[derive(Clone)]
pub(super) enum Kind {
    Directory {
        /// From where directories begin.
        block: u32,
        offset: u16,
        /// Octets of the listing.
        len: u32,
    },
    File {
        len: u64,
        /// Where its blocks begin on the device.
        start: u64,
        /// The number of the fragment that is its end, and where in it.
        fragment: Option<(u32, u32)>,
        /// Where the lengths of its blocks are.
        lengths: Place,
    },
    Link {
        target: Place,
        len: u32,
    },
    Other,
}

impl Inode {
    /// The inode that directories call by `reference`: block and octet.
    pub(super) fn read(image: &Image, reference: u64) -> Result<Self, ErrorKind> {
        let range = image.superblock.inodes.clone();
        let block = range.start.checked_add(reference >> 16);
        let block = block.ok_or_else(|| ErrorKind::Damaged(format!("inode {reference:#x}")))?;
        let mut cursor = Cursor::new(image, range, block, reference as u16);
        let number = cursor.short()?;
        cursor.skip(6)?;
        let modified = cursor.word()?;
        cursor.skip(4)?;
        let kind = match number {
            1 => basic_directory(&mut cursor)?,
            2 => basic_file(&mut cursor)?,
            3 | 10 => {
                cursor.skip(4)?;
                Kind::Link {
                    len: cursor.word()?,
                    target: cursor.place(),
                }
            }
            8 => extended_directory(&mut cursor)?,
            9 => extended_file(&mut cursor)?,
            _ if file_type(number) == FileType::Other => Kind::Other,
            _ => return Err(ErrorKind::Damaged(format!("inode of type {number}"))),
        };
        Ok(Self { kind, modified })
    }

    pub(super) fn file_type(&self) -> FileType {
        match self.kind {
            Kind::Directory { .. } => FileType::Directory,
            Kind::File { .. } => FileType::File,
            Kind::Link { .. } => FileType::Link,
            Kind::Other => FileType::Other,
        }
    }
}

fn basic_directory(cursor: &mut Cursor<'_>) -> Result<Kind, ErrorKind> {
    let block = cursor.word()?;
    cursor.skip(4)?;
    let len = u32::from(cursor.short()?);
    Ok(Kind::Directory {
        block,
        offset: cursor.short()?,
        len: listing_len(len),
    })
}

fn extended_directory(cursor: &mut Cursor<'_>) -> Result<Kind, ErrorKind> {
    cursor.skip(4)?;
    let len = cursor.word()?;
    let block = cursor.word()?;
    cursor.skip(6)?;
    Ok(Kind::Directory {
        block,
        offset: cursor.short()?,
        len: listing_len(len),
    })
}

/// Directories count `.` and `..`, which are not there, as three octets.
fn listing_len(len: u32) -> u32 {
    len.saturating_sub(3)
}

fn basic_file(cursor: &mut Cursor<'_>) -> Result<Kind, ErrorKind> {
    let start = cursor.word()?.into();
    let fragment = fragment(cursor)?;
    Ok(Kind::File {
        start,
        fragment,
        len: cursor.word()?.into(),
        lengths: cursor.place(),
    })
}

fn extended_file(cursor: &mut Cursor<'_>) -> Result<Kind, ErrorKind> {
    let start = cursor.long()?;
    let len = cursor.long()?;
    cursor.skip(12)?;
    let fragment = fragment(cursor)?;
    cursor.skip(4)?;
    Ok(Kind::File {
        start,
        len,
        fragment,
        lengths: cursor.place(),
    })
}

fn fragment(cursor: &mut Cursor<'_>) -> Result<Option<(u32, u32)>, ErrorKind> {
    let (number, offset) = (cursor.word()?, cursor.word()?);
    Ok((number != NO_FRAGMENT).then_some((number, offset)))
}

fn file_type(number: u16) -> FileType {
    match number {
        1 | 8 => FileType::Directory,
        2 | 9 => FileType::File,
        3 | 10 => FileType::Link,
        _ => FileType::Other,
    }
}

pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) file_type: FileType,
    /// As [`Inode::read`] wants it.
    pub(super) inode: u64,
}

/// The entries of a directory.
pub(super) struct Listing<'a> {
    cursor: Cursor<'a>,
    left: u32,
    /// Entries up to the next header, and the block of their inodes.
    run: u32,
    block: u32,
}

impl<'a> Listing<'a> {
    pub(super) fn new(cursor: Cursor<'a>, len: u32) -> Self {
        Self {
            cursor,
            left: len,
            run: 0,
            block: 0,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Entry>, ErrorKind> {
        if self.run == 0 {
            if self.left == 0 {
                return Ok(None);
            }
            self.take(12)?;
            self.run = self.cursor.word()?.saturating_add(1);
            self.block = self.cursor.word()?;
            self.cursor.skip(4)?;
        }
        self.run -= 1;
        self.take(8)?;
        let offset = self.cursor.short()?;
        self.cursor.skip(2)?;
        let file_type = file_type(self.cursor.short()?);
        let len = u32::from(self.cursor.short()?) + 1;
        if len > 256 {
            return Err(ErrorKind::Damaged(format!("a name of {len} octets")));
        }
        self.take(len)?;
        let mut name = vec![0; len as usize];
        self.cursor.read(&mut name)?;
        Ok(Some(Entry {
            name,
            file_type,
            inode: u64::from(self.block) << 16 | u64::from(offset),
        }))
    }

    fn take(&mut self, octets: u32) -> Result<(), ErrorKind> {
        let left = self.left.checked_sub(octets);
        self.left = left.ok_or_else(|| {
            ErrorKind::Damaged(format!(
                "{octets} octets of a directory of which {} are left",
                self.left
            ))
        })?;
        Ok(())
    }
}
