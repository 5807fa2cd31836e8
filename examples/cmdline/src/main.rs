//! An ordinary `clap` command line, `--help` included. What is no good ends the program with status 64.
use clap::Parser;

/// Prints the values of its two options.
#[derive(Parser)]
#[command(name = "cmdline")]
struct Arguments {
    /// An integer
    #[arg(long, value_name = "INT", default_value_t = 42)]
    foo: i64,
    /// A string
    #[arg(long, value_name = "STRING", default_value = "Hello World!")]
    bar: String,
}

fn main() {
    let arguments: Arguments = mkernel::cli::parse();
    println!("foo: {}", arguments.foo);
    println!("bar: {:?}", arguments.bar);
}
