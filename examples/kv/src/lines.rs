//! Keys and values in URLs and in lines of text: octets, percent-encoded (RFC 3986 section 2.1).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use mkernel::http::hyper::StatusCode;
use mkernel::store::{Batch, Entry};

use crate::answer::Refusal;

/// All but the unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(crate) fn encode(octets: &[u8]) -> String {
    percent_encode(octets, ENCODED).to_string()
}

/// The octets of percent-encoded text.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('%') {
        let digits = behind
            .get(..2)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if digits.is_none() {
            return Err(malformed(format!(
                "{text:?} has a % without two hexadecimal digits behind it"
            )));
        }
        rest = behind;
    }
    Ok(percent_decode_str(text).collect())
}

/// A line for each entry: key and value, with a space between.
pub(crate) fn write(entries: &[Entry]) -> String {
    let mut lines = String::new();
    for (key, value) in entries {
        lines.extend([&encode(key), " ", &encode(value), "\n"]);
    }
    lines
}

/// The batch of lines `PUT KEY VALUE` and `DELETE KEY`; empty lines count for nothing.
pub(crate) fn read(text: &[u8]) -> Result<Batch, Refusal> {
    let Ok(text) = std::str::from_utf8(text) else {
        return Err(malformed("content that is not UTF-8".to_owned()));
    };
    let mut batch = Batch::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            [""] => (),
            ["PUT", key, value] => batch.put(&decode(key)?, &decode(value)?)?,
            ["DELETE", key] => batch.delete(&decode(key)?)?,
            _ => {
                let line: String = line.chars().take(80).collect();
                let number = number + 1;
                return Err(malformed(format!(
                    "line {number}, {line:?}: expected PUT KEY VALUE or DELETE KEY"
                )));
            }
        }
    }
    Ok(batch)
}

fn malformed(reason: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let octets: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&octets)).unwrap(), octets);
        assert_eq!(encode(b"a b/%\n"), "a%20b%2F%25%0A");
    }

    #[test]
    fn half_an_encoding_is_refused() {
        for text in ["%", "a%4", "%4g", "%é", "%%20"] {
            assert!(decode(text).is_err(), "{text:?} was decoded");
        }
    }

    #[test]
    fn a_batch_is_read_line_by_line() {
        let batch = read(b"PUT a 1\n\nDELETE b%20c\nPUT d \n").unwrap();
        let mut expected = Batch::new();
        expected.put(b"a", b"1").unwrap();
        expected.delete(b"b c").unwrap();
        expected.put(b"d", b"").unwrap();
        assert_eq!(batch, expected);
    }

    #[test]
    fn other_lines_are_refused() {
        for text in [
            "PUT a",
            "PUT a b c",
            "DELETE",
            "DELETE a b",
            "GET a",
            "put a b",
            " ",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text:?} was read");
        }
    }
}
