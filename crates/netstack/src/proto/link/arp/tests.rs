use super::{Cache, CacheLimits, CachePoll, Claim, ClaimEvent, Operation, Packet};
use crate::proto::Instant;
use crate::proto::link::ethernet::MacAddr;
use core::net::Ipv4Addr;
use core::time::Duration;

const OURS: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const THEIRS: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 3]);
const OUR_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const THEIR_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const START: Instant = Instant::from_nanos(0);
const SECOND: Duration = Duration::from_secs(1);

fn reply(from: MacAddr) -> Packet {
    Packet::request(OURS, OUR_IP, THEIR_IP).reply(from)
}

fn frame(tag: u8) -> Vec<u8> {
    vec![tag; 60]
}

fn asks(cache: &mut Cache, now: Instant) -> Option<MacAddr> {
    match cache.poll(now) {
        Some(CachePoll::Request { target, station }) => {
            assert_eq!(target, THEIR_IP);
            Some(station)
        }
        other => {
            assert_eq!(other, None);
            None
        }
    }
}

#[test]
fn rfc826_packet_round_trip() {
    let request = Packet::request(OURS, OUR_IP, THEIR_IP);
    let bytes = request.to_bytes();
    assert_eq!(bytes[..8], [0, 1, 8, 0, 6, 4, 0, 1]);
    assert_eq!(Packet::parse(&bytes), Some(request));
    let reply = reply(THEIRS);
    assert_eq!(
        (reply.operation, reply.sender, reply.target),
        (Operation::Reply, THEIR_IP, OUR_IP)
    );
    assert_eq!((reply.sender_mac, reply.target_mac), (THEIRS, OURS));
    assert_eq!(Packet::parse(&reply.to_bytes()), Some(reply));
}

#[test]
fn impossible_packets_are_refused() {
    let good = reply(THEIRS).to_bytes();
    for (at, value) in [
        (1, 6),
        (2, 0x86),
        (4, 8),
        (5, 16),
        (7, 3),
        (8, 0xff),
        (14, 224),
    ] {
        let mut bad = good;
        bad[at] = value;
        assert_eq!(Packet::parse(&bad), None, "octet {at} = {value}");
    }
    for len in 0..good.len() {
        assert_eq!(Packet::parse(&good[..len]), None);
    }
}

#[test]
fn rfc1122_section_2_3_2_2_frames_wait_for_their_neighbour() {
    let mut cache = Cache::new(CacheLimits {
        queued_frames: 2,
        ..CacheLimits::default()
    });
    assert_eq!(cache.lookup(START, THEIR_IP), None);
    assert_eq!(cache.enqueue(START, THEIR_IP, frame(1)), 0);
    assert_eq!(cache.enqueue(START, THEIR_IP, frame(2)), 0);
    assert_eq!(
        cache.enqueue(START, THEIR_IP, frame(3)),
        1,
        "the queue is bounded"
    );
    assert_eq!(asks(&mut cache, START), Some(MacAddr::BROADCAST));
    assert_eq!(asks(&mut cache, START), None);
    let released = cache.handle(START, &reply(THEIRS), true);
    let tags: Vec<_> = released.iter().map(|frame| frame[20]).collect();
    assert_eq!(tags, [2, 3], "the latest are kept, in order");
    assert!(released.iter().all(|frame| frame[..6] == THEIRS.0));
    assert_eq!(cache.lookup(START, THEIR_IP), Some(THEIRS));
}

#[test]
fn frames_waiting_for_many_neighbours_are_bounded() {
    let limits = CacheLimits::default();
    let mut cache = Cache::new(limits);
    let dropped: usize = (0..1000u32)
        .map(|host| cache.enqueue(START, Ipv4Addr::from_bits(host), frame(1)))
        .sum();
    assert_eq!(dropped, 1000 - limits.all_queued_frames);
}

#[test]
fn rfc1122_section_2_3_2_2_made_up_neighbours_keep_places_from_others_for_a_quarter_of_a_second() {
    let limits = CacheLimits::default();
    let mut cache = Cache::new(limits);
    for host in 0..limits.all_queued_frames as u32 {
        assert_eq!(cache.enqueue(START, Ipv4Addr::from_bits(host), frame(1)), 0);
    }
    while cache.poll(START).is_some() {}
    let early = START + Duration::from_millis(249);
    assert_eq!(cache.enqueue(early, THEIR_IP, frame(1)), 1);
    assert_eq!(asks(&mut cache, early), None);
    let late = START + Duration::from_millis(250);
    assert_eq!(cache.enqueue(late, THEIR_IP, frame(1)), 1, "another went");
    assert_eq!(asks(&mut cache, late), Some(MacAddr::BROADCAST));
}

#[test]
fn rfc1122_section_2_3_2_1_one_request_a_second_then_unreachable() {
    let mut cache = Cache::new(CacheLimits::default());
    cache.enqueue(START, THEIR_IP, frame(1));
    let mut now = START;
    for _ in 0..3 {
        assert_eq!(asks(&mut cache, now), Some(MacAddr::BROADCAST));
        assert_eq!(asks(&mut cache, now), None);
        assert_eq!(cache.poll_at(), Some(now + SECOND));
        now += SECOND;
    }
    let expected = CachePoll::Unreachable {
        target: THEIR_IP,
        frames: [frame(1)].into(),
    };
    assert_eq!(cache.poll(now), Some(expected));
    assert_eq!(cache.poll(now), None);
    assert_eq!(cache.lookup(now, THEIR_IP), None);
}

/// A cache in which `THEIRS` has `THEIR_IP` since the start.
fn acquainted() -> Cache {
    let mut cache = Cache::new(CacheLimits::default());
    cache.enqueue(START, THEIR_IP, frame(1));
    cache.handle(START, &reply(THEIRS), true);
    cache
}

#[test]
fn rfc5227_section_2_3_an_announcement_of_another_station_is_taken_at_once() {
    let announcement = Packet::announcement(OTHER, THEIR_IP);
    let asking = Packet::request(OTHER, THEIR_IP, OUR_IP);
    for (packet, for_us) in [(announcement, false), (reply(OTHER), true), (asking, true)] {
        let mut cache = acquainted();
        let now = START + SECOND;
        cache.handle(now, &packet, for_us);
        assert_eq!(cache.lookup(now, THEIR_IP), Some(OTHER));
        // It is asked whether it is there, and used meanwhile.
        assert_eq!(asks(&mut cache, now), Some(OTHER));
        cache.handle(now, &reply(OTHER), true);
        assert_eq!(asks(&mut cache, now + SECOND), None);
        assert_eq!(cache.lookup(now + SECOND, THEIR_IP), Some(OTHER));
    }
}

#[test]
fn rfc5227_section_2_3_an_address_moves_no_more_than_once_a_second() {
    let mut cache = acquainted();
    let (mut moves, mut before) = (0, THEIRS);
    // Two stations that both claim it, a hundred times a second.
    for n in 0..1000u32 {
        let now = START + SECOND / 100 * n;
        let station = [THEIRS, OTHER][n as usize % 2];
        cache.handle(now, &Packet::announcement(station, THEIR_IP), false);
        while cache.poll(now).is_some() {}
        let after = cache
            .lookup(now, THEIR_IP)
            .expect("it is never without one");
        moves += u32::from(after != before);
        before = after;
    }
    assert!((1..=10).contains(&moves), "{moves} moves in ten seconds");
}

#[test]
fn rfc826_a_forged_station_that_does_not_answer_is_given_up() {
    let mut cache = acquainted();
    let mut now = START + SECOND;
    cache.handle(now, &Packet::announcement(OTHER, THEIR_IP), false);
    for _ in 0..3 {
        assert_eq!(asks(&mut cache, now), Some(OTHER));
        now += SECOND;
    }
    let given_up = cache.poll(now);
    assert!(matches!(given_up, Some(CachePoll::Unreachable { .. })));
    cache.enqueue(now, THEIR_IP, frame(2));
    assert_eq!(asks(&mut cache, now), Some(MacAddr::BROADCAST));
    cache.handle(now, &reply(THEIRS), true);
    assert_eq!(cache.lookup(now, THEIR_IP), Some(THEIRS));
}

#[test]
fn a_station_that_moved_within_a_second_is_found_again() {
    let mut cache = acquainted();
    cache.handle(START, &Packet::announcement(OTHER, THEIR_IP), false);
    assert_eq!(cache.lookup(START, THEIR_IP), Some(THEIRS));
    let mut now = START;
    for _ in 0..3 {
        assert_eq!(asks(&mut cache, now), Some(THEIRS));
        now += SECOND;
    }
    let given_up = cache.poll(now);
    assert!(matches!(given_up, Some(CachePoll::Unreachable { .. })));
    cache.enqueue(now, THEIR_IP, frame(2));
    assert_eq!(asks(&mut cache, now), Some(MacAddr::BROADCAST));
    cache.handle(now, &reply(OTHER), true);
    assert_eq!(cache.lookup(now, THEIR_IP), Some(OTHER));
}

#[test]
fn rfc826_a_flood_of_stations_displaces_none_that_is_spoken_to() {
    let mut cache = acquainted();
    let limits = CacheLimits::default();
    let mut now = START;
    for host in (0..=u16::MAX).step_by(4) {
        now += Duration::from_millis(1);
        let [high, low] = host.to_be_bytes();
        let address = Ipv4Addr::new(10, 1, high, low);
        let (ours, theirs) = ([2, 0, 0, 1, high, low], Packet::request);
        match host % 3 {
            // It asks for us; it answers us too; we look for it in vain.
            0 => drop(cache.handle(now, &theirs(MacAddr(ours), address, OUR_IP), true)),
            1 => {
                cache.handle(now, &theirs(MacAddr(ours), address, OUR_IP), true);
                cache.lookup(now, address);
            }
            _ => drop(cache.enqueue(now, address, frame(1))),
        }
        if host % 500 == 0 {
            assert_eq!(cache.lookup(now, THEIR_IP), Some(THEIRS), "after {host}");
        }
        // It answers whenever it is asked; nobody else does.
        while let Some(action) = cache.poll(now) {
            if matches!(action, CachePoll::Request { target, .. } if target == THEIR_IP) {
                cache.handle(now, &reply(THEIRS), true);
            }
        }
    }
    let most = 4096 * 256 + limits.queued_octets;
    assert!(cache.held() < most, "{} octets", cache.held());
    cache.poll(now);
    assert!(cache.iter().count() <= limits.entries);
}

#[test]
fn rfc1122_section_2_3_2_2_frames_that_wait_are_bounded_in_octets_and_given_back() {
    let limits = CacheLimits {
        queued_octets: 10_000,
        ..CacheLimits::default()
    };
    let mut cache = Cache::new(limits);
    let before = cache.held();
    let dropped: usize = (0..100u8)
        .map(|host| cache.enqueue(START, [10, 0, 1, host].into(), vec![0; 1514]))
        .sum();
    assert_eq!(dropped, 94, "six of them fit");
    assert!(cache.held() - before >= 6 * 1514);
    let freed = cache.give_back();
    assert!((6 * 1514..=10_000).contains(&freed), "{freed}");
    assert_eq!(cache.enqueue(START, THEIR_IP, frame(1)), 0);
    let released = cache.handle(START, &reply(THEIRS), true);
    assert_eq!(released.len(), 1);
    assert_eq!(cache.give_back(), 0);
}

#[test]
fn an_old_entry_is_used_while_its_station_is_asked() {
    let mut cache = Cache::new(CacheLimits::default());
    cache.enqueue(START, THEIR_IP, frame(1));
    cache.handle(START, &reply(THEIRS), true);
    let old = START + CacheLimits::default().fresh_for;
    assert_eq!(asks(&mut cache, old), None, "nobody uses it");
    assert_eq!(cache.lookup(old, THEIR_IP), Some(THEIRS));
    assert_eq!(asks(&mut cache, old), Some(THEIRS));
    assert_eq!(cache.lookup(old, THEIR_IP), Some(THEIRS));
    cache.handle(old, &reply(THEIRS), true);
    assert_eq!(asks(&mut cache, old + SECOND), None);
}

#[test]
fn an_unused_entry_goes() {
    let limits = CacheLimits::default();
    let mut cache = Cache::new(limits);
    cache.handle(START, &reply(THEIRS), true);
    assert_eq!(cache.iter().count(), 1);
    let gone = START + limits.unused_for;
    assert_eq!(cache.poll(START), None);
    assert_eq!(cache.poll_at(), Some(gone));
    assert!(matches!(
        cache.poll(gone),
        Some(CachePoll::Unreachable { .. })
    ));
    assert_eq!(cache.iter().count(), 0);
}

#[test]
fn only_those_who_speak_to_us_are_added() {
    let mut cache = Cache::new(CacheLimits {
        entries: 4,
        ..CacheLimits::default()
    });
    cache.handle(START, &Packet::announcement(THEIRS, THEIR_IP), false);
    assert_eq!(cache.iter().count(), 0);
    for host in 0..100u8 {
        let now = START + Duration::from_millis(host.into());
        let request = Packet::request(THEIRS, [10, 0, 1, host].into(), OUR_IP);
        cache.handle(now, &request, true);
    }
    assert_eq!(cache.iter().count(), 4, "the cache is bounded");
    assert!(
        cache
            .lookup(START + SECOND, [10, 0, 1, 99].into())
            .is_some()
    );
}

#[test]
fn rfc5227_section_2_1_1_probes_then_2_3_announces() {
    let mut claim = Claim::probe(START, OURS, OUR_IP, u32::MAX / 2);
    let (mut now, mut sent) = (START, Vec::new());
    while let Some(at) = claim.poll_at(now) {
        now = at;
        while let Some((packet, event)) = claim.poll(now, u32::MAX / 2) {
            sent.push((now - START, packet.sender, event));
        }
    }
    let probes: Vec<_> = sent
        .iter()
        .filter(|(_, sender, _)| sender.is_unspecified())
        .collect();
    assert_eq!(probes.len(), 3);
    assert!(probes[0].0 <= SECOND);
    for pair in probes.windows(2) {
        let gap = pair[1].0 - pair[0].0;
        assert!((SECOND..=2 * SECOND).contains(&gap), "{gap:?}");
    }
    let announcements = &sent[3..];
    assert_eq!(announcements.len(), 2);
    assert_eq!(announcements[0].0 - probes[2].0, 2 * SECOND);
    assert_eq!(announcements[1].0 - announcements[0].0, 2 * SECOND);
    assert_eq!(announcements[0].2, Some(ClaimEvent::Granted));
    assert!(claim.is_granted());
}

#[test]
fn rfc5227_section_2_1_1_a_conflict_refuses_the_address() {
    let rival_probe = Packet::probe(THEIRS, OUR_IP);
    let user = Packet::request(THEIRS, OUR_IP, THEIR_IP);
    for packet in [rival_probe, user] {
        let mut claim = Claim::probe(START, OURS, OUR_IP, 0);
        assert_eq!(
            claim.handle(START, &packet),
            Some(ClaimEvent::Refused(THEIRS))
        );
        assert_eq!(claim.poll_at(START), None);
        assert!(!claim.is_granted());
    }
    let mut claim = Claim::probe(START, OURS, OUR_IP, 0);
    assert_eq!(
        claim.handle(START, &Packet::probe(OURS, OUR_IP)),
        None,
        "our own"
    );
    assert_eq!(
        claim.handle(START, &Packet::probe(THEIRS, THEIR_IP)),
        None,
        "another address"
    );
}

#[test]
fn rfc5227_section_2_4_defends_once_in_ten_seconds() {
    let mut claim = Claim::announce(START, OURS, OUR_IP);
    let mut now = START;
    while let Some(at) = claim.poll_at(now) {
        now = at;
        while claim.poll(now, 0).is_some() {}
    }
    let rival = Packet::request(THEIRS, OUR_IP, THEIR_IP);
    let mut defences = 0;
    for second in 0..25 {
        let event = match second % 10 {
            0 => ClaimEvent::Conflict(THEIRS),
            _ => ClaimEvent::Lost(THEIRS),
        };
        assert_eq!(claim.handle(now, &rival), Some(event), "{second}");
        while let Some((packet, _)) = claim.poll(now, 0) {
            assert_eq!(packet, Packet::announcement(OURS, OUR_IP));
            defences += 1;
        }
        now += SECOND;
    }
    assert_eq!(defences, 3);
    let probe = Packet::probe(THEIRS, OUR_IP);
    assert_eq!(
        claim.handle(now, &probe),
        None,
        "a probe is answered, not defended against"
    );
}

#[test]
fn rfc5227_section_2_4_who_answers_the_probe_had_the_address_before() {
    let mut claim = Claim::announce(START, OURS, OUR_IP);
    let sent = [(); 2].map(|()| claim.poll(START, 0).expect("both at once").0);
    assert_eq!(sent[0], Packet::probe(OURS, OUR_IP));
    assert_eq!(sent[1], Packet::announcement(OURS, OUR_IP));
    let rival = Packet::request(THEIRS, OUR_IP, THEIR_IP);
    assert_eq!(claim.handle(START, &rival), Some(ClaimEvent::Lost(THEIRS)));
}
