use std::time::Duration;

use miou_rs::Instant;

use super::{CUT, Scan, StatusCode};

/// The octets of a request line.
const LINE: usize = 33;
const START: Instant = Instant::from_nanos(1);

/// The headers that are seen to end in `octets`, and the first request that is refused.
fn scan(octets: &[u8], pieces: usize) -> (u64, Option<u64>) {
    let mut scan = Scan::new();
    for piece in octets.chunks(pieces) {
        scan.feed(piece, START);
    }
    (scan.heads(), scan.refused.map(|(number, _)| number))
}

#[test]
fn requests_are_counted_whatever_pieces_they_come_in() {
    let requests = b"\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n\
        POST / HTTP/1.1\r\nContent-Length:  5 \r\n\r\n\nabc\n\
        POST / HTTP/1.1\r\ntransfer-ENCODING: chunked\r\n\r\n\
        A;x=y\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\na: b\r\n\r\n\
        GET / HTTP/1.1\r\nx: \xff\r\n\r\n";
    for pieces in 1..requests.len() {
        assert_eq!(scan(requests, pieces), (4, None), "{pieces}");
    }
}

#[test]
fn section_6_1_a_request_with_both_lengths_is_refused() {
    let good = b"GET / HTTP/1.1\r\n\r\n".as_slice();
    let long = [b"x: ".as_slice(), &[b'y'; 1000], b"\r\n"].concat();
    for (first, second) in [
        ("content-length: 1\r\n", "transfer-encoding: chunked\r\n"),
        ("transfer-encoding: chunked\r\n", "content-length: 1\r\n"),
        ("content-length: x\r\n", ""),
        ("content-length:\r\n", ""),
        ("x: y\n", ""),
    ] {
        let head = b"POST / HTTP/1.1\r\n".as_slice();
        let bad = [
            good,
            head,
            first.as_bytes(),
            &long,
            second.as_bytes(),
            b"\r\n",
            good,
        ]
        .concat();
        for pieces in 1..bad.len() {
            assert_eq!(
                scan(&bad, pieces),
                (2, Some(2)),
                "{first} {second} {pieces}"
            );
        }
    }
}

#[test]
fn section_2_2_lines_end_with_cr_and_lf() {
    for bad in [
        "GET / HTTP/1.1\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n\n",
    ] {
        for pieces in 1..bad.len() {
            assert_eq!(scan(bad.as_bytes(), pieces), (1, Some(1)), "{bad} {pieces}");
        }
    }
}

#[test]
fn section_3_a_request_line_is_cut_where_it_is_too_long() {
    let good = b"\r\nGET /a23456789012345678 HTTP/1.1\r\n\r\n".as_slice();
    let octets = [
        good,
        b"GET /a234567890123456789 HTTP/1.1\r\n\r\n".as_slice(),
    ]
    .concat();
    for pieces in 1..octets.len() {
        let mut scan = Scan::new();
        scan.bound(LINE + CUT.len());
        let mut passed = 0;
        for piece in octets.chunks(pieces) {
            passed += scan.feed(piece, START);
        }
        assert!(scan.is_cut(), "{pieces}");
        assert_eq!(passed, good.len() + LINE, "{pieces}");
        assert_eq!(scan.refusal(1), None);
        assert_eq!(scan.refusal(2), Some(StatusCode::URI_TOO_LONG));
        assert_eq!(scan.header_since(), None);
    }
}

#[test]
fn an_incomplete_header_is_known_since_its_first_octet() {
    let mut scan = Scan::new();
    let later = START + Duration::from_secs(1);
    scan.feed(b"\r\n", START);
    assert_eq!(scan.header_since(), None);
    scan.feed(b"G", START);
    scan.feed(b"ET / HTTP/1.1\r\n", later);
    assert_eq!(scan.header_since(), Some(START));
    scan.feed(b"content-length: 3\r\n\r\nab", later);
    assert_eq!(scan.header_since(), None);
    scan.feed(b"cGET", later);
    assert_eq!(scan.header_since(), Some(later));
}

#[test]
fn section_7_1_content_whose_end_is_in_doubt_goes_no_further() {
    let head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".as_slice();
    let hidden = b"GET / HTTP/1.1\r\n\r\n".as_slice();
    let zeros = [b"0".repeat(200).as_slice(), b"5\r\n\r\n\r\n.\r\n0\r\n\r\n"].concat();
    for (chunks, good) in [
        (b"x\r\n".as_slice(), 0),
        (b"\r\n", 0),
        (b"-1\r\n", 0),
        (b"1x\r\n", 0),
        (b"11111111111111111\r\n", 0),
        (&zeros, 0),
        (b"1\n", 0),
        (b"1;x\n", 0),
        (b"1\r\naa\r\n", 4),
        (b"1\r\na\n", 4),
        (b"0\r\n\n", 3),
        (b"0\r\nx: y\n", 3),
        (b"0\r\nx: y\r\n\n", 9),
    ] {
        let octets = [head, chunks, hidden].concat();
        for pieces in 1..octets.len() {
            let mut scan = Scan::new();
            let mut passed = 0;
            for piece in octets.chunks(pieces) {
                passed += scan.feed(piece, START);
            }
            let text = String::from_utf8_lossy(chunks);
            assert!(scan.is_broken(), "{text:?} {pieces}");
            assert_eq!(scan.heads(), 1, "{text:?} {pieces}");
            // Its last octet never passes, and all of what is before its line does.
            let passed = passed - head.len();
            assert!(
                passed >= good && passed < chunks.len(),
                "{text:?} {pieces}: {passed}"
            );
        }
    }
}

#[test]
fn section_6_2_a_length_that_comes_in_pieces_is_no_other_one() {
    let hidden = b"X\r\n\r\n".repeat(20);
    for padding in [" ".repeat(111), "0".repeat(111), " ".repeat(120)] {
        let head = format!("POST / HTTP/1.1\r\ncontent-length:{padding}12345\r\n\r\n");
        let both = "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n";
        let bad = [head.as_bytes(), &hidden, both.as_bytes()].concat();
        for pieces in 1..bad.len() {
            assert_eq!(scan(&bad, pieces), (1, Some(1)), "{pieces}");
        }
    }
}
