//! Prints 7, which comes out of a function that the linker takes for one of `std`'s reader of debugging information:
//! as if the compiler had found the two to be the same.

use std::hint::black_box;

fn main() {
    println!("{}", shared());
}

// SAFETY: the section is one of code, as those of all functions are.
#[unsafe(link_section = ".text._RNvMs_NtNtCs00000000000_5gimli4read4unitNtB4_4Unit3newECs00000000000_3std")]
#[inline(never)]
fn shared() -> u32 {
    black_box(7)
}
