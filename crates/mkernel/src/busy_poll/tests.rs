use super::{BusyPoll, Policy};
use core::time::Duration;
use miou_rs::Instant;

/// Lets the policy wait `count` times; `wait` tells how long a wait takes, given the spin. Returns
/// the end, the time in fruitless spins and the number of fruitful ones.
fn run(
    policy: &mut Policy,
    start: Instant,
    count: u32,
    wait: impl Fn(Duration) -> Duration,
) -> (Instant, Duration, u32) {
    let (mut now, mut wasted, mut hits) = (start, Duration::ZERO, 0);
    for _ in 0..count {
        let spin = policy.spin_for(now);
        let took = wait(spin);
        policy.waited(now, now + took, spin);
        if spin > Duration::ZERO {
            if took <= spin {
                hits += 1;
            } else {
                wasted += spin;
            }
        }
        now += took + Duration::from_micros(2);
    }
    (now, wasted, hits)
}

const ORIGIN: Instant = Instant::from_nanos(1);

#[test]
fn close_arrivals_are_caught_by_spinning() {
    let mut policy = Policy::new(BusyPoll::default());
    let (_, wasted, hits) = run(&mut policy, ORIGIN, 1000, |_| Duration::from_micros(12));
    assert!(hits > 990, "{hits} of 1000");
    assert_eq!(wasted, Duration::ZERO);
}

#[test]
fn an_idle_stack_does_not_spin() {
    let mut policy = Policy::new(BusyPoll::default());
    let (now, ..) = run(&mut policy, ORIGIN, 100, |_| Duration::from_micros(12));
    let (_, wasted, hits) = run(&mut policy, now, 1000, |_| Duration::from_millis(10));
    assert_eq!(hits, 0);
    let longest = BusyPoll::default().longest;
    assert!(
        wasted <= 4 * longest,
        "{wasted:?} of spins after the load had gone"
    );
}

#[test]
fn arrivals_of_which_each_would_cost_a_long_spin_are_slept_for() {
    // 10,000 a second.
    let mut policy = Policy::new(BusyPoll::default());
    let (_, wasted, hits) = run(&mut policy, ORIGIN, 10_000, |_| Duration::from_micros(90));
    assert_eq!((wasted, hits), (Duration::ZERO, 0));
}

#[test]
fn a_pause_is_forgotten_after_a_few_arrivals() {
    let mut policy = Policy::new(BusyPoll::default());
    let (now, ..) = run(&mut policy, ORIGIN, 100, |_| Duration::from_micros(12));
    let (now, ..) = run(&mut policy, now, 1, |_| Duration::from_secs(1));
    let (_, _, hits) = run(&mut policy, now, 100, |_| Duration::from_micros(12));
    assert!(hits > 85, "{hits} of 100");
}

#[test]
fn spins_that_never_pay_become_rare() {
    // One CPU for both: what is waited for comes 10 µs after the spin has ended.
    let mut policy = Policy::new(BusyPoll::default());
    let late = Duration::from_micros(10);
    let (now, wasted, hits) = run(&mut policy, ORIGIN, 100_000, |spin| spin + late);
    assert_eq!(hits, 0);
    let percent = 100 * wasted.as_nanos() / u128::from(now.as_nanos());
    assert_eq!(percent, 0, "{wasted:?} of {now:?}");
}

#[test]
fn it_learns_again_when_spinning_pays_again() {
    let mut policy = Policy::new(BusyPoll::default());
    let late = Duration::from_micros(10);
    let (now, ..) = run(&mut policy, ORIGIN, 10_000, |spin| spin + late);
    let (_, _, hits) = run(&mut policy, now, 20_000, |_| late);
    assert!(hits > 10_000, "{hits} of 20000");
}

#[test]
fn the_share_bounds_what_is_wasted() {
    for share in [0, 1, 20, 100] {
        let limits = BusyPoll {
            share,
            ..BusyPoll::default()
        };
        let mut policy = Policy::new(limits);
        // Every second arrival is just too late: the estimate never says no.
        let flip = std::cell::Cell::new(false);
        let (now, wasted, _) = run(&mut policy, ORIGIN, 100_000, |spin| {
            flip.set(!flip.get());
            if flip.get() {
                Duration::from_micros(5)
            } else {
                spin + Duration::from_micros(1)
            }
        });
        let allowed = u128::from(now.as_nanos()) * u128::from(share) / 100;
        let savings = 21 * limits.longest.as_nanos();
        assert!(
            wasted.as_nanos() <= allowed + savings,
            "{share} %: {wasted:?} of {now:?}"
        );
    }
}

#[test]
fn off_means_off() {
    let mut policy = Policy::new(BusyPoll::OFF);
    let (_, wasted, hits) = run(&mut policy, ORIGIN, 1000, |_| Duration::from_micros(1));
    assert_eq!((wasted, hits), (Duration::ZERO, 0));
}
