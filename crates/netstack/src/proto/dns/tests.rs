use super::{Answer, Cache, Cached, answer, question};
use crate::proto::Instant;
use core::net::Ipv4Addr;
use core::time::Duration;
use simple_dns::rdata::{A, CNAME, RData, SOA};
use simple_dns::{CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord};

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

fn a(name: &'static str, ttl: u32, address: Ipv4Addr) -> ResourceRecord<'static> {
    let rdata = RData::A(A {
        address: address.to_bits(),
    });
    ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, ttl, rdata)
}

fn alias(name: &'static str, ttl: u32, target: &'static str) -> ResourceRecord<'static> {
    let rdata = RData::CNAME(CNAME(Name::new_unchecked(target)));
    ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, ttl, rdata)
}

/// The answer of a server to the question 7 for `name`.
fn reply(name: &str, change: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
    let question = question(7, name).expect("a name");
    let mut packet = Packet::parse(&question)
        .expect("our own question")
        .into_reply();
    change(&mut packet);
    packet.build_bytes_vec_compressed().expect("fits")
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
    let bytes = reply("Example.org", |packet| {
        packet.answers.push(a("example.org", 300, HOST));
        packet
            .answers
            .push(a("EXAMPLE.org", 60, [192, 0, 2, 8].into()));
        packet
            .answers
            .push(a("other.org", 10, [192, 0, 2, 9].into()));
    });
    let expected = Answer::Addresses(vec![HOST, [192, 0, 2, 8].into()], secs(60));
    assert_eq!(answer(7, "example.org", &bytes), Some(expected));
}

#[test]
fn rfc1034_section_3_6_2_aliases_are_followed() {
    let bytes = reply("www.example.org", |packet| {
        packet.answers.push(a("host.example.org", 300, HOST));
        packet
            .answers
            .push(alias("mid.example.org", 40, "host.example.org"));
        packet
            .answers
            .push(alias("www.example.org", 50, "mid.example.org"));
    });
    let expected = Answer::Addresses(vec![HOST], secs(40));
    assert_eq!(answer(7, "www.example.org", &bytes), Some(expected));
    let bytes = reply("www.example.org", |packet| {
        packet
            .answers
            .push(alias("www.example.org", 50, "far.example.net"));
    });
    assert_eq!(
        answer(7, "www.example.org", &bytes),
        Some(Answer::Alias("far.example.net".into()))
    );
    let bytes = reply("a.org", |packet| {
        packet.answers.push(alias("a.org", 50, "b.org"));
        packet.answers.push(alias("b.org", 50, "a.org"));
    });
    assert_eq!(
        answer(7, "a.org", &bytes),
        Some(Answer::Failed),
        "a ring of aliases"
    );
}

#[test]
fn rfc2308_absence_holds_as_the_soa_says() {
    for rcode in [RCODE::NameError, RCODE::NoError] {
        let bytes = reply("nowhere.org", |packet| {
            *packet.rcode_mut() = rcode;
            let soa = RData::SOA(SOA {
                mname: Name::new_unchecked("ns.org"),
                rname: Name::new_unchecked("root.org"),
                serial: 1,
                refresh: 1,
                retry: 1,
                expire: 1,
                minimum: 90,
            });
            let owner = Name::new_unchecked("org");
            packet
                .name_servers
                .push(ResourceRecord::new(owner, CLASS::IN, 1000, soa));
        });
        assert_eq!(
            answer(7, "nowhere.org", &bytes),
            Some(Answer::None(secs(90)))
        );
    }
}

#[test]
fn truncation_and_failure_are_told_apart() {
    let truncated = reply("a.org", |packet| packet.set_flags(PacketFlag::TRUNCATION));
    assert_eq!(answer(7, "a.org", &truncated), Some(Answer::Truncated));
    let refused = reply("a.org", |packet| *packet.rcode_mut() = RCODE::Refused);
    assert_eq!(answer(7, "a.org", &refused), Some(Answer::Failed));
}

#[test]
fn rfc5452_section_9_1_answers_to_other_questions_are_passed_over() {
    let good = reply("a.org", |packet| packet.answers.push(a("a.org", 1, HOST)));
    assert!(answer(7, "a.org", &good).is_some());
    assert_eq!(answer(8, "a.org", &good), None, "another identifier");
    assert_eq!(answer(7, "b.org", &good), None, "another name");
    let question = question(7, "a.org").expect("a name");
    assert_eq!(answer(7, "a.org", &question), None, "a question");
}

#[test]
fn hostile_bytes_do_no_harm() {
    let good = reply("a.org", |packet| {
        packet.answers.push(alias("a.org", 50, "b.org"));
        packet.answers.push(a("b.org", 1, HOST));
    });
    for len in 0..good.len() {
        assert_eq!(answer(7, "a.org", &good[..len]), None, "{len} octets");
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
    cache.insert(start, "A.org.", Cached::Addresses(vec![HOST]), secs(10));
    assert_eq!(
        cache.get(start, "a.ORG"),
        Some(&Cached::Addresses(vec![HOST]))
    );
    assert_eq!(cache.get(start + secs(10), "a.org"), None);
    cache.insert(start, "b.org", Cached::None, secs(20));
    cache.insert(start, "c.org", Cached::None, secs(30));
    assert_eq!(cache.get(start, "a.org"), None, "ended first");
    assert_eq!(cache.get(start, "b.org"), Some(&Cached::None));
    cache.insert(start, "d.org", Cached::None, Duration::ZERO);
    assert_eq!(cache.get(start, "d.org"), None, "not to be kept");
}
