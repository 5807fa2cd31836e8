//! DNS (RFC 1034, RFC 1035, RFC 3596): questions for the addresses of one family, their answers, and a cache by time
//! to live. Carrying them is left to the caller.

mod cache;
mod wire;

pub use cache::{Cache, Cached};

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use super::ip::Family;
use wire::{Data, Name, Reader, Record, Records};

/// Port of servers, for UDP and TCP.
pub const PORT: u16 = 53;
/// Port of servers for TLS (RFC 7858 §3.1).
pub const TLS_PORT: u16 = 853;
/// Aliases followed in one answer, at most.
const MAX_ALIASES: usize = 16;
/// RCODE (RFC 1035 §4.1.1): there is no such name.
const NAME_ERROR: u8 = 3;
/// Addresses taken of one answer, at most.
const MAX_ADDRESSES: usize = 32;
/// How long an absence is remembered, at most (RFC 2308 §5 recommends one to three hours; a server
/// that has just been set up should be found sooner).
const MAX_NEGATIVE_TTL: u32 = 300;
/// A larger time to live is taken for this (RFC 8767 §4: a week).
const MAX_TTL: u32 = 604_800;

/// A text that is no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError(String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\": expected labels of 1 to 63 octets, 255 octets in all",
            self.0
        )
    }
}

impl core::error::Error for NameError {}

/// What an answer says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has these addresses, of the family that was asked for, for so long.
    Addresses(Vec<IpAddr>, Duration),
    /// There is no such name, or it has no address of this family; for so long.
    None(Duration),
    /// It is another name for this one, of which the answer says no more.
    Alias(String),
    /// The answer did not fit: ask again over TCP (RFC 1035 §4.2.1).
    Truncated,
    /// The server cannot or will not tell.
    Failed,
}

/// The question for the addresses of `name` that are of `family`.
///
/// # Errors
///
/// [`NameError`] if `name` is none.
pub fn question(id: u16, name: &str, family: Family) -> Result<Vec<u8>, NameError> {
    let qname = Name::from_text(name).ok_or_else(|| NameError(name.to_owned()))?;
    Ok(wire::question(id, &qname, family))
}

/// As [`question`], padded so that its length says little of the name (RFC 7830, RFC 8467): for encrypted channels.
///
/// # Errors
///
/// As [`question`].
pub fn padded_question(id: u16, name: &str, family: Family) -> Result<Vec<u8>, NameError> {
    let mut message = question(id, name, family)?;
    wire::pad(&mut message);
    Ok(message)
}

/// Reads the answer to the question `id` for `name` and `family`; `None` if `bytes` are not that answer.
///
/// A record that cannot be read, or that nobody asked for, costs nothing but itself.
#[must_use]
pub fn answer(id: u16, name: &str, family: Family, bytes: &[u8]) -> Option<Answer> {
    let name = Name::from_text(name)?;
    let mut reader = Reader::new(bytes);
    let header = reader.header()?;
    if header.id != id || !header.response {
        return None;
    }
    match header.questions {
        // A server that could not read the question, or does not want to, may leave it out.
        0 if header.code != 0 => return Some(Answer::Failed),
        1 if reader.read_question(&name, family)? => {}
        _ => return None,
    }
    if header.truncated {
        return Some(Answer::Truncated);
    }
    if !matches!(header.code, 0 | NAME_ERROR) {
        return Some(Answer::Failed);
    }
    let records = reader.records(&header);
    Some(if header.code == NAME_ERROR {
        Answer::None(negative_ttl(&records))
    } else {
        follow(&records, name, family)
    })
}

/// Follows the aliases from `name` to addresses (RFC 1034 §3.6.2).
fn follow(records: &Records, name: Name, family: Family) -> Answer {
    let (mut current, mut ttl) = (&name, MAX_TTL);
    for _ in 0..MAX_ALIASES {
        let here = records.answers.iter();
        let here = here.filter(|record| record.name == *current);
        let (mut addresses, mut alias) = (Vec::new(), None);
        for record in here {
            match &record.data {
                Data::Address(address)
                    if Family::of(*address) == family && addresses.len() < MAX_ADDRESSES =>
                {
                    ttl = ttl.min(seconds(record));
                    addresses.push(*address);
                }
                Data::Alias(target) => alias = Some((target, seconds(record))),
                Data::Address(_) | Data::Authority { .. } => {}
            }
        }
        if !addresses.is_empty() {
            return Answer::Addresses(addresses, Duration::from_secs(ttl.into()));
        }
        match alias {
            Some((target, alias_ttl)) => {
                ttl = ttl.min(alias_ttl);
                current = target;
            }
            // What the answer no longer holds may be the address.
            None if records.cut => return Answer::Failed,
            None if *current == name => return Answer::None(negative_ttl(records)),
            None => return current.to_text().map_or(Answer::Failed, Answer::Alias),
        }
    }
    Answer::Failed
}

/// A time to live with its highest bit set counts as zero (RFC 2181 §8).
fn seconds(record: &Record) -> u32 {
    if record.ttl > i32::MAX as u32 {
        0
    } else {
        record.ttl.min(MAX_TTL)
    }
}

/// How long an absence holds (RFC 2308 §5).
fn negative_ttl(records: &Records) -> Duration {
    let mut authorities = records.authorities.iter();
    let soa = authorities.find_map(|record| match record.data {
        Data::Authority { minimum } => Some(seconds(record).min(minimum)),
        _ => None,
    });
    Duration::from_secs(soa.unwrap_or(0).min(MAX_NEGATIVE_TTL).into())
}

#[cfg(test)]
mod tests;
