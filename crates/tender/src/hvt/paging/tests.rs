use super::*;

/// What the processor finds for an address: nothing, or where it lies and what may be done there.
#[derive(Debug, PartialEq, Eq)]
struct Mapping {
    physical: u64,
    write: bool,
    execute: bool,
}

/// Walks the tables as the processor does (Intel SDM volume 3, 5.5.4).
fn walk(tables: &[Table], address: u64) -> Option<Mapping> {
    let table = |at: u64| {
        &tables
            .iter()
            .find(|(start, _)| *start == at)
            .expect("an entry points to a table")
            .1
    };
    let frame = |entry: u64| entry & 0x000f_ffff_ffff_f000;
    let mut at = BOOT_PML4;
    let (mut write, mut execute) = (true, true);
    for level in (0..4).rev() {
        let shift = 12 + 9 * level;
        let entry = table(at)[(address >> shift) as usize % ENTRIES];
        if entry & PRESENT == 0 {
            return None;
        }
        write &= entry & WRITABLE != 0;
        execute &= entry & NO_EXECUTE == 0;
        at = frame(entry);
        if level == 0 || (level == 1 && entry & LARGE != 0) {
            let offset = address & ((1 << shift) - 1);
            return Some(Mapping {
                physical: at + offset,
                write,
                execute,
            });
        }
    }
    unreachable!("level 0 returns")
}

/// Addresses worth looking at: around each boundary of pages and sizes.
fn probes(size: u64) -> impl Iterator<Item = u64> {
    let pages = (0..size.min(16 << 20)).step_by(PAGE as usize);
    let large = (0..size).step_by(LARGE_PAGE_SIZE as usize);
    pages
        .chain(large)
        .flat_map(|start| [start, start + 1, start + PAGE - 1])
}

fn check(size: u64, executable: &Executable, exact: bool) {
    let tables = tables(size, executable);
    for address in probes(size) {
        let mapping = walk(&tables, address);
        if address < BOOT_INFO {
            assert_eq!(mapping, None, "{address:#x}");
            continue;
        }
        let mapping = mapping.unwrap_or_else(|| panic!("{address:#x} is not mapped"));
        assert_eq!(mapping.physical, address);
        assert_eq!(mapping.write, address >= MIN_ADDRESS, "{address:#x}");
        if exact {
            assert_eq!(
                mapping.execute,
                executable.contains(address),
                "{address:#x}"
            );
        } else {
            assert!(
                mapping.execute || !executable.contains(address),
                "{address:#x}"
            );
        }
    }
    assert_eq!(walk(&tables, size), None, "beyond memory");
    assert_eq!(walk(&tables, 4 << 30), None);
    assert_eq!(walk(&tables, 1 << 46), None);
}

#[test]
fn everything_executable_gives_the_entries_of_the_abi() {
    let tables = tables(512 << 20, &Executable::Everything);
    let table = |at| tables.iter().find(|(start, _)| *start == at).unwrap().1;
    assert_eq!(table(0x2000)[..2], [0x3003, 0]);
    assert_eq!(table(0x3000)[..5], [0x4003, 0x5003, 0x6003, 0x7003, 0]);
    assert_eq!(table(0x4000)[..3], [0x8003, 0x20_0083, 0x40_0083]);
    assert_eq!(table(0x4000)[255..257], [0x1fe0_0083, 0]);
    assert_eq!(table(0x8000)[15..17], [0, 0x1_0001]);
    assert_eq!(table(0x8000)[255..257], [0xf_f001, 0x10_0003]);
    assert_eq!(tables.len(), 7);
}

#[test]
fn identity_mapping_at_every_size() {
    for size in [
        2 << 20,
        4 << 20,
        512 << 20,
        1 << 30,
        (1 << 30) + (2 << 20),
        4 << 30,
    ] {
        check(size, &Executable::Everything, true);
    }
}

#[test]
fn only_text_is_executable() {
    let cases: [(u64, &[(u64, u64)]); 5] = [
        (8 << 20, &[]),
        (8 << 20, &[(0x10_0000, 0x10_5000)]),
        (512 << 20, &[(0x10_0000, 0x74_3000)]),
        (16 << 20, &[(0x10_0000, 0x40_0000), (0x80_0000, 0x80_1000)]),
        (1 << 30, &[(0x60_0000, 0x80_0000)]),
    ];
    for (size, text) in cases {
        let text = text.iter().map(|&(start, end)| start..end).collect();
        check(size, &Executable::Only(text), true);
    }
}

/// Text in more large pages than there are tables to split: the rest stays executable as a whole.
#[test]
fn scattered_text_stays_executable() {
    let scattered = (1..12)
        .map(|n| n * LARGE_PAGE_SIZE + PAGE)
        .map(|start| start..start + PAGE)
        .collect::<Vec<_>>();
    let executable = Executable::Only(scattered);
    check(32 << 20, &executable, false);
    let tables = tables(32 << 20, &executable);
    let execute = |address| walk(&tables, address).unwrap().execute;
    assert!(
        !execute(7 * LARGE_PAGE_SIZE),
        "the seventh large page is split"
    );
    assert!(execute(8 * LARGE_PAGE_SIZE), "the eighth is not");
    assert!(tables.iter().all(|(address, _)| *address < BOOT_INFO));
}
