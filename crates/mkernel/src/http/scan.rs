//! Where requests of HTTP/1 begin and end on a connection, read beside `hyper`.
//!
//! `hyper` takes some requests whose end others may see elsewhere: one with `Content-Length` and
//! `Transfer-Encoding` both, of which it forgets the first, and lines that end without CR. This looks at
//! the same octets, and remembers which request is such a one, for the service to refuse it: RFC 9112 sections 2.2, 6.1
//! and 11.2. Where it is the content whose end is in doubt, `hyper` is given no more. A request line that is too long is cut,
//! and refused with the status that `hyper` has for header fields only. It also tells since when a header is incomplete.

use ::http::StatusCode;
use miou_rs::Instant;

/// Octets of a line that are kept when it comes in pieces: names and lengths are shorter. A length on a line that is not
/// is refused, as it may be another one than its beginning says.
const KEPT: usize = 128;

#[derive(Debug)]
pub(super) struct Scan {
    state: State,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// Its last octet.
    last: u8,
    /// Octets of a request line that have come, and may.
    octets: usize,
    most: usize,
    /// Since when the header that is being read is there in part.
    since: Option<Instant>,
    length: Option<u64>,
    chunked: bool,
    /// Headers read to their end.
    heads: u64,
    /// The number of the first request that is to be refused, from 1, and with what.
    refused: Option<(u64, StatusCode)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a request, where empty lines are passed over (RFC 9112 section 2.2).
    Between,
    Fields,
    Content(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    /// Not HTTP/1, or refused.
    Stopped,
    /// Within content that has no end.
    Broken,
    /// Within a request line that has more than [`CUT`] in place of what is left of it.
    Cut,
}

/// Octets of a request line at least: more than are read to see which version the client speaks.
const LEAST: usize = 32;

/// What ends a request whose line is cut.
pub(super) const CUT: &[u8] = b" HTTP/1.1\r\n\r\n";

impl Scan {
    pub(super) fn new() -> Self {
        Self {
            state: State::Between,
            line: Vec::new(),
            last: 0,
            octets: 0,
            most: usize::MAX,
            since: None,
            length: None,
            chunked: false,
            heads: 0,
            refused: None,
        }
    }

    /// Has a request line be no longer than a header of so many octets.
    pub(super) fn bound(&mut self, header_octets: usize) {
        self.most = header_octets.saturating_sub(CUT.len()).max(LEAST);
    }

    /// What comes from here on is no HTTP/1.
    pub(super) fn stop(&mut self) {
        self.state = State::Stopped;
        self.since = None;
        self.line = Vec::new();
    }

    /// Since when a header is incomplete.
    pub(super) fn header_since(&self) -> Option<Instant> {
        self.since
    }

    /// Why request `number`, from 1, must be refused.
    pub(super) fn refusal(&self, number: u64) -> Option<StatusCode> {
        let (first, status) = self.refused?;
        (first <= number).then_some(status)
    }

    /// Whether what was read ends within a request's content.
    #[cfg(test)]
    fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether what comes is content that is no chunks.
    pub(super) fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// Whether a request line was too long: [`CUT`] comes next, and then nothing.
    pub(super) fn is_cut(&self) -> bool {
        self.state == State::Cut
    }

    /// Takes what was read at `now`; returns how much of it is good, which is all of it unless this is
    /// [broken](Self::is_broken) or [cut](Self::is_cut) then.
    pub(super) fn feed(&mut self, octets: &[u8], now: Instant) -> usize {
        let mut rest = octets;
        while !rest.is_empty() {
            let before = rest.len();
            rest = match self.state {
                State::Stopped => break,
                State::Cut => return octets.len() - before,
                State::Content(left) => self.skip(rest, left, State::Content, State::Between),
                State::Chunk(left) => self.skip(rest, left, State::Chunk, State::ChunkEnd),
                _ => self.take_line(rest, now),
            };
            if self.is_broken() {
                return octets.len() - before;
            }
        }
        octets.len()
    }

    fn skip<'a>(
        &mut self,
        octets: &'a [u8],
        left: u64,
        within: fn(u64) -> State,
        then: State,
    ) -> &'a [u8] {
        let skipped = usize::try_from(left).map_or(octets.len(), |left| left.min(octets.len()));
        self.state = match left - skipped as u64 {
            0 => then,
            left => within(left),
        };
        &octets[skipped..]
    }

    /// Takes octets up to the end of the line; returns the others.
    fn take_line<'a>(&mut self, octets: &'a [u8], now: Instant) -> &'a [u8] {
        if self.state == State::Between && self.line.is_empty() && octets[0] > b' ' {
            self.since = Some(now);
        }
        let end = octets.iter().position(|octet| *octet == b'\n');
        if self.state == State::Between {
            let room = self.most - self.octets;
            let octets_of_line = end.unwrap_or(octets.len());
            if octets_of_line > room {
                self.cut();
                return &octets[room..];
            }
            self.octets = end.map_or(self.octets + octets_of_line, |_| 0);
        }
        let Some(end) = end else {
            self.keep(octets);
            self.last = octets[octets.len() - 1];
            return &[];
        };
        let (line, rest) = (&octets[..end], &octets[end + 1..]);
        let last = line.last().copied().unwrap_or(self.last);
        if self.line.is_empty() {
            self.end_line(line, last);
        } else {
            self.keep(line);
            let line = std::mem::take(&mut self.line);
            self.end_line(&line, last);
        }
        self.last = 0;
        rest
    }

    /// RFC 9112 section 3.
    fn cut(&mut self) {
        self.stop();
        self.state = State::Cut;
        self.refused
            .get_or_insert((self.heads + 1, StatusCode::URI_TOO_LONG));
    }

    fn keep(&mut self, part: &[u8]) {
        let room = KEPT.saturating_sub(self.line.len());
        self.line.extend_from_slice(&part[..room.min(part.len())]);
    }

    /// A line without its LF; of a long one that came in pieces, its beginning.
    fn end_line(&mut self, line: &[u8], last: u8) {
        let content = line.strip_suffix(b"\r").unwrap_or(line);
        // RFC 9112 section 2.2 lets a server take a bare LF; who takes none may see another end.
        let bare = last != b'\r';
        match self.state {
            State::Between => {
                if !content.is_empty() {
                    self.state = State::Fields;
                    (self.length, self.chunked) = (None, false);
                    self.refuse_if(bare);
                }
            }
            State::Fields => {
                self.refuse_if(bare);
                match content {
                    b"" => self.end_fields(),
                    field => self.field(field, line.len() >= KEPT),
                }
            }
            State::ChunkSize | State::ChunkEnd | State::Trailer if bare => {
                self.state = State::Broken
            }
            State::ChunkSize => {
                self.state = match chunk_size(content) {
                    Some(0) => State::Trailer,
                    Some(size) => State::Chunk(size),
                    None => State::Broken,
                }
            }
            State::ChunkEnd if content.is_empty() => self.state = State::ChunkSize,
            State::ChunkEnd => self.state = State::Broken,
            State::Trailer if content.is_empty() => self.state = State::Between,
            State::Trailer => {}
            State::Content(_) | State::Chunk(_) | State::Stopped | State::Broken | State::Cut => {}
        }
    }

    fn field(&mut self, field: &[u8], may_be_cut: bool) {
        let Some(colon) = field.iter().position(|octet| *octet == b':') else {
            return;
        };
        let (name, value) = (&field[..colon], &field[colon + 1..]);
        if name.eq_ignore_ascii_case(b"content-length") {
            match decimal(value.trim_ascii()).filter(|_| !may_be_cut) {
                Some(length) => {
                    // Also one that says the same: RFC 9110 section 8.6 leaves it to us.
                    self.refuse_if(self.length.is_some());
                    self.length = Some(length);
                }
                None => self.refuse_if(true),
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = true;
        }
        // RFC 9112 section 6.1 has the connection closed after it, if it is answered at all.
        self.refuse_if(self.chunked && self.length.is_some());
    }

    fn end_fields(&mut self) {
        self.since = None;
        self.heads += 1;
        self.state = match (self.chunked, self.length) {
            (true, _) => State::ChunkSize,
            (false, None | Some(0)) => State::Between,
            (false, Some(length)) => State::Content(length),
        };
        if self.refused.is_some() {
            self.stop();
        }
    }

    /// Refuses the request whose header is being read.
    fn refuse_if(&mut self, bad: bool) {
        if bad {
            let number = self.heads + 1;
            self.refused
                .get_or_insert((number, StatusCode::BAD_REQUEST));
        }
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| all_digits)?;
    digits.parse().ok()
}

/// RFC 9112 section 7.1: hexadecimal digits, before white space or an extension. More of them than a number has would be
/// another number where only the beginning of the line is known.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|octet| !octet.is_ascii_hexdigit());
    let (digits, rest) = line.split_at(end.unwrap_or(line.len()));
    let is_good = digits.len() <= 16 && matches!(rest.first(), None | Some(b' ' | b'\t' | b';'));
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_good)?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests;
