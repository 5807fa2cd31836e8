//! The manifest of the running program, read from its own executable.
//!
//! The linker leaves each declaration that the program can reach as a section of its own. (Symbols
//! around one common section, `__start_*` and `__stop_*`, would keep those it cannot reach, too.)

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use manifest_gen::{DeviceError, Manifest};
use solo5_abi::manifest::Entry;

/// How the sections of declarations are called, with the device's name behind.
const SECTION_PREFIX: &[u8] = b".solo5.manifest.device.";

/// Bytes of an ELF64 header and of a section header.
const EHDR_SIZE: usize = 64;
const SHDR_SIZE: usize = 64;

/// Why the program's manifest cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The executable cannot be read.
    #[error("cannot read the program's own executable: {0}")]
    Read(#[from] io::Error),
    /// The executable has no section headers, or they are not what they should be.
    #[error("the program's own executable has no valid section headers: {0}")]
    Sections(&'static str),
    /// A declaration is no entry, or there are more than a manifest holds.
    #[error("the program declares a device that cannot be in a manifest: {0}")]
    Device(#[from] DeviceError),
}

/// The manifest of the running program: the devices that it can reach, sorted by name.
///
/// # Errors
///
/// When the executable cannot be read or has lost its section headers.
pub fn manifest() -> Result<Manifest, ManifestError> {
    let mut executable = BufReader::new(open_executable()?);
    let mut entries = Vec::new();
    for bytes in device_sections(&mut executable)? {
        let (chunks, rest) = bytes.as_chunks();
        if !rest.is_empty() {
            return Err(ManifestError::Sections("a device is not of 104 bytes"));
        }
        entries.extend(chunks.iter().map(Entry::from_bytes));
    }
    entries.sort_by(|a, b| a.name_bytes().cmp(b.name_bytes()));

    let mut manifest = Manifest::new();
    for entry in entries {
        let (Some(name), Some(device_type)) = (entry.name(), entry.device_type()) else {
            return Err(ManifestError::Sections("a device has no name or no type"));
        };
        manifest.push(name, device_type)?;
    }
    Ok(manifest)
}

/// The file that this very code was mapped from: `/proc/self/exe`, unless the dynamic linker was called by name to start
/// the program, and is what that leads to.
fn open_executable() -> io::Result<File> {
    let exe = "/proc/self/exe";
    let here = open_executable as fn() -> io::Result<File> as usize as u64;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let path = maps.lines().find_map(|line| {
        // start-end permissions offset device inode path
        let (start, rest) = line.split_once('-')?;
        let (end, rest) = rest.split_once(' ')?;
        let range = u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?;
        let path = rest.splitn(5, ' ').nth(4)?.trim_start();
        range.contains(&here).then(|| PathBuf::from(path))
    });
    match path {
        Some(path) if std::fs::read_link(exe)? != path => {
            File::open(path).or_else(|_| File::open(exe))
        }
        _ => File::open(exe),
    }
}

/// The contents of all sections whose name starts with [`SECTION_PREFIX`].
fn device_sections(executable: &mut (impl Read + Seek)) -> Result<Vec<Vec<u8>>, ManifestError> {
    let header: [u8; EHDR_SIZE] = read_array(executable, 0)?;
    if header[..5] != *b"\x7fELF\x02" {
        return Err(ManifestError::Sections("no ELF64 header"));
    }
    let table = u64_at(&header, 40);
    let entry_size = u16_at(&header, 58);
    let count = u16_at(&header, 60);
    let names_index = u16_at(&header, 62);
    if usize::from(entry_size) != SHDR_SIZE || names_index >= count {
        return Err(ManifestError::Sections("no section headers"));
    }
    let mut sections = Vec::with_capacity(usize::from(count));
    for index in 0..u64::from(count) {
        let offset = table.saturating_add(index * SHDR_SIZE as u64);
        let section: [u8; SHDR_SIZE] = read_array(executable, offset)?;
        sections.push(section);
    }
    let names = section_content(executable, &sections[usize::from(names_index)])?;
    let mut found = Vec::new();
    for section in &sections {
        let name = names.get(u32_at(section, 0) as usize..).unwrap_or_default();
        if name.starts_with(SECTION_PREFIX) {
            found.push(section_content(executable, section)?);
        }
    }
    Ok(found)
}

fn section_content(
    executable: &mut (impl Read + Seek),
    section: &[u8; SHDR_SIZE],
) -> Result<Vec<u8>, ManifestError> {
    let (offset, size) = (u64_at(section, 24), u64_at(section, 32));
    let mut content = Vec::new();
    executable.seek(SeekFrom::Start(offset))?;
    if executable.take(size).read_to_end(&mut content)? as u64 != size {
        return Err(ManifestError::Sections("a section ends after the file"));
    }
    Ok(content)
}

fn read_array<const N: usize>(source: &mut (impl Read + Seek), at: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.seek(SeekFrom::Start(at))?;
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8; 64], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8; 64], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8; 64], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
