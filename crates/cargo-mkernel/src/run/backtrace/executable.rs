//! What an executable says of an address in it: its symbols, and its debugging information.
//!
//! Sections are read here, as far as that takes; `object`, by which `addr2line` can have them read, takes as long to compile as a
//! sixth of all that is installed.

use std::fs;
use std::path::Path;

use addr2line::gimli::{self, EndianSlice, LittleEndian};
use addr2line::{Context, FrameIter};

type Slice = EndianSlice<'static, LittleEndian>;

/// Octets of a section header, and of a symbol, of ELF64.
const SECTION_HEADER_LEN: usize = 64;
const SYMBOL_LEN: usize = 24;
/// `sh_type` of the table of symbols, and the kind of a symbol that is a function.
const SHT_SYMTAB: u64 = 2;
const STT_FUNC: u8 = 2;

/// An executable of 64 bits, little-endian.
pub(super) struct Executable {
    context: Context<Slice>,
    /// By address.
    functions: Vec<Function>,
}

struct Function {
    start: u64,
    len: u64,
    name: &'static str,
}

/// A section header.
#[derive(Clone, Copy)]
struct Section {
    name: usize,
    kind: u64,
    /// Which section has the names of its entries.
    link: usize,
    content: &'static [u8],
}

impl Executable {
    /// Reads it; `None` if it is no executable, or its debugging information is none.
    pub(super) fn read(path: &Path) -> Option<Self> {
        // One for the life of the process.
        let file: &'static [u8] = fs::read(path).ok()?.leak();
        let sections = sections(file)?;
        let names = sections.get(number::<2>(file, 0x3e)? as usize)?.content;
        let named = |id: gimli::SectionId| {
            let mut all = sections.iter();
            let found = all.find(|section| text(names, section.name) == Some(id.name()));
            let content = found.map_or(&[][..], |section| section.content);
            Ok::<_, gimli::Error>(EndianSlice::new(content, LittleEndian))
        };
        let dwarf = gimli::Dwarf::load(named).ok()?;
        Some(Self {
            context: Context::from_dwarf(dwarf).ok()?,
            functions: functions(&sections),
        })
    }

    /// The symbol of the function at an address.
    pub(super) fn symbol(&self, address: u64) -> Option<&'static str> {
        let after = self.functions.partition_point(|it| it.start <= address);
        let function = self.functions.get(after.checked_sub(1)?)?;
        (address - function.start < function.len).then_some(function.name)
    }

    /// The functions at an address, the innermost first.
    pub(super) fn frames(&self, address: u64) -> Option<FrameIter<'_, Slice>> {
        self.context.find_frames(address).skip_all_loads().ok()
    }
}

fn sections(file: &'static [u8]) -> Option<Vec<Section>> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let start = usize::try_from(number::<8>(file, 0x28)?).ok()?;
    let count = number::<2>(file, 0x3c)? as usize;
    let headers = file.get(start..)?.chunks_exact(SECTION_HEADER_LEN);
    let section = |header: &'static [u8]| {
        let at = number::<8>(header, 24)? as usize;
        let len = number::<8>(header, 32)? as usize;
        Some(Section {
            name: number::<4>(header, 0)? as usize,
            kind: number::<4>(header, 4)?,
            link: number::<4>(header, 40)? as usize,
            // One without content in the file, such as `.bss`, has none here.
            content: file.get(at..at.checked_add(len)?).unwrap_or_default(),
        })
    };
    headers.take(count).map(section).collect()
}

fn functions(sections: &[Section]) -> Vec<Function> {
    let table = sections.iter().find(|section| section.kind == SHT_SYMTAB);
    let names = table.and_then(|table| sections.get(table.link));
    let (Some(table), Some(names)) = (table, names) else {
        return Vec::new();
    };
    let function = |symbol: &'static [u8]| {
        let is_function = symbol[4] & 0xf == STT_FUNC;
        let name = text(names.content, number::<4>(symbol, 0)? as usize)?;
        is_function.then_some(Function {
            start: number::<8>(symbol, 8)?,
            len: number::<8>(symbol, 16)?,
            name,
        })
    };
    let symbols = table.content.chunks_exact(SYMBOL_LEN);
    let mut functions: Vec<_> = symbols.filter_map(function).collect();
    functions.sort_by_key(|function| function.start);
    functions
}

/// A number of so many octets.
fn number<const LEN: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(LEN)?)?;
    let octets = bytes.iter().rev();
    Some(octets.fold(0, |number, &octet| number << 8 | u64::from(octet)))
}

/// Text up to a zero.
fn text(bytes: &'static [u8], at: usize) -> Option<&'static str> {
    let rest = bytes.get(at..)?;
    let len = rest.iter().position(|&octet| octet == 0)?;
    std::str::from_utf8(&rest[..len]).ok()
}

/// Its own file is one with symbols and lines.
#[test]
fn a_function_is_found_by_its_address() {
    let own = std::env::current_exe().unwrap();
    let executable = Executable::read(&own).unwrap();
    let known = |function: &&Function| function.name.contains("a_function_is_found_by_its_address");
    let function = executable.functions.iter().find(known).unwrap();
    let inside = function.start + function.len / 2;
    assert_eq!(executable.symbol(inside), Some(function.name));
    let mut frames = executable.frames(inside).unwrap();
    let mut files = Vec::new();
    while let Ok(Some(frame)) = frames.next() {
        files.extend(frame.location.and_then(|it| it.file.map(str::to_owned)));
    }
    assert!(
        files
            .iter()
            .any(|file| file.ends_with("backtrace/executable.rs")),
        "{files:?}"
    );
}

#[test]
fn what_is_no_executable_has_no_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let own = fs::read(std::env::current_exe().unwrap()).unwrap();
    // Cut off, or with a table of sections that is elsewhere.
    let mut elsewhere = own.clone();
    elsewhere[0x28..0x30].fill(0xff);
    for content in [&b""[..], b"\x7fELF", &own[..64], &elsewhere] {
        fs::write(&path, content).unwrap();
        assert!(Executable::read(&path).is_none());
    }
}
