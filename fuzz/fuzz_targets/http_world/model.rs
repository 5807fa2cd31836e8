//! Requests in a stream of octets as RFC 9112 has them, and nothing that a server may be lenient about: written for this
//! test alone, a whole stream at a time, so that it shares no mistake with what reads along in the server.

/// What there is at a place of the stream where a request may begin.
#[derive(Debug, PartialEq)]
pub enum Expected {
    /// A request that the service may be given.
    Request {
        target: String,
        /// Its content, or as much of it as comes before the end of the stream or what is none.
        content: Vec<u8>,
        whole: bool,
    },
    /// What the service must not be given; nothing behind it may be taken for a request.
    Refused,
}

/// Where the content of a request ends.
enum Framing {
    Length(u64),
    Chunked,
}

struct Head {
    target: String,
    framing: Framing,
}

/// The requests in `octets`, up to the first that is refused or incomplete.
pub fn requests(mut octets: &[u8]) -> Vec<Expected> {
    let mut requests = Vec::new();
    loop {
        // RFC 9112 section 2.2: empty lines before a request are passed over.
        while let Some(rest) = octets.strip_prefix(b"\r\n").or(octets.strip_prefix(b"\n")) {
            octets = rest;
        }
        let Some(lines) = lines(&mut octets) else {
            return requests;
        };
        let Some(head) = lines.and_then(|lines| head(&lines)) else {
            requests.push(Expected::Refused);
            return requests;
        };
        let (content, end) = match head.framing {
            Framing::Length(length) => sized(octets, length),
            Framing::Chunked => chunked(octets),
        };
        let (target, whole) = (head.target, end.is_some());
        requests.push(Expected::Request {
            target,
            content,
            whole,
        });
        match end {
            Some(end) => octets = &octets[end..],
            None => return requests,
        }
    }
}

/// The lines of a head, which is taken off `octets`: `None` if it is incomplete, `Some(None)` if it is none.
fn lines<'a>(octets: &mut &'a [u8]) -> Option<Option<Vec<&'a [u8]>>> {
    let mut lines = Vec::new();
    loop {
        let end = octets.iter().position(|octet| *octet == b'\n')?;
        let line = &octets[..end];
        *octets = &octets[end + 1..];
        let Some(line) = line.strip_suffix(b"\r") else {
            return Some(None);
        };
        if line.contains(&b'\r') || line.contains(&0) {
            return Some(None);
        }
        if line.is_empty() {
            return Some(Some(lines));
        }
        lines.push(line);
    }
}

fn head(lines: &[&[u8]]) -> Option<Head> {
    let (first, fields) = lines.split_first()?;
    let mut parts = first.split(|octet| *octet == b' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    let minor = match version {
        b"HTTP/1.1" => 1,
        b"HTTP/1.0" => 0,
        _ => return None,
    };
    if !is_token(method) || target.is_empty() || parts.next().is_some() {
        return None;
    }
    let (mut lengths, mut codings, mut hosts) = (Vec::new(), Vec::new(), 0);
    for field in fields {
        let colon = field.iter().position(|octet| *octet == b':')?;
        let (name, value) = (&field[..colon], field[colon + 1..].trim_ascii());
        if !is_token(name) || value.iter().any(|octet| *octet < b' ' && *octet != b'\t') {
            return None;
        }
        match name.to_ascii_lowercase().as_slice() {
            b"content-length" => lengths.push(value),
            b"transfer-encoding" => codings.push(value.to_ascii_lowercase()),
            b"host" => hosts += 1,
            _ => {}
        }
    }
    if hosts > 1 || minor == 1 && hosts == 0 {
        return None;
    }
    let framing = match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => Framing::Length(0),
        ([], [first, rest @ ..]) => {
            let first = decimal(first)?;
            if rest.iter().any(|other| decimal(other) != Some(first)) {
                return None;
            }
            Framing::Length(first)
        }
        // Section 6.1: no other coding is known, both is an attack, and HTTP/1.0 has none.
        ([coding], []) if coding == b"chunked" && minor == 1 => Framing::Chunked,
        _ => return None,
    };
    let target = String::from_utf8(target.to_vec()).ok()?;
    Some(Head { target, framing })
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits)
        .ok()
        .filter(|_| all_digits)?
        .parse()
        .ok()
}

/// RFC 9110 section 5.6.2.
fn is_token(name: &[u8]) -> bool {
    let is_good = |octet: &u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(octet);
    !name.is_empty() && name.iter().all(is_good)
}

/// Content of a length, and where it ends if it does.
fn sized(octets: &[u8], length: u64) -> (Vec<u8>, Option<usize>) {
    let there = usize::try_from(length)
        .unwrap_or(usize::MAX)
        .min(octets.len());
    let whole = (there as u64 == length).then_some(there);
    (octets[..there].to_vec(), whole)
}

/// Content in chunks, section 7.1, and where it ends if it does.
fn chunked(octets: &[u8]) -> (Vec<u8>, Option<usize>) {
    let mut content = Vec::new();
    let end = (|| {
        let mut rest = octets;
        loop {
            let line = line(&mut rest)?;
            let digits = line.iter().take_while(|octet| octet.is_ascii_hexdigit());
            let (size, extension) = line.split_at(digits.count());
            let size = u64::from_str_radix(str::from_utf8(size).ok()?, 16).ok()?;
            if !matches!(extension.trim_ascii_start(), [] | [b';', ..]) {
                return None;
            }
            if size == 0 {
                break;
            }
            let (piece, whole) = sized(rest, size);
            rest = &rest[piece.len()..];
            content.extend(piece);
            whole?;
            rest = rest.strip_prefix(b"\r\n")?;
        }
        // The trailer section: fields that are passed over.
        while !line(&mut rest)?.is_empty() {}
        Some(octets.len() - rest.len())
    })();
    (content, end)
}

/// A line that ends with CR and LF, and has neither inside.
fn line<'a>(octets: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = octets.iter().position(|octet| *octet == b'\n')?;
    let line = octets[..end].strip_suffix(b"\r")?;
    *octets = &octets[end + 1..];
    (!line.contains(&b'\r')).then_some(line)
}

/// How many final answers without content there are in `octets`, which may end within one.
pub fn answers(octets: &[u8]) -> usize {
    let text = String::from_utf8_lossy(octets);
    let mut count = 0;
    let heads = text
        .split_inclusive("\r\n\r\n")
        .filter(|head| head.ends_with("\r\n\r\n"));
    for head in heads {
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .or(head.strip_prefix("HTTP/1.0 "));
        let status = status.and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
        match status {
            Some(100) => {}
            Some(_) => count += 1,
            None => panic!("no answer: {head:?}"),
        }
    }
    count
}
