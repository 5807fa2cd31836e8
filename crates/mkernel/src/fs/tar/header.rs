//! Headers of tar: ustar (POSIX.1-1988), GNU's long names and numbers, pax (POSIX.1-2001).

use super::super::ErrorKind;
use super::super::device::Device;

/// Octets of a header, and of what data is padded to.
pub(super) const BLOCK: u64 = 512;
/// Most octets of what stands in front of an entry for it: a long name, records of pax.
const MAX_EXTENSION: u64 = 64 << 10;
/// Most of them in a row.
const MAX_EXTENSIONS: usize = 16;

/// One member of an archive.
pub(super) struct Entry {
    pub(super) name: String,
    /// Where a link leads.
    pub(super) link: String,
    pub(super) what: What,
    /// Where its data begins.
    pub(super) offset: u64,
    pub(super) len: u64,
    /// In seconds since 1970.
    pub(super) modified: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    File,
    Directory,
    Link,
    /// Another name of an earlier member.
    SameAs,
    Other,
}

/// What precedes a member says of it.
#[derive(Default)]
struct Extension {
    name: Option<String>,
    link: Option<String>,
    len: Option<u64>,
    modified: Option<u64>,
    sparse: bool,
}

/// The member at `offset`, and where the next is; none at the end of the archive.
pub(super) fn next(device: &Device, mut offset: u64) -> Result<Option<(Entry, u64)>, ErrorKind> {
    let mut extension = Extension::default();
    for _ in 0..MAX_EXTENSIONS {
        if device.capacity() - offset.min(device.capacity()) < BLOCK {
            return Ok(None);
        }
        let block: [u8; 512] = device.read_array(offset)?;
        if block == [0; 512] {
            return Ok(None);
        }
        let header = Header::parse(&block)
            .ok_or_else(|| ErrorKind::Damaged(format!("no header of tar at offset {offset}")))?;
        let data = offset + BLOCK;
        let is_extension = matches!(header.flag(), b'L' | b'K' | b'x' | b'g');
        let len = match (is_extension, extension.len) {
            (false, Some(len)) => len,
            _ => header.len,
        };
        let next = len
            .checked_next_multiple_of(BLOCK)
            .and_then(|len| data.checked_add(len))
            .filter(|_| {
                data.checked_add(len)
                    .is_some_and(|end| end <= device.capacity())
            })
            .ok_or_else(|| {
                ErrorKind::Damaged(format!("{len} octets of a member at offset {offset}"))
            })?;
        if !is_extension {
            return Ok(Some((header.entry(extension, data, len), next)));
        }
        if header.flag() != b'g' {
            extension.read(device, header.flag(), data, len)?;
        }
        offset = next;
    }
    Err(ErrorKind::Damaged(format!(
        "more than {MAX_EXTENSIONS} headers for one member, before offset {offset}"
    )))
}

/// A header whose checksum is right.
pub(super) struct Header<'a> {
    block: &'a [u8; 512],
    len: u64,
}

impl<'a> Header<'a> {
    pub(super) fn parse(block: &'a [u8; 512]) -> Option<Self> {
        let sum = number(&block[148..156])?;
        let all = block.iter().map(|&octet| u64::from(octet));
        let own = block[148..156].iter().map(|&octet| u64::from(octet));
        // With spaces where the sum itself is.
        let expected = all.sum::<u64>() - own.sum::<u64>() + 8 * u64::from(b' ');
        if sum != expected {
            return None;
        }
        // Links and directories have no data, whatever they say.
        let len = match block[156] {
            b'1'..=b'6' => 0,
            _ => number(&block[124..136])?,
        };
        Some(Self { block, len })
    }

    /// Whether it has a name, as the first of an archive has.
    pub(super) fn is_named(&self) -> bool {
        self.block[0] != 0
    }

    fn flag(&self) -> u8 {
        self.block[156]
    }

    fn entry(&self, extension: Extension, offset: u64, len: u64) -> Entry {
        let name = extension.name.unwrap_or_else(|| self.name());
        let what = match self.flag() {
            _ if extension.sparse => What::Other,
            // Before POSIX a directory was a file whose name says so.
            0 | b'0' | b'7' if name.ends_with('/') => What::Directory,
            0 | b'0' | b'7' => What::File,
            b'1' => What::SameAs,
            b'2' => What::Link,
            b'5' => What::Directory,
            _ => What::Other,
        };
        Entry {
            link: extension
                .link
                .unwrap_or_else(|| text(&self.block[157..257])),
            name,
            what,
            offset,
            len,
            modified: extension
                .modified
                .or_else(|| number(&self.block[136..148]))
                .unwrap_or(0),
        }
    }

    fn name(&self) -> String {
        let name = text(&self.block[..100]);
        // GNU's own headers have other fields where the prefix is.
        match &self.block[257..263] {
            b"ustar\0" if self.block[345] != 0 => {
                format!("{}/{name}", text(&self.block[345..500]))
            }
            _ => name,
        }
    }
}

impl Extension {
    fn read(&mut self, device: &Device, flag: u8, offset: u64, len: u64) -> Result<(), ErrorKind> {
        if len > MAX_EXTENSION {
            return Err(ErrorKind::LimitExceeded("octets of a name in tar"));
        }
        let mut octets = vec![0; len as usize];
        device.read_at(offset, &mut octets)?;
        match flag {
            b'L' => self.name = Some(text(&octets)),
            b'K' => self.link = Some(text(&octets)),
            _ => {
                self.records(&octets)
                    .ok_or_else(|| ErrorKind::Damaged(format!("records at offset {offset}")))?;
            }
        }
        Ok(())
    }

    /// Records of pax: `LENGTH KEYWORD=VALUE\n`, the length that of the record.
    fn records(&mut self, mut octets: &[u8]) -> Option<()> {
        while !octets.is_empty() {
            let space = octets.iter().position(|&octet| octet == b' ')?;
            let len: usize = str::from_utf8(&octets[..space]).ok()?.parse().ok()?;
            let (record, rest) = octets.split_at_checked(len)?;
            let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|&octet| octet == b'=')?;
            let (keyword, value) = (&record[..equals], &record[equals + 1..]);
            match keyword {
                b"path" => self.name = Some(text(value)),
                b"linkpath" => self.link = Some(text(value)),
                b"size" => self.len = Some(str::from_utf8(value).ok()?.parse().ok()?),
                b"mtime" => self.modified = seconds(value),
                _ => self.sparse |= keyword.starts_with(b"GNU.sparse."),
            }
            octets = rest;
        }
        Some(())
    }
}

/// Whole seconds of a time before which there may be a sign and after which a fraction.
fn seconds(value: &[u8]) -> Option<u64> {
    let value = str::from_utf8(value).ok()?;
    value.split('.').next()?.parse().ok()
}

/// Up to the first zero. What is not UTF-8 becomes what no path is.
fn text(octets: &[u8]) -> String {
    let end = octets.iter().position(|&octet| octet == 0);
    let octets = &octets[..end.unwrap_or(octets.len())];
    String::from_utf8(octets.to_vec()).unwrap_or_else(|_| String::from("\0"))
}

/// A number in octal digits, or, as of GNU, big-endian behind a set bit.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        // A negative number has 0xff first.
        let first = u64::from(field[0] & 0x7f);
        return field[1..].iter().try_fold(first, |number, &octet| {
            Some(number.checked_mul(256)? | u64::from(octet))
        });
    }
    let mut digits = field
        .iter()
        .skip_while(|&&octet| octet == b' ')
        .take_while(|&&octet| octet != 0 && octet != b' ');
    digits.try_fold(0_u64, |number, &octet| match octet {
        b'0'..=b'7' => Some(number.checked_mul(8)? | u64::from(octet - b'0')),
        _ => None,
    })
}
