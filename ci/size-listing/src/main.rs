//! `size-listing IMAGE`: prints what each crate has of a unikernel's image.
//!
//! The image is to have symbols, mangled by v0, and the relocations that the linker applied (`--emit-relocs`).
//!
//! - Code is a crate's by its symbol. An instance of something generic of the standard library is its whose type it
//!   is for, or who instantiated it: `Vec<netstack::…>::push` is netstack's.
//! - Read-only data is its whose code, or data, refers to it; the first in the order of addresses.
//! - Unwinding tables are those of the code that they are about.

mod image;
mod owner;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::{env, fs};

use image::Shares;

fn main() -> ExitCode {
    let [path] = &env::args().skip(1).collect::<Vec<_>>()[..] else {
        eprintln!("usage: size-listing IMAGE");
        return ExitCode::FAILURE;
    };
    match fs::read(path)
        .map_err(Into::into)
        .and_then(|bytes| image::read(&bytes))
    {
        Ok(shares) => {
            print(&shares);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(shares: &Shares) {
    let row = |name: &str, columns: [u64; 4]| {
        let kib = columns.map(|octets| octets as f64 / 1024.0);
        println!(
            "{name:<22}{:>9.1}{:>9.1}{:>9.1}{:>9.1}",
            kib[0], kib[1], kib[2], kib[3]
        );
    };
    println!(
        "{:<22}{:>9}{:>9}{:>9}{:>9}",
        "KiB", "code", "data", "unwind", "all"
    );
    let mut crates: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
    for (column, part) in [&shares.code, &shares.data, &shares.unwinding]
        .into_iter()
        .enumerate()
    {
        for (name, octets) in part {
            let columns = crates.entry(name).or_default();
            columns[column] += octets;
            columns[3] += octets;
        }
    }
    let mut crates: Vec<_> = crates.into_iter().collect();
    crates.sort_by_key(|(_, columns)| std::cmp::Reverse(columns[3]));
    let mut sum = [0; 4];
    for (name, columns) in crates {
        row(name, columns);
        sum = [0, 1, 2, 3].map(|column| sum[column] + columns[column]);
    }
    row("(headers, alignment)", [0, 0, 0, shares.stripped - sum[3]]);
    row("stripped image", [sum[0], sum[1], sum[2], shares.stripped]);
}
