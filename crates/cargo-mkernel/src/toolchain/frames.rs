//! Shorter tables for unwinding: `.eh_frame` (Linux Standard Base, "Exception Frames"; DWARF 5 section 6.4).
//!
//! Compilers describe a function's frame after each instruction that changes it, so that a debugger may stop anywhere. Who
//! unwinds is always within a call. So what is said of places that no call is at is left out, and so are functions that call
//! nothing; and as nearly all others have one frame for all their calls then, those of the same shape get it from one entry.

use std::collections::BTreeMap;

use super::object::{Object, Relocation, u32_at};

/// The register that stands for the return address.
const RETURN_ADDRESS: u64 = 16;
/// What offsets are multiples of: minus eight octets, as sleb128.
const DATA_ALIGNMENT: u8 = 0x78;
/// Of an entry: the length, and the identifier, which counts with it from behind the length on.
const LENGTH: usize = 4;
/// In the entry of a function: where it begins and how long it is, and how many octets follow behind that for its data.
const BEGIN: usize = 8;
const EXTENT: usize = 12;
const DATA: usize = 16;
/// What rust-lld makes entries a multiple of.
const ALIGNMENT: usize = 8;
/// Functions of the same frame that are worth an entry for it.
const SHARERS: usize = 3;

/// How to find the caller's frame: register and offset of its address, and where registers are, in multiples of eight octets
/// below that.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Frame {
    address: (u64, u64),
    saved: BTreeMap<u64, u64>,
}

/// A common entry, up to its instructions, with the relocations in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Common {
    head: Vec<u8>,
    relocations: Vec<Relocation>,
    frame: Frame,
}

/// A function's entry.
struct Function {
    common: Common,
    /// The instructions as they are, or the frames that calls are made in, each from an octet of the function on.
    frames: Result<Vec<(usize, Frame)>, Vec<u8>>,
    /// What is before the instructions.
    head: Vec<u8>,
    relocations: Vec<Relocation>,
}

/// Shortens the tables of an object; none if they are of an unknown kind.
pub(super) fn shorten(object: &mut Object) -> Option<()> {
    for section in object.named(b".eh_frame") {
        let mut relocations = object.relocations(section)?;
        relocations.sort_by_key(|it| it.offset);
        let functions = read(object.octets(section)?, &relocations, |begin, length| {
            object.target(begin, length)
        })?;
        let (octets, relocations) = write(&functions);
        object.replace(section, &octets, &relocations);
    }
    Some(())
}

/// Reads the entries of all functions that may be within a call. `code` gives what a relocation leads to.
fn read<'a>(
    octets: &[u8],
    relocations: &[Relocation],
    code: impl Fn(Relocation, usize) -> Option<&'a [u8]>,
) -> Option<Vec<Function>> {
    let mut commons = BTreeMap::new();
    let mut functions = Vec::new();
    let mut start = 0;
    while let Some(length) = u32_at(octets, start).filter(|it| *it != 0) {
        let end = start + LENGTH + length as usize;
        let entry = octets.get(start..end)?;
        let within = |it: &&Relocation| (start as u64..end as u64).contains(&it.offset);
        let first = relocations.partition_point(|it| it.offset < start as u64);
        let relocations = relocations[first..]
            .iter()
            .take_while(within)
            .map(|it| Relocation {
                offset: it.offset - start as u64,
                ..*it
            });
        let relocations: Vec<Relocation> = relocations.collect();
        match u32_at(entry, LENGTH)? {
            0 => drop(commons.insert(start, read_common(entry, relocations)?)),
            before => {
                let common: &Common =
                    commons.get(&(start + LENGTH).checked_sub(before as usize)?)?;
                functions.extend(read_function(entry, relocations, common, &code)?);
            }
        }
        start = end;
    }
    Some(functions)
}

/// What compilers write: version 1, and data that tells of addresses relative to where they stand, of four octets, of a
/// personality and of data for it, and of nothing else.
fn read_common(entry: &[u8], relocations: Vec<Relocation>) -> Option<Common> {
    const RELATIVE: u8 = 0x1b;
    let mut reader = Reader(entry.get(LENGTH + 4..)?);
    (reader.octet()? == 1).then_some(())?;
    let end = reader.0.iter().position(|octet| *octet == 0)?;
    let augmentation = &reader.0[..end];
    reader.0 = &reader.0[end + 1..];
    let alignments = (reader.octet()?, reader.octet()?, reader.number()?);
    (alignments == (1, DATA_ALIGNMENT, RETURN_ADDRESS)).then_some(())?;
    let length = usize::try_from(reader.number()?).ok()?;
    let (data, instructions) = reader.0.split_at_checked(length)?;
    let is_known = match (augmentation, data) {
        (b"zR", [addresses]) => *addresses == RELATIVE,
        (b"zPLR", [_, _, _, _, _, _, addresses]) => *addresses == RELATIVE,
        _ => false,
    };
    is_known.then_some(())?;
    let frames = run(instructions, &Frame::default())?;
    let [(0, frame)] = &frames[..] else {
        return None;
    };
    Some(Common {
        head: entry[..entry.len() - instructions.len()].to_vec(),
        relocations,
        frame: frame.clone(),
    })
}

/// `Some(None)` of a function that calls nothing.
fn read_function<'a>(
    entry: &[u8],
    relocations: Vec<Relocation>,
    common: &Common,
    code: impl Fn(Relocation, usize) -> Option<&'a [u8]>,
) -> Option<Option<Function>> {
    let begin = relocations.iter().find(|it| it.offset == BEGIN as u64)?;
    let code = code(*begin, u32_at(entry, EXTENT)? as usize)?;
    let data = usize::from(*entry.get(DATA)?);
    let (head, instructions) = entry.split_at_checked(DATA + 1 + data)?;
    // A length of more octets than one.
    (data < 0x80).then_some(())?;
    if !may_call(code) {
        return Some(None);
    }
    let frames = run(instructions, &common.frame).map(|all| {
        let ends = all[1..].iter().map(|(start, _)| *start).chain([code.len()]);
        let mut needed: Vec<(usize, Frame)> = Vec::new();
        for ((start, frame), end) in all.iter().zip(ends) {
            let calls = code
                .get(*start..end)
                .is_none_or(|_| may_call_between(code, *start, end));
            if calls && needed.last().is_none_or(|(_, last)| last != frame) {
                needed.push((*start, frame.clone()));
            }
        }
        needed
    });
    Some(Some(Function {
        common: common.clone(),
        frames: frames.ok_or_else(|| instructions.to_vec()),
        head: head.to_vec(),
        relocations,
    }))
}

fn may_call(code: &[u8]) -> bool {
    may_call_between(code, 0, code.len())
}

/// Whether a call's operation code may be there: E8, or FF with 2 or 3 in the next octet's middle (Intel SDM volume 2, CALL).
fn may_call_between(code: &[u8], start: usize, end: usize) -> bool {
    (start..end).any(|index| match code[index] {
        0xe8 => true,
        0xff => code
            .get(index + 1)
            .is_none_or(|next| matches!(next >> 3 & 7, 2 | 3)),
        _ => false,
    })
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Little-endian, of so many octets.
    fn fixed(&mut self, octets: u32) -> Option<usize> {
        let mut number = 0;
        for index in 0..octets {
            number |= usize::from(self.octet()?) << (8 * index);
        }
        Some(number)
    }

    /// In uleb128, as far as it has 63 bits.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let octet = self.octet()?;
            number |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

/// The frames that instructions describe, each from where on; none if there is one that is not known here.
fn run(instructions: &[u8], common: &Frame) -> Option<Vec<(usize, Frame)>> {
    let mut reader = Reader(instructions);
    let mut frame = common.clone();
    let mut remembered = Vec::new();
    let mut frames = Vec::new();
    let mut place = 0;
    while let Some(octet) = reader.octet() {
        let low = u64::from(octet & 0x3f);
        let advance = match octet {
            0x40..=0x7f => Some(low as usize),
            0x02 => Some(reader.fixed(1)?),
            0x03 => Some(reader.fixed(2)?),
            0x04 => Some(reader.fixed(4)?),
            _ => None,
        };
        if let Some(advance) = advance {
            frames.push((place, frame.clone()));
            place += advance;
            continue;
        }
        match octet {
            0x00 => {}
            0x80..=0xbf => drop(frame.saved.insert(low, reader.number()?)),
            0xc0..=0xff => match common.saved.get(&low) {
                Some(at) => drop(frame.saved.insert(low, *at)),
                None => drop(frame.saved.remove(&low)),
            },
            0x0a => remembered.push(frame.clone()),
            0x0b => frame = remembered.pop()?,
            0x0c => frame.address = (reader.number()?, reader.number()?),
            0x0d => frame.address.0 = reader.number()?,
            0x0e => frame.address.1 = reader.number()?,
            _ => return None,
        }
    }
    frames.push((place, frame));
    Some(frames)
}

/// Writes what makes of one frame another.
fn change(from: &Frame, to: &Frame, written: &mut Vec<u8>) {
    match (from.address, to.address) {
        (from, to) if from == to => {}
        ((register, _), (same, offset)) if register == same => {
            written.push(0x0e);
            push_number(offset, written);
        }
        (_, (register, offset)) => {
            written.push(0x0c);
            push_number(register, written);
            push_number(offset, written);
        }
    }
    for (register, at) in &to.saved {
        if from.saved.get(register) != Some(at) {
            written.push(0x80 | *register as u8);
            push_number(*at, written);
        }
    }
    for register in from.saved.keys().filter(|it| !to.saved.contains_key(it)) {
        // It has the caller's value.
        written.extend([0x08, *register as u8]);
    }
}

fn push_number(mut number: u64, written: &mut Vec<u8>) {
    while number >= 0x80 {
        written.push(number as u8 | 0x80);
        number >>= 7;
    }
    written.push(number as u8);
}

fn push_advance(octets: usize, written: &mut Vec<u8>) {
    match octets {
        0 => {}
        1..0x40 => written.push(0x40 | octets as u8),
        0x40..0x100 => written.extend([0x02, octets as u8]),
        0x100..0x1_0000 => {
            written.push(0x03);
            written.extend((octets as u16).to_le_bytes());
        }
        _ => {
            written.push(0x04);
            written.extend((octets as u32).to_le_bytes());
        }
    }
}

/// The entries: octets and relocations.
fn write(functions: &[Function]) -> (Vec<u8>, Vec<Relocation>) {
    let mut sharers: BTreeMap<Common, usize> = BTreeMap::new();
    let shared = |function: &Function| {
        let frames = function.frames.as_ref().ok()?;
        let (_, frame) = frames.first()?;
        Some(Common {
            frame: frame.clone(),
            ..function.common.clone()
        })
    };
    for common in functions.iter().filter_map(shared) {
        *sharers.entry(common).or_default() += 1;
    }
    let mut written = (Vec::new(), Vec::new());
    let mut commons = BTreeMap::new();
    for function in functions {
        let own = shared(function).filter(|it| sharers[it] >= SHARERS);
        let common = own.unwrap_or_else(|| function.common.clone());
        let start = *commons.entry(common.clone()).or_insert_with(|| {
            let mut instructions = Vec::new();
            change(&Frame::default(), &common.frame, &mut instructions);
            let relocations = common.relocations.iter().copied();
            push_entry(&common.head, &instructions, relocations, &mut written)
        });
        let instructions = match &function.frames {
            Err(as_they_are) => as_they_are.clone(),
            Ok(frames) => {
                let mut instructions = Vec::new();
                let (mut place, mut before) = (0, &common.frame);
                for (index, (start, frame)) in frames.iter().enumerate() {
                    // The first counts from the start on.
                    if index > 0 {
                        push_advance(start - place, &mut instructions);
                        place = *start;
                    }
                    change(before, frame, &mut instructions);
                    before = frame;
                }
                instructions
            }
        };
        let mut head = function.head.clone();
        let before = written.0.len() + LENGTH - start;
        head[LENGTH..LENGTH + 4].copy_from_slice(&(before as u32).to_le_bytes());
        let relocations = function.relocations.iter().copied();
        push_entry(&head, &instructions, relocations, &mut written);
    }
    written
}

/// Writes an entry, filled up with instructions that do nothing; returns where it starts.
fn push_entry(
    head: &[u8],
    instructions: &[u8],
    relocations: impl Iterator<Item = Relocation>,
    (octets, all): &mut (Vec<u8>, Vec<Relocation>),
) -> usize {
    let start = octets.len();
    octets.extend_from_slice(head);
    octets.extend_from_slice(instructions);
    octets.resize(octets.len().next_multiple_of(ALIGNMENT), 0);
    let length = octets.len() - start - LENGTH;
    octets[start..start + LENGTH].copy_from_slice(&(length as u32).to_le_bytes());
    all.extend(relocations.map(|it| Relocation {
        offset: it.offset + start as u64,
        ..it
    }));
    start
}

#[cfg(test)]
mod tests;
