//! Prints `Hello World!` and exits.
use mkernel as _;

fn main() {
    println!("Hello World!");
}
