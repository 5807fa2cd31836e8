//! The image: which octets are whose.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::error::Error;

use gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, Pointer, UnwindSection};
use object::elf::{PT_LOAD, R_X86_64_32, R_X86_64_32S, R_X86_64_64, SHF_ALLOC};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{
    Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget, SectionFlags,
    SectionIndex, SymbolKind,
};

use crate::owner::{C, owner};

type Elf<'a> = ElfFile64<'a>;
/// Octets by crate.
type Octets = BTreeMap<String, u64>;
/// From where on an address is whose.
type Owners = BTreeMap<u64, String>;

/// The octets of an image by crate.
pub(crate) struct Shares {
    pub(crate) code: Octets,
    pub(crate) data: Octets,
    pub(crate) unwinding: Octets,
    /// Octets of the image without symbols.
    pub(crate) stripped: u64,
}

/// Octets of an entry of `.eh_frame_hdr` (LSB 5.0, 10.6.2), one for each function.
const HEADER_ENTRY: u64 = 8;
/// Functions that have an address, but no place in the image.
const LEFT_OUT: &str = "(left out)";
/// Octets of a section header.
const SECTION_HEADER: u64 = 64;

/// Reads an image.
pub(crate) fn read(bytes: &[u8]) -> Result<Shares, Box<dyn Error>> {
    let elf = Elf::parse(bytes)?;
    let functions = functions(&elf);
    if functions.is_empty() {
        return Err("no symbols: expected an image that is not stripped".into());
    }
    let references = references(&elf);
    if references.is_empty() {
        return Err("no relocations: expected an image linked with --emit-relocs".into());
    }
    let mut code = Octets::new();
    for (start, (end, crate_name)) in &functions {
        *code.entry(crate_name.clone()).or_default() += end - start;
    }
    let mut data = data(&elf, &functions, &references);
    let (mut unwinding, lsdas) = unwinding(&elf, &functions)?;
    share_tables(&elf, &lsdas, &mut unwinding);
    for octets in [&mut data, &mut unwinding] {
        octets.retain(|_, octets| *octets > 0);
    }
    Ok(Shares {
        code,
        data,
        unwinding,
        stripped: stripped(&elf),
    })
}

/// Where functions begin and end, and whose they are.
fn functions(elf: &Elf) -> BTreeMap<u64, (u64, String)> {
    // The linker script gives addresses, but no place in the file, to code that is never reached.
    let sections = elf.sections().filter(is_loaded);
    let loaded: HashSet<_> = sections.map(|section| section.index()).collect();
    let is_there = |index: Option<SectionIndex>| index.is_some_and(|index| loaded.contains(&index));
    let symbols = elf.symbols().filter(|symbol| {
        symbol.kind() == SymbolKind::Text && symbol.size() > 0 && is_there(symbol.section_index())
    });
    let mut functions: BTreeMap<u64, (u64, String)> = BTreeMap::new();
    for symbol in symbols {
        let end = symbol.address() + symbol.size();
        let name = owner(symbol.name().unwrap_or_default());
        functions.entry(symbol.address()).or_insert((end, name));
    }
    // Assembly has labels within functions.
    let starts: Vec<u64> = functions.keys().copied().collect();
    for pair in starts.windows(2) {
        if let Some((end, _)) = functions.get_mut(&pair[0]) {
            *end = (*end).min(pair[1]);
        }
    }
    functions
}

fn function_at(functions: &BTreeMap<u64, (u64, String)>, address: u64) -> Option<&String> {
    let (_, (end, name)) = functions.range(..=address).next_back()?;
    (address < *end).then_some(name)
}

/// Which address refers to which.
fn references(elf: &Elf) -> Vec<(u64, u64)> {
    let mut references = Vec::new();
    for (place, relocation) in elf.sections().flat_map(|section| section.relocations()) {
        let RelocationTarget::Symbol(index) = relocation.target() else {
            continue;
        };
        let Ok(symbol) = elf.symbol_by_index(index) else {
            continue;
        };
        let absolute = match relocation.flags() {
            RelocationFlags::Elf { r_type } => {
                [R_X86_64_64, R_X86_64_32, R_X86_64_32S].contains(&r_type)
            }
            _ => continue,
        };
        // What is relative is so to the end of the four octets.
        let addend = relocation.addend() + if absolute { 0 } else { 4 };
        references.push((place, symbol.address().wrapping_add_signed(addend)));
    }
    references.sort_unstable();
    references
}

/// The address ranges of the sections whose octets are in the file and that are neither code nor for unwinding.
fn data_sections(elf: &Elf) -> Vec<(u64, u64)> {
    let sections = elf.sections().filter(|section| {
        let name = section.name().unwrap_or_default();
        is_loaded(section) && !is_code(section) && !is_unwinding(name)
    });
    sections
        .map(|section| (section.address(), section.address() + section.size()))
        .collect()
}

fn is_kept<'a>(section: &impl ObjectSection<'a>) -> bool {
    matches!(section.flags(), SectionFlags::Elf { sh_flags, .. } if sh_flags.0 & SHF_ALLOC.0 != 0)
}

fn is_loaded<'a>(section: &impl ObjectSection<'a>) -> bool {
    is_kept(section) && section.file_range().is_some()
}

fn is_code<'a>(section: &impl ObjectSection<'a>) -> bool {
    section.kind() == object::SectionKind::Text
}

fn is_unwinding(name: &str) -> bool {
    name.starts_with(".eh_frame") || name == ".gcc_except_table"
}

/// Data by who refers to it.
fn data(elf: &Elf, functions: &BTreeMap<u64, (u64, String)>, references: &[(u64, u64)]) -> Octets {
    let sections = data_sections(elf);
    let within = |address: u64| {
        sections
            .iter()
            .any(|(start, end)| (*start..*end).contains(&address))
    };
    let mut starts: BTreeSet<u64> = sections.iter().map(|(start, _)| *start).collect();
    starts.extend(
        references
            .iter()
            .map(|(_, to)| *to)
            .filter(|to| within(*to)),
    );
    let piece = |address: u64| starts.range(..=address).next_back().copied();
    let mut owners = Owners::new();
    // From code first; then, again and again, from data whose owner is known by now.
    loop {
        let before = owners.len();
        for (from, to) in references.iter().filter(|(_, to)| within(*to)) {
            let name = match function_at(functions, *from) {
                Some(name) => Some(name.clone()),
                None => piece(*from)
                    .filter(|_| within(*from))
                    .and_then(|from| owners.get(&from).cloned()),
            };
            if let (Some(name), Some(start)) = (name, piece(*to)) {
                owners.entry(start).or_insert(name);
            }
        }
        if owners.len() == before {
            break;
        }
    }
    let mut octets = Octets::new();
    for (start, end) in sections {
        share(&starts, &owners, (start, end), &mut octets);
    }
    octets
}

/// Adds the octets of a section to their owners.
fn share(starts: &BTreeSet<u64>, owners: &Owners, (start, end): (u64, u64), octets: &mut Octets) {
    let pieces: Vec<u64> = starts.range(start..end).copied().chain([end]).collect();
    for pair in pieces.windows(2) {
        let name = owners.get(&pair[0]).map_or(C, String::as_str);
        *octets.entry(name.to_owned()).or_default() += pair[1] - pair[0];
    }
}

/// The octets of `.eh_frame` and its header by the function that they are about, and the addresses of the tables of
/// what is to be dropped and caught.
fn unwinding(
    elf: &Elf,
    functions: &BTreeMap<u64, (u64, String)>,
) -> Result<(Octets, Owners), Box<dyn Error>> {
    let (mut octets, mut lsdas) = (Octets::new(), Owners::new());
    let Some(section) = elf.section_by_name(".eh_frame") else {
        return Ok((octets, lsdas));
    };
    let frames = EhFrame::new(section.data()?, LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(section.address());
    let mut entries = frames.entries(&bases);
    let (mut first, mut about) = (0, C);
    let mut give = |name: &str, count: u64| *octets.entry(name.to_owned()).or_default() += count;
    while let Some(entry) = entries.next()? {
        let (start, name) = match entry {
            CieOrFde::Cie(cie) => (cie.offset(), C),
            CieOrFde::Fde(partial) => {
                let fde = partial.parse(EhFrame::cie_from_offset)?;
                let name = function_at(functions, fde.initial_address());
                let name = name.map_or(LEFT_OUT, String::as_str);
                if let Some(Pointer::Direct(table)) = fde.lsda() {
                    lsdas.insert(table, name.to_owned());
                }
                give(name, HEADER_ENTRY);
                (fde.offset(), name)
            }
        };
        // The entry before this one ends here.
        give(about, (start - first) as u64);
        (first, about) = (start, name);
    }
    give(about, section.size() - first as u64);
    Ok((octets, lsdas))
}

/// Adds the tables of what is to be dropped and caught to their functions' crates.
fn share_tables(elf: &Elf, lsdas: &Owners, octets: &mut Octets) {
    if let Some(section) = elf.section_by_name(".gcc_except_table") {
        let starts = lsdas.keys().copied().chain([section.address()]).collect();
        share(
            &starts,
            lsdas,
            (section.address(), section.address() + section.size()),
            octets,
        );
    }
}

/// Octets of the file that `strip` would leave: what is loaded, and the headers of its sections with their names.
fn stripped(elf: &Elf) -> u64 {
    let endian = elf.endian();
    let headers = elf.elf_program_headers().iter();
    let loaded = headers.filter(|header| header.p_type(endian) == PT_LOAD);
    let end = loaded
        .map(|header| header.p_offset(endian) + header.p_filesz(endian))
        .max();
    let names = elf
        .sections()
        .filter(is_kept)
        .map(|section| section.name().map_or(0, str::len) as u64 + 1);
    let (count, letters) = names.fold((0, 0), |(count, sum), letters| (count + 1, sum + letters));
    // Besides these sections there are an empty one and the one of the names.
    let names = 1 + letters + ".shstrtab".len() as u64 + 1;
    (end.unwrap_or(0) + names).next_multiple_of(8) + (count + 2) * SECTION_HEADER
}
