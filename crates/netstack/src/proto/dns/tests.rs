use super::{Answer, Cache, Cached, NameError};
use crate::proto::Instant;
use crate::proto::ip::Family::{self, V4, V6};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const HOST6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const REFUSED: u8 = 5;

/// The question for IPv4 addresses, of which most of these tests are.
fn question(id: u16, name: &str) -> Result<Vec<u8>, NameError> {
    super::question(id, name, V4)
}

fn answer(id: u16, name: &str, bytes: &[u8]) -> Option<Answer> {
    super::answer(id, name, V4, bytes)
}

/// A name as it is written in a message, without compression.
fn name(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in text.split('.') {
        octets.push(label.len() as u8);
        octets.extend(label.bytes());
    }
    octets.push(0);
    octets
}

/// A record whose owner is given as it is written.
fn record(owner: &[u8], (kind, class): (u16, u16), ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut octets = owner.to_vec();
    octets.extend(kind.to_be_bytes());
    octets.extend(class.to_be_bytes());
    octets.extend(ttl.to_be_bytes());
    octets.extend((data.len() as u16).to_be_bytes());
    octets.extend(data);
    octets
}

/// The octets of [`HOST`].
fn host() -> [u8; 4] {
    [192, 0, 2, 7]
}

fn a(owner: &str, ttl: u32, address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => record(&name(owner), (1, 1), ttl, &address.octets()),
        IpAddr::V6(address) => record(&name(owner), (28, 1), ttl, &address.octets()),
    }
}

fn alias(owner: &str, ttl: u32, target: &str) -> Vec<u8> {
    record(&name(owner), (5, 1), ttl, &name(target))
}

/// The answer of a server to the question 7 for `name`, with the records of its three sections.
#[derive(Default)]
struct Reply {
    /// The flags beside QR, RD and RA.
    flags: u16,
    code: u8,
    sections: [Vec<Vec<u8>>; 3],
}

impl Reply {
    fn with(answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self {
            sections: [answers.into_iter().collect(), Vec::new(), Vec::new()],
            ..Self::default()
        }
    }

    fn to(self, name: &str) -> Vec<u8> {
        self.of_family(name, V4)
    }

    fn of_family(self, name: &str, family: Family) -> Vec<u8> {
        let mut message = super::question(7, name, family).expect("a name");
        let flags = 0x8180 | self.flags | u16::from(self.code);
        message[2..4].copy_from_slice(&flags.to_be_bytes());
        for (index, section) in self.sections.iter().enumerate() {
            message[7 + 2 * index] = section.len() as u8;
            message.extend(section.concat());
        }
        message
    }
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn rfc1035_section_4_1_question() {
    let bytes = question(0x1234, "example.org").expect("a name");
    let header = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let body = b"\x07example\x03org\x00\x00\x01\x00\x01";
    assert_eq!(bytes, [header.as_slice(), body].concat());
}

#[test]
fn what_is_no_name_is_refused_and_shown() {
    let long_label = "a".repeat(64);
    let long = ["a"; 128].join(".");
    for bad in ["", ".", "a..b", long_label.as_str(), long.as_str()] {
        let error = question(1, bad).expect_err(bad);
        assert!(error.to_string().contains(bad));
    }
}

#[test]
fn rfc1035_addresses_with_the_least_time_to_live() {
    let bytes = Reply::with([
        a("example.org", 300, HOST),
        a("EXAMPLE.org", 60, [192, 0, 2, 8].into()),
        a("other.org", 10, [192, 0, 2, 9].into()),
    ]);
    let expected = Answer::Addresses(vec![HOST, [192, 0, 2, 8].into()], secs(60));
    let bytes = bytes.to("Example.org");
    assert_eq!(answer(7, "example.org", &bytes), Some(expected));
}

#[test]
fn rfc1034_section_3_6_2_aliases_are_followed() {
    let bytes = Reply::with([
        a("host.example.org", 300, HOST),
        alias("mid.example.org", 40, "host.example.org"),
        alias("www.example.org", 50, "mid.example.org"),
    ]);
    let bytes = bytes.to("www.example.org");
    let expected = Answer::Addresses(vec![HOST], secs(40));
    assert_eq!(answer(7, "www.example.org", &bytes), Some(expected));
    let bytes = Reply::with([alias("www.example.org", 50, "far.example.net")]);
    assert_eq!(
        answer(7, "www.example.org", &bytes.to("www.example.org")),
        Some(Answer::Alias("far.example.net".into()))
    );
    let bytes = Reply::with([alias("a.org", 50, "b.org"), alias("b.org", 50, "a.org")]);
    assert_eq!(
        answer(7, "a.org", &bytes.to("a.org")),
        Some(Answer::Failed),
        "a ring of aliases"
    );
}

#[test]
fn an_alias_that_cannot_be_written_as_a_text_is_not_asked_for() {
    for target in [&b"\x03a.b\x03org\0"[..], b"\x02\xff\xfe\x03org\0", b"\0"] {
        let bytes = Reply::with([record(&name("a.org"), (5, 1), 9, target)]);
        let found = answer(7, "a.org", &bytes.to("a.org"));
        assert_eq!(found, Some(Answer::Failed), "{target:?}");
    }
}

#[test]
fn rfc1035_section_4_1_4_names_are_read_through_pointers() {
    // At 12 stands the question's name; its second label is at 16.
    let bytes = Reply::with([
        record(&[0xc0, 12], (5, 1), 50, b"\x04host\xc0\x10"),
        record(b"\x04HOST\xc0\x10", (1, 1), 60, &host()),
    ]);
    let found = answer(7, "www.example.org", &bytes.to("www.example.org"));
    assert_eq!(found, Some(Answer::Addresses(vec![HOST], secs(50))));
}

/// A pointer to itself, to what comes later, and a chain that is as long as the message.
#[test]
fn rfc1035_section_4_1_4_pointers_that_lead_nowhere_end() {
    let start = question(7, "a.org").expect("a name").len() as u16;
    let pointer = |to: u16| (0xc000 | to).to_be_bytes();
    for to in [start, start + 2, start + 40, 0x3fff] {
        let mut reply = Reply::with([record(&pointer(to), (1, 1), 60, &host())]);
        reply.sections[0].push(a("a.org", 60, HOST));
        let found = answer(7, "a.org", &reply.to("a.org"));
        let expected = Answer::Addresses(vec![HOST], secs(60));
        assert_eq!(found, Some(expected), "a pointer to {to}");
    }
    // Each pointer leads to the one before it, two octets further back.
    let data: Vec<u8> = (0..200)
        .flat_map(|index| pointer(start + 11 + 2 * index))
        .collect();
    let last = pointer(start + 11 + 2 * 199);
    let reply = Reply::with([
        record(&[0], (16, 1), 60, &data),
        record(&last, (1, 1), 60, &host()),
        a("a.org", 60, HOST),
    ]);
    let expected = Answer::Addresses(vec![HOST], secs(60));
    assert_eq!(answer(7, "a.org", &reply.to("a.org")), Some(expected));
}

#[test]
fn rfc2308_absence_holds_as_the_soa_says() {
    for code in [NXDOMAIN, 0] {
        let numbers: Vec<u8> = [1, 1, 1, 1, 90_u32]
            .into_iter()
            .flat_map(u32::to_be_bytes)
            .collect();
        let soa = [name("ns.org"), name("root.org"), numbers].concat();
        let mut reply = Reply {
            code,
            ..Reply::default()
        };
        reply.sections[1].push(record(&name("org"), (6, 1), 1000, &soa));
        assert_eq!(
            answer(7, "nowhere.org", &reply.to("nowhere.org")),
            Some(Answer::None(secs(90)))
        );
    }
}

#[test]
fn truncation_and_failure_are_told_apart() {
    let truncated = Reply {
        flags: 0x0200,
        ..Reply::default()
    };
    let mut cut = truncated.to("a.org");
    assert_eq!(answer(7, "a.org", &cut), Some(Answer::Truncated));
    // It may end within a record.
    cut[7] = 2;
    cut.extend([0xc0, 12, 0, 1]);
    assert_eq!(answer(7, "a.org", &cut), Some(Answer::Truncated));
    let refused = Reply {
        code: REFUSED,
        ..Reply::default()
    };
    assert_eq!(
        answer(7, "a.org", &refused.to("a.org")),
        Some(Answer::Failed)
    );
}

/// FORMERR, SERVFAIL, NOTIMP and REFUSED, with the question left out.
#[test]
fn an_error_without_the_question_is_an_answer() {
    for code in [1, SERVFAIL, 4, REFUSED] {
        let header = [0, 7, 0x81, 0x80 | code, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(
            answer(7, "a.org", &header),
            Some(Answer::Failed),
            "code {code}"
        );
        assert_eq!(answer(8, "a.org", &header), None, "another identifier");
    }
    let header = [0, 7, 0x81, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(answer(7, "a.org", &header), None, "no error, no question");
}

#[test]
fn a_good_answer_beside_what_cannot_be_read_is_an_answer() {
    let owner = &[0xc0, 12][..];
    let beside = [
        ("AAAA of four octets", record(owner, (28, 1), 60, &[1; 4])),
        ("class 4242", record(owner, (1, 4242), 60, &[1; 4])),
        ("type 65400", record(owner, (65_400, 1), 60, &[1; 4])),
        ("HTTPS of one octet", record(owner, (65, 1), 60, &[1])),
        ("TXT that overruns", record(owner, (16, 1), 60, &[9, b'x'])),
        ("LOC of version 1", record(owner, (29, 1), 60, &[1; 16])),
        ("OPT", record(&[0], (41, 1232), 0, &[])),
        (
            "OPT with a cookie",
            record(&[0], (41, 1232), 0, &[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]),
        ),
        ("OPT that is cut", record(&[0], (41, 1232), 0, &[0, 10, 0])),
        ("NSEC", record(owner, (47, 1), 60, &[0xc0, 12, 0, 0])),
        ("A of five octets", record(owner, (1, 1), 60, &[1; 5])),
        ("A of no octet", record(owner, (1, 1), 60, &[])),
        (
            "an alias that overruns",
            record(owner, (5, 1), 60, &[9, b'x']),
        ),
        ("a name of type 01", record(&[0x40], (1, 1), 60, &[1; 4])),
        ("half a record", vec![0xc0, 12, 0, 1, 0, 1, 0]),
    ];
    let expected = Some(Answer::Addresses(vec![HOST], secs(60)));
    for section in 0..3 {
        for (what, octets) in &beside {
            let mut reply = Reply::with([a("a.org", 60, HOST)]);
            reply.sections[section].push(octets.clone());
            let found = answer(7, "a.org", &reply.to("a.org"));
            assert_eq!(found, expected, "{what} in section {section}");
        }
    }
    // The bit Z; AD and CD (RFC 4035).
    for flags in [0x40, 0x30] {
        let reply = Reply {
            flags,
            ..Reply::with([a("a.org", 60, HOST)])
        };
        assert_eq!(answer(7, "a.org", &reply.to("a.org")), expected);
    }
    let mut longer = Reply::with([a("a.org", 60, HOST)]).to("a.org");
    longer.extend([0; 7]);
    assert_eq!(answer(7, "a.org", &longer), expected, "octets at the end");
}

#[test]
fn a_record_that_cannot_be_read_does_not_hide_the_ones_behind_it() {
    let owner = [0xc0, 12];
    let long = [&[63][..], &[b'x'; 63]].concat().repeat(4);
    let long = [&long[..], &[0]].concat();
    for bad in [
        record(&owner, (1, 1), 1, &[1; 3]),
        record(&owner, (5, 1), 1, &[0xc0, 0xff]),
        record(&owner, (9999, 77), 1, &[1; 3]),
        record(&long, (1, 1), 1, &[1; 4]),
    ] {
        let reply = Reply::with([bad, a("a.org", 60, HOST)]);
        assert_eq!(
            answer(7, "a.org", &reply.to("a.org")),
            Some(Answer::Addresses(vec![HOST], secs(60)))
        );
    }
}

#[test]
fn rfc5452_section_9_1_answers_to_other_questions_are_passed_over() {
    let good = Reply::with([a("a.org", 1, HOST)]).to("a.org");
    assert!(answer(7, "a.org", &good).is_some());
    assert_eq!(answer(8, "a.org", &good), None, "another identifier");
    assert_eq!(answer(7, "b.org", &good), None, "another name");
    for at in [20, 22] {
        let mut other = good.clone();
        other[at] ^= 2;
        assert_eq!(answer(7, "a.org", &other), None, "another type or class");
    }
    let question = question(7, "a.org").expect("a name");
    assert_eq!(answer(7, "a.org", &question), None, "a question");
}

#[test]
fn hostile_bytes_do_no_harm() {
    let good = Reply::with([alias("a.org", 50, "b.org"), a("b.org", 1, HOST)]).to("a.org");
    let end_of_question = question(7, "a.org").expect("a name").len();
    for len in 0..good.len() {
        // What is lost may be the address: no absence is concluded from that.
        let expected = (len >= end_of_question).then_some(Answer::Failed);
        assert_eq!(answer(7, "a.org", &good[..len]), expected, "{len} octets");
    }
    let mut answers = 0;
    for at in 0..good.len() {
        for value in 0..=255 {
            let mut bad = good.clone();
            bad[at] = value;
            answers += u32::from(answer(7, "a.org", &bad).is_some());
        }
    }
    assert!(answers > 0);
}

#[test]
fn the_cache_forgets_by_time_and_by_number() {
    let start = Instant::from_nanos(0);
    let mut cache = Cache::new(2);
    cache.insert(
        start,
        ("A.org.", V4),
        Cached::Addresses(vec![HOST]),
        secs(10),
    );
    assert_eq!(
        cache.get(start, ("a.ORG", V4)),
        Some(&Cached::Addresses(vec![HOST]))
    );
    assert_eq!(cache.get(start + secs(10), ("a.org", V4)), None);
    cache.insert(start, ("b.org", V4), Cached::None, secs(20));
    cache.insert(start, ("c.org", V4), Cached::None, secs(30));
    assert_eq!(cache.get(start, ("a.org", V4)), None, "ended first");
    assert_eq!(cache.get(start, ("b.org", V4)), Some(&Cached::None));
    cache.insert(start, ("d.org", V4), Cached::None, Duration::ZERO);
    assert_eq!(cache.get(start, ("d.org", V4)), None, "not to be kept");
}

#[test]
fn rfc1035_section_7_4_the_cache_is_bounded_in_octets() {
    let (start, mut cache) = (Instant::from_nanos(0), Cache::new(10_000));
    assert_eq!(cache.held(), 0);
    for n in 0..2000 {
        let name = format!("{n:0>60}.{n:0>60}.example");
        let addresses = Cached::Addresses(vec![HOST; 1 + n as usize % 32]);
        cache.insert(start, (&name, V4), addresses, secs(n + 1));
        assert!(cache.held() <= 64 << 10);
        assert!(
            cache.get(start, (&name, V4)).is_some(),
            "what ends last stays"
        );
    }
    assert!(cache.held() > 60 << 10);
    let (name, before) = (format!("{0:0>60}.{0:0>60}.example", 1999), cache.held());
    cache.insert(start, (&name, V4), Cached::None, secs(1));
    assert_eq!(cache.get(start, (&name, V4)), Some(&Cached::None));
    assert!(cache.held() < before, "what it replaced is gone");
    cache.clear();
    assert_eq!((cache.held(), cache.get(start, (&name, V4))), (0, None));
}

#[test]
fn rfc3596_2_1_ipv6_addresses_are_asked_for_by_a_type_of_their_own() {
    let bytes = super::question(7, "a.org", V6).expect("a name");
    assert_eq!(bytes[12..], *b"\x01a\x03org\x00\x00\x1c\x00\x01");
    let both = || {
        Reply::with([
            alias("www.org", 90, "a.org"),
            a("a.org", 60, HOST),
            a("a.org", 30, HOST6.into()),
        ])
    };
    let found = super::answer(7, "www.org", V6, &both().of_family("www.org", V6));
    assert_eq!(found, Some(Answer::Addresses(vec![HOST6.into()], secs(30))));
    let found = super::answer(7, "www.org", V4, &both().of_family("www.org", V4));
    assert_eq!(found, Some(Answer::Addresses(vec![HOST], secs(60))));
    // The answer to one is none to the other.
    let found = super::answer(7, "www.org", V4, &both().of_family("www.org", V6));
    assert_eq!(found, None);
    // None of this family, though of the other.
    let only = Reply::with([a("a.org", 60, HOST)]).of_family("a.org", V6);
    let found = super::answer(7, "a.org", V6, &only);
    assert_eq!(found, Some(Answer::None(secs(0))));
}

#[test]
fn the_cache_keeps_the_families_of_a_name_apart() {
    let (start, mut cache) = (Instant::from_nanos(0), Cache::new(4));
    cache.insert(start, ("a.org", V6), Cached::None, secs(10));
    assert_eq!(cache.get(start, ("a.org", V4)), None);
    let known = Cached::Addresses(vec![HOST]);
    cache.insert(start, ("a.org", V4), known.clone(), secs(10));
    assert_eq!(cache.get(start, ("a.org", V4)), Some(&known));
    assert_eq!(cache.get(start, ("a.org", V6)), Some(&Cached::None));
}

#[test]
fn rfc8467_4_1_padded_questions_are_multiples_of_128_octets() {
    for len in 1..=63 {
        let name = format!("{0}.{0}.{0}.example", "a".repeat(len));
        let plain = super::question(7, &name, V6).expect("a name");
        let padded = super::padded_question(7, &name, V6).expect("a name");
        assert_eq!(padded.len() % 128, 0);
        assert!(padded.len() - plain.len() <= 15 + 127);
        assert_eq!(padded[12..plain.len()], plain[12..]);
        // An answer that repeats all of it can be read.
        let mut answer = padded;
        answer[2] |= 0x80;
        let read = super::answer(7, &name, V6, &answer);
        assert_eq!(read, Some(Answer::None(Duration::ZERO)));
    }
}
