use super::*;

const MICROSECOND: u64 = 1_000;
const LONGEST: u64 = 50 * MICROSECOND;

/// A wait that an event ends `gap` after it began; returns the time polled.
fn wait(policy: &mut Policy, now: &mut u64, gap: u64) -> u64 {
    let planned = policy.plan(*now);
    let polled = planned.min(gap);
    *now += gap;
    if planned == 0 {
        policy.woken(gap);
    } else if gap <= planned {
        policy.found(gap);
    } else {
        policy.missed(planned);
        policy.woken(gap);
    }
    polled
}

fn busy_policy(now: &mut u64) -> Policy {
    // Allowance saved up while idle.
    *now += 1_000_000_000;
    let mut policy = Policy::new(BusyPoll::default(), 0);
    for _ in 0..10 {
        wait(&mut policy, now, 20 * MICROSECOND);
    }
    policy
}

#[test]
fn polls_when_events_come_in_quick_succession() {
    let mut now = 0;
    let mut policy = busy_policy(&mut now);
    assert!(policy.plan(now) > 20 * MICROSECOND);
}

#[test]
fn does_not_poll_before_the_first_event() {
    assert_eq!(Policy::new(BusyPoll::default(), 0).plan(1_000_000_000), 0);
}

#[test]
fn stops_when_events_become_rare() {
    let mut now = 0;
    let mut policy = busy_policy(&mut now);
    let polled: u64 = (0..100).map(|_| wait(&mut policy, &mut now, 1_000 * MICROSECOND)).sum();
    assert!(polled <= LONGEST, "{polled} ns polled in 100 idle waits");
}

#[test]
fn resumes_a_few_events_after_a_pause() {
    let mut now = 0;
    let mut policy = busy_policy(&mut now);
    wait(&mut policy, &mut now, 1_000_000_000);
    let waits = (0..100).take_while(|_| wait(&mut policy, &mut now, 20 * MICROSECOND) == 0);
    assert!(waits.count() < 20);
}

#[test]
fn stays_within_its_share_of_the_cpu() {
    for share in [0, 10, 50, 100] {
        let mut policy = Policy::new(BusyPoll { share, ..BusyPoll::default() }, 0);
        let mut now = 0;
        let polled: u64 = (0..100_000).map(|_| wait(&mut policy, &mut now, 40_000)).sum();
        let allowed = now / 100 * u64::from(share) + BURST * LONGEST;
        assert!(polled <= allowed, "{share} %: {polled} of {now} ns polled");
        assert_eq!(polled == 0, share == 0);
    }
}

#[test]
fn backs_off_where_polling_finds_nothing_that_blocking_gets_at_once() {
    // The sender needs this very CPU: nothing comes as long as we poll.
    let mut policy = busy_policy(&mut 0);
    let mut now = 1_000_000_000;
    let mut polled = 0;
    for _ in 0..100_000 {
        let planned = policy.plan(now);
        if planned > 0 {
            policy.missed(planned);
            polled += 1;
        }
        now += planned + 10 * MICROSECOND;
        policy.woken(10 * MICROSECOND);
    }
    assert!(polled < 200, "{polled} of 100,000 waits polled");
}

#[test]
fn can_be_switched_off() {
    let mut policy = Policy::new(BusyPoll::OFF, 0);
    let mut now = 0;
    assert_eq!((0..100).map(|_| wait(&mut policy, &mut now, 10)).sum::<u64>(), 0);
}
