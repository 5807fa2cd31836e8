//! `examples/hello` as a Linux program.

fn main() {
    println!("Hello World!");
}
