//! The guest's page tables: an identity mapping, without execution where the executable has not asked for it.
//!
//! Solo5's own tender maps everything executable. This one sets the no-execute bit on every page outside the segments
//! flagged executable, which no guest of that tender relies on unless it makes code at run time; `--x-exec-heap` is for
//! those. Writing is not restricted here but in the tender's own mapping, so that a stray write to text ends the tender
//! as it does upstream.

use std::ops::Range;

use solo5_abi::elf::MIN_ADDRESS;
use solo5_abi::hvt::{BOOT_INFO, BOOT_PD, BOOT_PDPT, BOOT_PML4, BOOT_PT, LARGE_PAGE_SIZE};

/// Entry flags (Intel SDM volume 3, 5.5.4).
const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;

const PAGE: u64 = 0x1000;
const ENTRIES: usize = 512;
/// Bytes that a page directory maps.
const GIB: u64 = 1 << 30;
/// Page directories, one for each GiB; all four exist whatever the memory size.
const DIRECTORIES: u64 = 4;
/// Where further page tables may go: the rest of the tender's pages below the boot information.
const SPARE_TABLES: Range<u64> = BOOT_PT + PAGE..BOOT_INFO;

/// One page of a table and its address.
pub(super) type Table = (u64, [u64; ENTRIES]);

/// Which pages the guest may execute.
#[derive(Clone, Debug)]
pub(super) enum Executable {
    /// All of them: the processor has no no-execute bit, or the user wants it so.
    Everything,
    /// These, in ascending order and page-aligned.
    Only(Vec<Range<u64>>),
}

impl Executable {
    fn contains(&self, address: u64) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(ranges) => ranges.iter().any(|range| range.contains(&address)),
        }
    }

    fn touches(&self, pages: &Range<u64>) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(ranges) => ranges
                .iter()
                .any(|range| range.start < pages.end && pages.start < range.end),
        }
    }

    fn covers(&self, pages: &Range<u64>) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(ranges) => ranges
                .iter()
                .any(|range| range.start <= pages.start && pages.end <= range.end),
        }
    }

    /// The flag of a page at `address`.
    fn flag(&self, address: u64) -> u64 {
        if self.contains(address) {
            0
        } else {
            NO_EXECUTE
        }
    }
}

/// The tables that map `size` bytes of memory, a multiple of 2 MiB.
///
/// Below 64 KiB nothing is mapped, below 1 MiB nothing is writable. A large page that is executable in part is split
/// into small ones as long as there is room for tables (seven more); beyond that it stays executable as a whole.
pub(super) fn tables(size: u64, executable: &Executable) -> Vec<Table> {
    let mut directories: Vec<Table> = (0..DIRECTORIES)
        .map(|n| (BOOT_PD + n * PAGE, [0; ENTRIES]))
        .collect();
    let mut small = vec![(BOOT_PT, first_table(executable))];
    let mut spare = SPARE_TABLES.step_by(PAGE as usize);
    for address in (0..size).step_by(LARGE_PAGE_SIZE as usize) {
        let pages = address..address + LARGE_PAGE_SIZE;
        let (_, directory) = &mut directories[(address / GIB) as usize];
        directory[(address % GIB / LARGE_PAGE_SIZE) as usize] = if address == 0 {
            BOOT_PT | PRESENT | WRITABLE
        } else if !executable.touches(&pages) {
            address | PRESENT | WRITABLE | LARGE | NO_EXECUTE
        } else if executable.covers(&pages) {
            address | PRESENT | WRITABLE | LARGE
        } else if let Some(table) = spare.next() {
            let entry = |n| address + n as u64 * PAGE;
            let entries =
                std::array::from_fn(|n| entry(n) | PRESENT | WRITABLE | executable.flag(entry(n)));
            small.push((table, entries));
            table | PRESENT | WRITABLE
        } else {
            address | PRESENT | WRITABLE | LARGE
        };
    }
    let mut tables = vec![(BOOT_PML4, [0; ENTRIES]), (BOOT_PDPT, [0; ENTRIES])];
    tables[0].1[0] = BOOT_PDPT | PRESENT | WRITABLE;
    for (n, (table, _)) in directories.iter().enumerate() {
        tables[1].1[n] = table | PRESENT | WRITABLE;
    }
    tables.extend(directories);
    tables.extend(small);
    tables
}

fn first_table(executable: &Executable) -> [u64; ENTRIES] {
    std::array::from_fn(|n| {
        let address = n as u64 * PAGE;
        match address {
            ..BOOT_INFO => 0,
            BOOT_INFO..MIN_ADDRESS => address | PRESENT | executable.flag(address),
            _ => address | PRESENT | WRITABLE | executable.flag(address),
        }
    })
}

#[cfg(test)]
mod tests;
