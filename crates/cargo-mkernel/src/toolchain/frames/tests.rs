use super::*;

/// As compilers write it: "zR", the return address eight octets below the frame's address, which is `rsp + 8`.
const COMMON: [u8; 24] = [
    20, 0, 0, 0, 0, 0, 0, 0, 1, b'z', b'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1, 0, 0,
];

/// Saves a register, calls, takes it back, and returns.
const CALLS: [u8; 8] = [0x53, 0xe8, 0, 0, 0, 0, 0x5b, 0xc3];
const FRAME_OF_CALLS: [u8; 8] = [0x41, 0x0e, 16, 0x83, 2, 0x46, 0x0e, 8];

/// The frame within that call.
fn within() -> Frame {
    Frame {
        address: (7, 16),
        saved: BTreeMap::from([(RETURN_ADDRESS, 1), (3, 2)]),
    }
}

/// Tables for functions of this code and these instructions; the symbols of their relocations count up.
fn tables(functions: &[(&[u8], &[u8])]) -> (Vec<u8>, Vec<Relocation>) {
    let mut written = (COMMON.to_vec(), Vec::new());
    for (symbol, (code, instructions)) in (0..).zip(functions) {
        let mut head = [0; DATA + 1];
        head[LENGTH] = written.0.len() as u8 + 4;
        head[EXTENT] = code.len() as u8;
        let begin = Relocation {
            offset: BEGIN as u64,
            symbol,
            kind: 2,
            addend: 0,
        };
        push_entry(&head, instructions, [begin].into_iter(), &mut written);
    }
    written
}

fn read_all(tables: &(Vec<u8>, Vec<Relocation>), functions: &[(&[u8], &[u8])]) -> Vec<Function> {
    let code = |it: Relocation, length: usize| Some(&functions[it.symbol as usize].0[..length]);
    read(&tables.0, &tables.1, code).expect("tables that are known")
}

#[test]
fn each_call_keeps_its_frame_and_functions_of_one_frame_share_it() {
    let functions: [(&[u8], &[u8]); 3] = [(&CALLS, &FRAME_OF_CALLS); 3];
    let before = tables(&functions);
    let after = write(&read_all(&before, &functions));
    assert!(after.0.len() < before.0.len());
    let symbols = after.1.iter().map(|it| it.symbol);
    assert!(symbols.eq(0..3));
    let again = read_all(&after, &functions);
    assert_eq!(again.len(), 3);
    for function in again {
        assert_eq!(function.common.frame, within());
        assert_eq!(function.frames, Ok(vec![(0, within())]));
    }
}

#[test]
fn a_frame_that_changes_between_calls_is_told_for_each() {
    // A second call, with an argument on the stack.
    let code = [&CALLS[..6], &[0x50], &CALLS[1..]].concat();
    let instructions = [&FRAME_OF_CALLS[..5], &[0x46, 0x0e, 24, 0x46, 0x0e, 8]].concat();
    let functions: [(&[u8], &[u8]); 1] = [(&code, &instructions)];
    let again = read_all(
        &write(&read_all(&tables(&functions), &functions)),
        &functions,
    );
    let pushed = Frame {
        address: (7, 24),
        ..within()
    };
    assert_eq!(again[0].frames, Ok(vec![(0, within()), (7, pushed)]));
}

#[test]
fn who_calls_nothing_is_left_out_and_what_is_not_known_stays() {
    // DW_CFA_GNU_args_size.
    let unknown = [&FRAME_OF_CALLS[..], &[0x2e, 8]].concat();
    let functions: [(&[u8], &[u8]); 4] = [
        (&[0x53, 0x5b, 0xc3], &[0x41, 0x0e, 16, 0x41, 0x0e, 8]),
        (&CALLS, &unknown),
        (&[0x50, 0x41, 0xff, 0xd3], &[0x41, 0x0e, 16]),
        (&[0x50, 0xff, 0xe0], &[0x41, 0x0e, 16]),
    ];
    let after = write(&read_all(&tables(&functions), &functions));
    let symbols = after.1.iter().map(|it| it.symbol);
    assert!(symbols.eq([1, 2]));
    let again = read_all(&after, &functions);
    assert!(matches!(&again[0].frames, Err(same) if same.starts_with(&unknown)));
    // A frame of a signal; addresses of eight octets.
    let (mut of_signals, mut of_eight) = (COMMON, COMMON);
    of_signals[10] = b'S';
    of_eight[16] = 0x1c;
    let tables = [
        b"no tables".as_slice(),
        &COMMON[..20],
        &of_signals,
        &of_eight,
    ];
    for octets in tables {
        assert!(read(octets, &[], |_, _| None).is_none());
    }
}
