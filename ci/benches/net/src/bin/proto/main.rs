//! The protocol cores alone, without a device: `netstack::proto` and smoltcp on the same frames.
//!
//! - `proto segments SUBJECT in|out COUNT`: a connection over which COUNT segments of 1,460 octets
//!   are received or sent, for callgrind to count the instructions of; SUBJECT `none` makes the
//!   peer's frames and drops them.
//! - `proto loss SUBJECT PERCENT SECONDS`: goodput between two stacks of a kind in virtual time, in
//!   Gbit/s.

mod endpoint;
mod loss;
mod ours;
mod segments;
mod theirs;

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["segments", subject, direction, count] => {
            let count = count.parse().context("COUNT")?;
            segments::run(subject, direction, count)
        }
        ["loss", subject, percent, seconds] => {
            let percent: f64 = percent.parse().context("PERCENT")?;
            let seconds = seconds.parse().context("SECONDS")?;
            println!("{:.6}", loss::run(subject, percent / 100.0, seconds)?);
            Ok(())
        }
        _ => {
            bail!("usage: proto segments SUBJECT in|out COUNT | proto loss SUBJECT PERCENT SECONDS")
        }
    }
}
