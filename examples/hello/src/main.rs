//! Prints `Hello World!` and exits.

fn main() {
    println!("Hello World!");
}
