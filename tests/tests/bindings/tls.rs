//! Thread-local storage: `tls.c`.

use crate::c_guest::{LINKERS, Program, TARGETS, boot};

/// Alignment of the initialised variable, alignment and size of the zeroed one; 0 where there is none. Among them the
/// combinations that upstream's bindings put in the wrong place: an image whose size is no multiple of its alignment.
const LAYOUTS: [[usize; 3]; 9] = [
    [0, 0, 1],
    [8, 0, 1],
    [0, 1, 3],
    [0, 64, 8],
    [16, 1, 5],
    [32, 8, 100],
    [64, 16, 24],
    [8, 64, 65],
    [4096, 1, 1],
];

#[test]
fn variables_of_two_threads_lie_where_the_linker_says() {
    for target in TARGETS {
        // The layout is the same on both targets.
        for &linker in target.some(&LINKERS, 1) {
            for &[align, bss_align, bss_size] in target.some(&LAYOUTS, 3) {
                let program = Program::new("tls.c")
                    .define("ALIGN", align)
                    .define("BSS_ALIGN", bss_align)
                    .define("BSS_SIZE", bss_size);
                let executable = program.link(target, linker);
                let outcome = boot(&executable, target, &[], "--solo5:quiet", true).wait();
                let layout = format!("{target:?} {linker:?} {align} {bss_align} {bss_size}");
                assert_eq!(outcome.status, 0, "{layout}: {outcome}");
                assert_eq!(outcome.stdout, "SUCCESS\n", "{layout}: {outcome}");
            }
        }
    }
}
