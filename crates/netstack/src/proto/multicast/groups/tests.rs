use super::{Groups, MAX_GROUPS, Message, Query, RecordKind, Version};
use crate::proto::Instant;
use core::time::Duration;

const START: Instant = Instant::from_nanos(1_000_000_000);

/// Groups are numbers here: what an address looks like is of no concern.
type Numbers = Groups<u32>;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn groups() -> Numbers {
    Groups::new([5; 16])
}

fn query(version: Version, group: Option<u32>) -> Query<u32> {
    Query {
        version,
        group,
        response_time: secs(10),
        robustness: None,
        interval: None,
    }
}

/// What is said from `now` on for `period`, and when.
fn said(groups: &mut Numbers, now: Instant, period: Duration) -> Vec<(Duration, String)> {
    let mut said = Vec::new();
    let (start, mut now) = (now, now);
    for _ in 0..10_000 {
        while let Some(message) = groups.poll(now) {
            let text = match message {
                Message::Report(records) => {
                    let record = |kind| match kind {
                        RecordKind::IsExclude => "is",
                        RecordKind::ToExclude => "join",
                        RecordKind::ToInclude => "leave",
                    };
                    let records = records.iter();
                    let texts: Vec<_> = records
                        .map(|it| format!("{} {}", record(it.kind), it.group))
                        .collect();
                    texts.join(", ")
                }
                Message::OlderReport(version, group) => format!("{version:?} {group}"),
                Message::Leave(group) => format!("left {group}"),
            };
            said.push((now - start, text));
        }
        match groups.poll_at() {
            Some(at) if at <= start + period => {
                assert!(at > now, "what was due is still due");
                now = at;
            }
            _ => return said,
        }
    }
    panic!("it does not end")
}

fn texts(said: &[(Duration, String)]) -> Vec<&str> {
    said.iter().map(|(_, text)| text.as_str()).collect()
}

/// Groups that were joined long ago.
fn joined(numbers: &[u32]) -> Numbers {
    let mut groups = groups();
    for number in numbers {
        groups.join(START, *number).expect("room");
    }
    said(&mut groups, START, secs(100));
    groups
}

#[test]
fn rfc3376_5_1_a_change_is_told_at_once_and_again_within_a_second() {
    let mut groups = groups();
    groups.join(START, 7).expect("room");
    assert!(groups.contains(7));
    let reports = said(&mut groups, START, secs(100));
    assert_eq!(texts(&reports), ["join 7", "join 7"], "Robustness Variable");
    assert_eq!(reports[0].0, Duration::ZERO);
    assert!(reports[1].0 > Duration::ZERO && reports[1].0 <= secs(1));
    groups.leave(START + secs(200), 7);
    assert!(!groups.contains(7));
    let reports = said(&mut groups, START + secs(200), secs(100));
    assert_eq!(texts(&reports), ["leave 7", "leave 7"]);
    assert!(groups.is_empty());
}

#[test]
fn rfc3376_5_1_what_changes_again_before_it_was_repeated_is_told_as_it_is() {
    let mut groups = groups();
    groups.join(START, 7).expect("room");
    assert!(groups.poll(START).is_some());
    groups.leave(START, 7);
    groups.join(START, 8).expect("room");
    let reports = said(&mut groups, START, secs(100));
    assert_eq!(reports[0].1, "leave 7, join 8");
    let repeated: String = texts(&reports[1..]).join(", ");
    for text in ["leave 7", "join 8"] {
        assert_eq!(repeated.matches(text).count(), 1, "{repeated}");
    }
    assert!(!repeated.contains("join 7"));
}

#[test]
fn rfc3590_4_what_was_said_by_nobody_is_said_again() {
    let mut groups = joined(&[7, 8]);
    let now = START + secs(200);
    groups.leave(now, 8);
    said(&mut groups, now, secs(100));
    let now = now + secs(100);
    groups.tell_again(now);
    assert_eq!(texts(&said(&mut groups, now, secs(100))), ["join 7"; 2]);
}

#[test]
fn a_group_is_left_when_the_last_of_its_holders_leaves() {
    let mut groups = joined(&[7]);
    let now = START + secs(200);
    groups.join(now, 7).expect("room");
    groups.leave(now, 7);
    assert_eq!(said(&mut groups, now, secs(100)), []);
    assert!(groups.contains(7));
    groups.leave(now, 7);
    assert_eq!(groups.poll_at(), Some(now));
    groups.leave(now, 7);
    groups.leave(now, 99);
    assert_eq!(said(&mut groups, now, secs(100)).len(), 2);
}

#[test]
fn rfc3376_5_2_a_general_query_is_answered_once_within_its_time() {
    let mut times = Vec::new();
    for seed in 0..100 {
        let mut groups = Numbers::new([seed; 16]);
        for number in [7, 8, 9] {
            groups.join(START, number).expect("room");
        }
        said(&mut groups, START, secs(100));
        let now = START + secs(200);
        groups.handle_query(now, &query(Version::Third, None));
        groups.handle_query(now, &query(Version::Third, None));
        let reports = said(&mut groups, now, secs(100));
        assert_eq!(texts(&reports), ["is 7, is 8, is 9"]);
        times.push(reports[0].0);
    }
    assert!(
        times
            .iter()
            .all(|at| *at > Duration::ZERO && *at <= secs(10))
    );
    assert!(times.iter().any(|at| *at < secs(2)) && times.iter().any(|at| *at > secs(6)));
}

#[test]
fn rfc3376_5_2_a_query_of_a_group_is_answered_by_who_is_in_it() {
    let mut groups = joined(&[7, 8]);
    let now = START + secs(200);
    groups.handle_query(now, &query(Version::Third, Some(8)));
    groups.handle_query(now, &query(Version::Third, Some(9)));
    assert_eq!(texts(&said(&mut groups, now, secs(100))), ["is 8"]);
    // Who has left it before the answer says that, and no more.
    let now = START + secs(400);
    groups.handle_query(now, &query(Version::Third, Some(8)));
    groups.leave(now, 8);
    assert_eq!(
        texts(&said(&mut groups, now, secs(100))),
        ["leave 8", "leave 8"]
    );
}

#[test]
fn rfc3376_8_1_routers_say_how_often_a_change_is_told() {
    for (told, times) in [
        (None, 2),
        (Some(0), 2),
        (Some(1), 1),
        (Some(4), 4),
        (Some(255), 7),
    ] {
        let mut groups = joined(&[]);
        let query = Query {
            robustness: told,
            ..query(Version::Third, None)
        };
        groups.handle_query(START, &query);
        groups.join(START, 7).expect("room");
        let reports = said(&mut groups, START, secs(100));
        let joins = texts(&reports);
        let joins = joins.iter().filter(|text| **text == "join 7").count();
        assert_eq!(joins, times, "{told:?}");
    }
}

#[test]
fn rfc3376_7_2_1_older_routers_are_spoken_to_in_their_version_while_they_are_there() {
    for (version, report) in [(Version::First, "First 7"), (Version::Second, "Second 7")] {
        let mut groups = joined(&[7]);
        let now = START + secs(200);
        groups.handle_query(now, &query(version, None));
        // Also of one that comes beside it.
        groups.handle_query(now, &query(Version::Third, None));
        let reports = said(&mut groups, now, secs(100));
        assert_eq!(texts(&reports), [report]);
        assert!(reports[0].0 <= secs(10));
        let now = now + secs(100);
        groups.join(now, 8).expect("room");
        let joined = format!("{version:?} 8");
        let reports = said(&mut groups, now, secs(100));
        assert_eq!(texts(&reports), [&joined, &joined]);
        assert!(reports[1].0 <= secs(10));
        // Robustness times interval and the time to answer: 260 s.
        let now = START + secs(200 + 260);
        groups.handle_query(now, &query(Version::Third, None));
        assert_eq!(texts(&said(&mut groups, now, secs(100))), ["is 7, is 8"]);
    }
}

#[test]
fn rfc2236_3_one_report_of_a_group_is_enough() {
    let mut groups = joined(&[7, 8]);
    let now = START + secs(200);
    groups.handle_query(now, &query(Version::Second, None));
    groups.handle_older_report(now, 7);
    assert_eq!(texts(&said(&mut groups, now, secs(100))), ["Second 8"]);
    // Only who reported last says that it leaves.
    groups.leave(now + secs(100), 7);
    groups.leave(now + secs(100), 8);
    assert_eq!(
        texts(&said(&mut groups, now + secs(100), secs(50))),
        ["left 8"]
    );
    assert!(groups.is_empty());
    // In the third version everybody reports (RFC 3376 §1).
    let mut groups = joined(&[7]);
    groups.handle_query(now, &query(Version::Third, None));
    groups.handle_older_report(now, 7);
    assert_eq!(texts(&said(&mut groups, now, secs(100))), ["is 7"]);
}

#[test]
fn rfc2236_6_to_a_router_of_the_first_version_nobody_says_that_it_leaves() {
    let mut groups = joined(&[7]);
    let now = START + secs(200);
    groups.handle_query(now, &query(Version::First, None));
    said(&mut groups, now, secs(100));
    groups.leave(now + secs(100), 7);
    assert_eq!(said(&mut groups, now + secs(100), secs(100)), []);
    assert!(groups.is_empty());
}

#[test]
fn groups_are_bounded_and_so_are_reports() {
    let mut groups = groups();
    for number in 0..MAX_GROUPS as u32 {
        groups.join(START, number).expect("room");
    }
    assert!(groups.join(START, 1000).is_err());
    assert!(groups.join(START, 5).is_ok(), "once more");
    let reports = said(&mut groups, START, Duration::ZERO);
    assert_eq!(reports.len(), 2);
    assert!(
        reports
            .iter()
            .all(|(_, text)| text.matches("join").count() == 32)
    );
}

#[test]
fn a_flood_of_queries_is_answered_ten_times_a_second() {
    let mut groups = joined(&[7, 8]);
    let (mut now, mut answers) = (START + secs(200), 0);
    for _ in 0..100_000 {
        now += Duration::from_micros(100);
        for group in [None, Some(7)] {
            let query = Query {
                response_time: Duration::ZERO,
                ..query(Version::Third, group)
            };
            groups.handle_query(now, &query);
        }
        while groups.poll(now).is_some() {
            answers += 1;
        }
    }
    assert!((90..=101).contains(&answers), "{answers} in ten seconds");
}
