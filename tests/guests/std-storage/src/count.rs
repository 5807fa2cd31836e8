//! A program that promises something: what it has printed is there when it is started again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};

/// Each number is a line of a file that grows, and alone in a file that another takes the place of.
pub(super) fn run() -> io::Result<()> {
    let lines = fs::read_to_string("/lines").unwrap_or_default();
    // What was not promised may be there in part.
    let whole = lines.rfind('\n').map_or(0, |end| end + 1);
    let last = lines[..whole].lines().count() as u64;
    for (index, line) in lines[..whole].lines().enumerate() {
        assert_eq!(line, (index + 1).to_string());
    }
    let state = match fs::read_to_string("/state") {
        Ok(text) => text.parse().expect("a number, and all of it"),
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
            0
        }
    };
    // One is made durable after the other.
    assert!(
        (last.saturating_sub(1)..=last).contains(&state),
        "{state}, {last}"
    );
    println!("found {state}");
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open("/lines")?;
    file.set_len(whole as u64)?;
    (last + 1..).try_for_each(|number| step(&file, number))
}

fn step(mut lines: &File, number: u64) -> io::Result<()> {
    writeln!(lines, "{number}")?;
    lines.sync_data()?;
    let mut new = File::create("/state.new")?;
    write!(new, "{number}")?;
    new.sync_all()?;
    fs::rename("/state.new", "/state")?;
    File::open("/")?.sync_all()?;
    println!("{number}");
    Ok(())
}
