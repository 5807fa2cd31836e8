//! DNS (RFC 1034, RFC 1035): questions for IPv4 addresses, their answers, and a cache by time to
//! live. Carrying them is left to the caller.

mod cache;

pub use cache::{Cache, Cached};

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, ResourceRecord, TYPE};

/// Port of servers, for UDP and TCP.
pub const PORT: u16 = 53;
/// Aliases followed in one answer, at most.
const MAX_ALIASES: usize = 16;
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
    /// It has these addresses, for so long.
    Addresses(Vec<Ipv4Addr>, Duration),
    /// There is no such name, or it has no IPv4 address; for so long.
    None(Duration),
    /// It is another name for this one, of which the answer says no more.
    Alias(String),
    /// The answer did not fit: ask again over TCP (RFC 1035 §4.2.1).
    Truncated,
    /// The server cannot or will not tell.
    Failed,
}

/// The question for the addresses of `name`.
///
/// # Errors
///
/// [`NameError`] if `name` is none.
pub fn question(id: u16, name: &str) -> Result<Vec<u8>, NameError> {
    let error = || NameError(name.to_owned());
    let qname = parse_name(name).ok_or_else(error)?;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(
        qname,
        TYPE::A.into(),
        CLASS::IN.into(),
        false,
    ));
    packet.build_bytes_vec().map_err(|_| error())
}

fn parse_name(name: &str) -> Option<Name<'_>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let labels = name.split('.').all(|label| (1..=63).contains(&label.len()));
    (labels && name.len() <= 253).then(|| Name::new(name).ok())?
}

/// Reads the answer to the question `id` for `name`; `None` if `bytes` are not that answer.
#[must_use]
pub fn answer(id: u16, name: &str, bytes: &[u8]) -> Option<Answer> {
    let packet = Packet::parse(bytes).ok()?;
    let name = parse_name(name)?;
    let [question] = packet.questions.as_slice() else {
        return None;
    };
    let ours = packet.id() == id
        && packet.has_flags(PacketFlag::RESPONSE)
        && same(&question.qname, &name)
        && question.qtype == TYPE::A.into();
    if !ours {
        return None;
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Some(Answer::Truncated);
    }
    match packet.rcode() {
        RCODE::NoError => Some(follow(&packet, name)),
        RCODE::NameError => Some(Answer::None(negative_ttl(&packet))),
        _ => Some(Answer::Failed),
    }
}

/// Follows the aliases from `name` to addresses (RFC 1034 §3.6.2).
fn follow(packet: &Packet<'_>, name: Name<'_>) -> Answer {
    let (mut current, mut ttl) = (name.clone(), MAX_TTL);
    for _ in 0..MAX_ALIASES {
        let here = packet
            .answers
            .iter()
            .filter(|record| same(&record.name, &current));
        let (mut addresses, mut alias) = (Vec::new(), None);
        for record in here {
            match &record.rdata {
                RData::A(a) if addresses.len() < MAX_ADDRESSES => {
                    ttl = ttl.min(seconds(record));
                    addresses.push(Ipv4Addr::from_bits(a.address));
                }
                RData::CNAME(target) => alias = Some((target.0.clone(), seconds(record))),
                _ => {}
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
            None if same(&current, &name) => return Answer::None(negative_ttl(packet)),
            None => return Answer::Alias(current.to_string()),
        }
    }
    Answer::Failed
}

/// A time to live with its highest bit set counts as zero (RFC 2181 §8).
fn seconds(record: &ResourceRecord<'_>) -> u32 {
    if record.ttl > i32::MAX as u32 {
        0
    } else {
        record.ttl.min(MAX_TTL)
    }
}

/// How long an absence holds (RFC 2308 §5).
fn negative_ttl(packet: &Packet<'_>) -> Duration {
    let soa = packet
        .name_servers
        .iter()
        .find_map(|record| match &record.rdata {
            RData::SOA(soa) => Some(seconds(record).min(soa.minimum)),
            _ => None,
        });
    Duration::from_secs(soa.unwrap_or(0).min(MAX_NEGATIVE_TTL).into())
}

/// Names are the same without regard to case (RFC 4343).
fn same(left: &Name<'_>, right: &Name<'_>) -> bool {
    let (left, right) = (left.get_labels(), right.get_labels());
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| left.to_string().eq_ignore_ascii_case(&right.to_string()))
}

#[cfg(test)]
mod tests;
