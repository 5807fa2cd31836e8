//! Objects for the linker, as far as it takes to change some of their sections: ELF-64 for x86-64 (System V ABI, chapter 4).

use std::ops::Range;

const HEADER: usize = 64;
const SYMBOL: usize = 24;
const RELOCATION: usize = 24;
const CONTENT: u32 = 1;
const SYMBOL_TABLE: u32 = 2;
const RELOCATIONS: u32 = 4;
const NO_OCTETS: u32 = 8;
const SECTION_INDICES: u32 = 18;
/// A section's flag.
const EXECUTABLE: u64 = 4;
/// A symbol's type, in the lower half of its information.
const FUNCTION: u8 = 2;
/// The section's index is in the table of section indices.
const ELSEWHERE: u16 = 0xffff;

/// A relocation, at an offset of its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Relocation {
    pub(super) offset: u64,
    pub(super) symbol: u32,
    pub(super) kind: u32,
    pub(super) addend: i64,
}

/// Where a symbol is, and how many octets it has.
#[derive(Clone, Copy)]
struct Place {
    is_function: bool,
    section: usize,
    value: u64,
    size: u64,
}

/// An object. What is changed is written anew behind all else.
pub(super) struct Object {
    octets: Vec<u8>,
    /// Where the headers of the sections are.
    headers: usize,
    sections: usize,
    /// Of each symbol: where its name begins in `octets`, and where it is, if it is here.
    symbols: Vec<(usize, Option<Place>)>,
}

impl Object {
    /// None if it is no such object.
    pub(super) fn parse(octets: Vec<u8>) -> Option<Self> {
        let headers = usize::try_from(u64_at(&octets, 40)?).ok()?;
        if !octets.starts_with(b"\x7fELF\x02\x01") || u32_at(&octets, 16)? != 62 << 16 | 1 {
            return None;
        }
        let mut object = Self {
            octets,
            headers,
            sections: 1,
            symbols: Vec::new(),
        };
        object.sections = match u16_at(&object.octets, 60)? {
            0 => usize::try_from(object.field(0, 32)?).ok()?,
            count => count.into(),
        };
        object.symbols = object.read_symbols()?;
        Some(object)
    }

    pub(super) fn into_octets(self) -> Vec<u8> {
        self.octets
    }

    fn read_symbols(&self) -> Option<Vec<(usize, Option<Place>)>> {
        let of_kind = |kind| (0..self.sections).find(|it| self.kind(*it) == Some(kind));
        let table = of_kind(SYMBOL_TABLE)?;
        let names = self.range(self.word(table, 40)? as usize)?.start;
        let symbols = self.octets.get(self.range(table)?)?;
        let indices = match of_kind(SECTION_INDICES) {
            Some(section) => self.octets.get(self.range(section)?)?,
            None => &[],
        };
        let read = symbols
            .chunks_exact(SYMBOL)
            .enumerate()
            .map(|(number, symbol)| {
                let section = match u16_at(symbol, 6)? {
                    ELSEWHERE => u32_at(indices, 4 * number)?,
                    section => section.into(),
                };
                let place = Place {
                    is_function: symbol[4] & 0xf == FUNCTION,
                    section: section as usize,
                    value: u64_at(symbol, 8)?,
                    size: u64_at(symbol, 16)?,
                };
                let is_here = (1..self.sections).contains(&place.section);
                Some((
                    names + u32_at(symbol, 0)? as usize,
                    is_here.then_some(place),
                ))
            });
        read.collect()
    }

    fn field(&self, section: usize, offset: usize) -> Option<u64> {
        u64_at(&self.octets, self.headers + section * HEADER + offset)
    }

    fn word(&self, section: usize, offset: usize) -> Option<u32> {
        u32_at(&self.octets, self.headers + section * HEADER + offset)
    }

    fn kind(&self, section: usize) -> Option<u32> {
        self.word(section, 4)
    }

    /// Where the octets of a section are.
    fn range(&self, section: usize) -> Option<Range<usize>> {
        if self.kind(section)? == NO_OCTETS {
            return None;
        }
        let start = usize::try_from(self.field(section, 24)?).ok()?;
        let end = start.checked_add(usize::try_from(self.field(section, 32)?).ok()?)?;
        (end <= self.octets.len()).then_some(start..end)
    }

    fn name_at(&self, start: usize) -> &[u8] {
        let rest = self.octets.get(start..).unwrap_or_default();
        rest.split(|octet| *octet == 0).next().unwrap_or_default()
    }

    /// The sections of a name.
    pub(super) fn named(&self, name: &[u8]) -> Vec<usize> {
        let names = match u16_at(&self.octets, 62) {
            Some(ELSEWHERE) => self.word(0, 40).map(|it| it as usize),
            index => index.map(usize::from),
        };
        let Some(names) = names.and_then(|it| self.range(it)) else {
            return Vec::new();
        };
        let is_so = |section: &usize| {
            let start = self.word(*section, 0).map(|it| names.start + it as usize);
            start.is_some_and(|start| self.name_at(start) == name)
        };
        (1..self.sections).filter(is_so).collect()
    }

    pub(super) fn octets(&self, section: usize) -> Option<&[u8]> {
        self.octets.get(self.range(section)?)
    }

    /// The section with the relocations of another.
    fn relocations_of(&self, section: usize) -> Option<usize> {
        let is_so = |it: &usize| {
            self.kind(*it) == Some(RELOCATIONS) && self.word(*it, 44) == Some(section as u32)
        };
        (1..self.sections).find(is_so)
    }

    pub(super) fn relocations(&self, section: usize) -> Option<Vec<Relocation>> {
        let octets = self.octets(self.relocations_of(section)?)?;
        let read = octets.chunks_exact(RELOCATION).map(|it| {
            Some(Relocation {
                offset: u64_at(it, 0)?,
                kind: u32_at(it, 8)?,
                symbol: u32_at(it, 12)?,
                addend: u64_at(it, 16)? as i64,
            })
        });
        read.collect()
    }

    /// At most `length` octets from where a relocation leads.
    pub(super) fn target(&self, relocation: Relocation, length: usize) -> Option<&[u8]> {
        let (_, place) = self.symbols.get(relocation.symbol as usize)?;
        let place = (*place)?;
        let start = usize::try_from(place.value.checked_add_signed(relocation.addend)?).ok()?;
        let rest = self.octets(place.section)?.get(start..)?;
        Some(&rest[..length.min(rest.len())])
    }

    /// Has a section these octets and relocations.
    pub(super) fn replace(&mut self, section: usize, octets: &[u8], relocations: &[Relocation]) {
        self.set(section, octets);
        if let Some(section) = self.relocations_of(section) {
            let mut written = Vec::new();
            for it in relocations {
                written.extend(it.offset.to_le_bytes());
                written.extend(it.kind.to_le_bytes());
                written.extend(it.symbol.to_le_bytes());
                written.extend(it.addend.to_le_bytes());
            }
            self.set(section, &written);
        }
    }

    fn set(&mut self, section: usize, octets: &[u8]) {
        self.octets
            .resize(self.octets.len().next_multiple_of(16), 0);
        let header = self.headers + section * HEADER;
        let place = [self.octets.len() as u64, octets.len() as u64];
        self.octets[header + 24..][..16]
            .copy_from_slice(place.map(u64::to_le_bytes).as_flattened());
        self.octets.extend_from_slice(octets);
    }

    /// Has functions, each of which has a section of its own, this code alone; tells whether there is one.
    pub(super) fn replace_functions(
        &mut self,
        is_asked: impl Fn(&[u8]) -> bool,
        code: &[u8],
    ) -> bool {
        let asked = |(name, place): &(usize, Option<Place>)| {
            let place = (*place).filter(|it| it.is_function && it.value == 0 && it.size > 0)?;
            let is_code = self.kind(place.section) == Some(CONTENT)
                && self.field(place.section, 8)? & EXECUTABLE != 0
                && self.field(place.section, 32) == Some(place.size);
            (is_code && is_asked(self.name_at(*name))).then_some(place.section)
        };
        let sections: Vec<usize> = self.symbols.iter().filter_map(asked).collect();
        for section in &sections {
            self.replace(*section, code, &[]);
        }
        !sections.is_empty()
    }
}

fn array<const N: usize>(octets: &[u8], offset: usize) -> Option<[u8; N]> {
    octets.get(offset..)?.first_chunk().copied()
}

fn u16_at(octets: &[u8], offset: usize) -> Option<u16> {
    array(octets, offset).map(u16::from_le_bytes)
}

pub(super) fn u32_at(octets: &[u8], offset: usize) -> Option<u32> {
    array(octets, offset).map(u32::from_le_bytes)
}

fn u64_at(octets: &[u8], offset: usize) -> Option<u64> {
    array(octets, offset).map(u64::from_le_bytes)
}
