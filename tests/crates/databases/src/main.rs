//! Databases on files of a disk.
//!
//! `NAME` opens the database of that name, and checks what an earlier run has left: rows from 1 on, each with what belongs to
//! it. It says how many there are, `found N`, and goes on: one row in each transaction, and a line with its number when it is
//! durable. It ends after some; `NAME forever` does not.

use std::process::ExitCode;

use mkernel as _;

mod key_value;
mod sqlite;

/// A database with rows, numbered from 1 on.
trait Database {
    /// How many rows there are; panics if one is not what it was.
    fn check(&mut self) -> u64;

    /// Adds the next row, and makes it durable.
    fn add(&mut self, number: u64);
}

/// What belongs to a row: some hundreds of octets, or some thousands.
fn content(number: u64) -> Vec<u8> {
    let octets = if number.is_multiple_of(16) {
        9_000
    } else {
        300
    };
    (0..octets)
        .map(|place: u64| (place ^ number) as u8)
        .collect()
}

const NAMES: [&str; 4] = ["rusqlite", "redb", "sled", "fjall"];
const SOME: u64 = 50;

fn open(name: &str) -> Box<dyn Database> {
    match name {
        "rusqlite" => Box::new(sqlite::open("DELETE")),
        "rusqlite-wal" => Box::new(sqlite::open("WAL")),
        "redb" => Box::new(key_value::Redb::open()),
        "sled" => Box::new(key_value::Sled::open()),
        "fjall" => Box::new(key_value::Fjall::open()),
        other => panic!("{other:?}: expected one of {NAMES:?}, or rusqlite-wal"),
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    if name == "--list" {
        NAMES.iter().for_each(|name| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let forever = arguments.next().as_deref() == Some("forever");
    let mut database = open(&name);
    let found = database.check();
    println!("found {found}");
    let until = if forever { u64::MAX } else { found + SOME };
    for number in found + 1..=until {
        database.add(number);
        println!("{number}");
    }
    drop(database);
    println!("{name}: ok");
    ExitCode::SUCCESS
}
