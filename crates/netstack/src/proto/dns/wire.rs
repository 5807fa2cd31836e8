//! The layout of DNS messages (RFC 1035 §4), as far as a resolver of addresses needs it: the header,
//! the question, and of records those that it knows. What it does not know, or cannot read, it
//! passes over.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::proto::ip::Family;

/// Octets of the header.
const HEADER_LEN: usize = 12;
/// Octets of a name with the lengths of its labels, at most (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;
const MAX_LABEL: usize = 63;
/// Pointers followed in one name, at most: no name has more labels.
const MAX_POINTERS: usize = 127;
/// Records read of one message, at most.
const MAX_RECORDS: usize = 512;

const CLASS_IN: u16 = 1;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_SOA: u16 = 6;
/// RFC 3596 §2.1.
const TYPE_AAAA: u16 = 28;
/// RFC 6891 §6.1.1.
const TYPE_OPT: u16 = 41;
/// The option of it that pads (RFC 7830 §3).
const OPTION_PADDING: u16 = 12;
/// Questions are padded to a multiple of so many octets (RFC 8467 §4.1).
const PADDED_TO: usize = 128;
/// Octets of an answer over UDP that we would take, which says nothing over a stream.
const UDP_PAYLOAD: u16 = 1232;

/// The type of the records that hold addresses of `family`.
fn type_of(family: Family) -> u16 {
    match family {
        Family::V4 => TYPE_A,
        Family::V6 => TYPE_AAAA,
    }
}

/// A domain name: labels with their lengths before them, in small letters (RFC 4343), without the
/// last empty one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(Vec<u8>);

impl Name {
    /// The name written `text`, with or without a dot at its end.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut name = Self(Vec::with_capacity(text.len() + 1));
        for label in text.split('.') {
            name.push(label.as_bytes()).filter(|()| !label.is_empty())?;
        }
        Some(name)
    }

    /// The name as a text; `None` if another name would be read from that.
    pub(super) fn to_text(&self) -> Option<String> {
        let labels: Option<Vec<_>> = self
            .labels()
            .map(|label| core::str::from_utf8(label).ok())
            .collect();
        let text = labels?.join(".");
        (Self::from_text(&text).as_ref() == Some(self)).then_some(text)
    }

    fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.as_slice();
        core::iter::from_fn(move || {
            let (len, after) = rest.split_first()?;
            let (label, after) = after.split_at_checked((*len).into())?;
            rest = after;
            Some(label)
        })
    }

    /// Adds a label, unless it or the name would be too long.
    fn push(&mut self, label: &[u8]) -> Option<()> {
        let fits = label.len() <= MAX_LABEL && self.0.len() + 1 + label.len() < MAX_NAME;
        fits.then(|| {
            self.0.push(label.len() as u8);
            self.0.extend(label.iter().map(u8::to_ascii_lowercase));
        })
    }
}

/// What a record says, of the types that we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Data {
    Address(IpAddr),
    Alias(Name),
    /// The least time to live of an absence (RFC 2308 §4).
    Authority {
        minimum: u32,
    },
}

/// A resource record of class IN (RFC 1035 §4.1.3).
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) name: Name,
    /// In seconds, as it stands there.
    pub(super) ttl: u32,
    pub(super) data: Data,
}

/// The header of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) response: bool,
    pub(super) truncated: bool,
    /// RCODE.
    pub(super) code: u8,
    pub(super) questions: u16,
    answers: u16,
    authorities: u16,
}

/// The records of a message.
#[derive(Clone, Debug)]
pub(super) struct Records {
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
    /// Whether the message says that there are more answers than it holds, or than are read.
    pub(super) cut: bool,
}

/// The question for the addresses of `name`, recursion desired.
pub(super) fn question(id: u16, name: &Name, family: Family) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER_LEN + name.0.len() + 5);
    for word in [id, 0x0100, 1, 0, 0, 0] {
        message.extend(word.to_be_bytes());
    }
    message.extend(&name.0);
    message.push(0);
    for word in [type_of(family), CLASS_IN] {
        message.extend(word.to_be_bytes());
    }
    message
}

/// Pads a question, so that its length says little of the name.
pub(super) fn pad(message: &mut Vec<u8>) {
    // The root's name, type, class, and four octets that are flags here; then the length of one option with its header.
    let header = 1 + 2 + 2 + 4 + 2 + 4;
    let padding = (message.len() + header).next_multiple_of(PADDED_TO) - message.len() - header;
    // There is one additional record.
    message[10..12].copy_from_slice(&1u16.to_be_bytes());
    message.push(0);
    let padding_len = padding as u16;
    let words = [
        TYPE_OPT,
        UDP_PAYLOAD,
        0,
        0,
        padding_len + 4,
        OPTION_PADDING,
        padding_len,
    ];
    message.extend(words.map(u16::to_be_bytes).as_flattened());
    message.resize(message.len() + padding, 0);
}

/// Reads a message from its start.
pub(super) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.message.get(self.at..)?.get(..len)?;
        self.at += len;
        Some(taken)
    }

    fn word(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn long(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// The header (RFC 1035 §4.1.1). The bits of Z are not looked at.
    pub(super) fn header(&mut self) -> Option<Header> {
        let (id, flags) = (self.word()?, self.word()?);
        let header = Header {
            id,
            response: flags & 0x8000 != 0,
            truncated: flags & 0x0200 != 0,
            code: (flags & 0xf) as u8,
            questions: self.word()?,
            answers: self.word()?,
            authorities: self.word()?,
        };
        self.word()?;
        Some(header)
    }

    /// Reads a question; whether it is the one for the addresses of `name`.
    pub(super) fn read_question(&mut self, name: &Name, family: Family) -> Option<bool> {
        let asked = self.name()?;
        let (kind, class) = (self.word()?, self.word()?);
        Some(asked == *name && (kind, class) == (type_of(family), CLASS_IN))
    }

    /// The records behind the questions. What is behind the authorities is not read.
    pub(super) fn records(&mut self, header: &Header) -> Records {
        let mut left = MAX_RECORDS;
        let (answers, whole) = self.section(header.answers, &mut left);
        let authorities = match whole {
            true => self.section(header.authorities, &mut left).0,
            false => Vec::new(),
        };
        Records {
            answers,
            authorities,
            cut: !whole,
        }
    }

    /// The records of one section that we know, of `left` that may be read; whether all were there.
    fn section(&mut self, count: u16, left: &mut usize) -> (Vec<Record>, bool) {
        let mut records = Vec::new();
        for _ in 0..count {
            let record = if *left > 0 { self.record() } else { None };
            let Some(record) = record else {
                return (records, false);
            };
            *left -= 1;
            records.extend(record);
        }
        (records, true)
    }

    /// The next record: `Some(None)` if it is none that we know, `None` if it is not whole.
    fn record(&mut self) -> Option<Option<Record>> {
        let start = self.at;
        let name = self.name();
        if name.is_none() {
            self.at = start;
            self.skip_name()?;
        }
        let (kind, class, ttl) = (self.word()?, self.word()?, self.long()?);
        let len = self.word()?.into();
        let data = self.at;
        self.take(len)?;
        let mut inner = Reader {
            message: &self.message[..self.at],
            at: data,
        };
        let data = match (class, kind) {
            (CLASS_IN, TYPE_A) => inner.address::<4, Ipv4Addr>(),
            (CLASS_IN, TYPE_AAAA) => inner.address::<16, Ipv6Addr>(),
            (CLASS_IN, TYPE_CNAME) => inner.name().map(Data::Alias),
            (CLASS_IN, TYPE_SOA) => inner.authority(),
            _ => None,
        };
        // What is longer than it should be is no better than what is shorter.
        let data = data.filter(|_| inner.at == self.at);
        Some(
            name.zip(data)
                .map(|(name, data)| Record { name, ttl, data }),
        )
    }

    fn address<const LEN: usize, A: From<[u8; LEN]> + Into<IpAddr>>(&mut self) -> Option<Data> {
        let octets: [u8; LEN] = self.take(LEN)?.try_into().ok()?;
        Some(Data::Address(A::from(octets).into()))
    }

    fn authority(&mut self) -> Option<Data> {
        self.name()?;
        self.name()?;
        let _serial_refresh_retry_expire = self.take(16)?;
        let minimum = self.long()?;
        Some(Data::Authority { minimum })
    }

    /// A name, whose end may lie anywhere before it (RFC 1035 §4.1.4): each pointer has to lead
    /// further back than the one before, so that none leads in a circle.
    fn name(&mut self) -> Option<Name> {
        let mut name = Name(Vec::new());
        let (mut at, mut least) = (self.at, self.at);
        let mut end = None;
        for _ in 0..=MAX_POINTERS {
            loop {
                let len = *self.message.get(at)?;
                match len >> 6 {
                    0 if len == 0 => {
                        self.at = end.unwrap_or(at + 1);
                        return Some(name);
                    }
                    0 => {
                        let label = self.message.get(at + 1..)?.get(..len.into())?;
                        name.push(label)?;
                        at += 1 + usize::from(len);
                    }
                    3 => break,
                    _ => return None,
                }
            }
            let pointer = self.message.get(at..)?.first_chunk::<2>()?;
            end = end.or(Some(at + 2));
            at = usize::from(u16::from_be_bytes(*pointer) & 0x3fff);
            if at >= least {
                return None;
            }
            least = at;
        }
        None
    }

    /// Passes over a name that cannot be read, if it can be seen where it ends.
    fn skip_name(&mut self) -> Option<()> {
        loop {
            let len = *self.message.get(self.at)?;
            match len >> 6 {
                0 if len == 0 => {
                    self.at += 1;
                    return Some(());
                }
                0 => self.at += 1 + usize::from(len),
                3 => return self.take(2).map(|_| ()),
                _ => return None,
            }
        }
    }
}
