use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use proptest::prelude::*;

use super::{Key, Wheel};
use crate::Instant;

/// All timers in a list, sorted when they fire.
#[derive(Default)]
struct Oracle {
    /// Deadline and number, in the order of insertion.
    timers: Vec<(u64, usize)>,
}

impl Oracle {
    fn advance(&mut self, now: u64) -> Vec<usize> {
        let mut due: Vec<_> = self
            .timers
            .extract_if(.., |(deadline, _)| *deadline <= now)
            .collect();
        due.sort_by_key(|(deadline, _)| *deadline);
        due.into_iter().map(|(_, number)| number).collect()
    }

    fn earliest(&self) -> Option<u64> {
        self.timers.iter().map(|(deadline, _)| *deadline).min()
    }
}

/// Notes its number when woken.
struct Numbered {
    number: usize,
    fired: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        self.fired.lock().unwrap().push(self.number);
    }
}

#[derive(Debug, Clone)]
enum Operation {
    Insert {
        after: u64,
    },
    Remove {
        which: usize,
    },
    Advance {
        by: u64,
    },
    /// As the scheduler does when it sleeps.
    AdvanceToNext,
}

/// Times on all levels, and often the same ones.
fn times() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..4_u64,
        0..100_000_u64,
        (0..20_u64).prop_map(|slots| slots << 16),
        (0..20_u64).prop_map(|slots| slots << 22),
        (0_u32..64).prop_map(|bit| 1 << bit),
        any::<u64>().prop_map(|time| time >> 8),
        Just(u64::MAX),
    ]
}

fn operations() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => times().prop_map(|after| Operation::Insert { after }),
        1 => any::<usize>().prop_map(|which| Operation::Remove { which }),
        1 => times().prop_map(|by| Operation::Advance { by: by >> 2 }),
        2 => Just(Operation::AdvanceToNext),
    ]
}

struct Both {
    wheel: Wheel,
    oracle: Oracle,
    now: u64,
    keys: Vec<(usize, Key)>,
    inserted: usize,
    fired: Arc<Mutex<Vec<usize>>>,
}

impl Both {
    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Insert { after } => self.insert(self.now.saturating_add(after)),
            Operation::Remove { which } if !self.keys.is_empty() => {
                let (number, key) = self.keys.swap_remove(which % self.keys.len());
                let at = self
                    .oracle
                    .timers
                    .iter()
                    .position(|timer| timer.1 == number);
                let (deadline, _) = self.oracle.timers.remove(at.unwrap());
                assert!(
                    self.wheel
                        .remove(key, Instant::from_nanos(deadline))
                        .is_some()
                );
            }
            Operation::Remove { .. } => {}
            Operation::Advance { by } => self.advance(self.now.saturating_add(by)),
            Operation::AdvanceToNext => self.advance_to_next(),
        }
        assert_eq!(self.wheel.len(), self.oracle.timers.len());
    }

    fn insert(&mut self, deadline: u64) {
        if self.wheel.has_fired(Instant::from_nanos(deadline)) {
            assert!(deadline <= self.now);
            return;
        }
        let waker = Waker::from(Arc::new(Numbered {
            number: self.inserted,
            fired: self.fired.clone(),
        }));
        let key = self.wheel.insert(Instant::from_nanos(deadline), waker);
        self.keys.push((self.inserted, key));
        self.oracle.timers.push((deadline, self.inserted));
        self.inserted += 1;
    }

    fn advance(&mut self, now: u64) {
        let expected = self.oracle.advance(now);
        if self.wheel.is_idle_until(Instant::from_nanos(now)) {
            assert_eq!(expected, [], "at {now}, which the wheel took to be idle");
        }
        let mut due = self.wheel.advance(Instant::from_nanos(now));
        due.drain(..).for_each(Waker::wake);
        self.wheel.give_back(due);
        assert_eq!(
            self.fired.lock().unwrap().split_off(0),
            expected,
            "at {now}"
        );
        self.keys.retain(|(number, _)| !expected.contains(number));
        self.now = now;
    }

    /// Never later than the earliest timer; and soon there.
    fn advance_to_next(&mut self) {
        let Some(earliest) = self.oracle.earliest() else {
            assert_eq!(self.wheel.next_deadline(), None);
            return;
        };
        let mut looks = 0;
        while self.now < earliest {
            let next = self.wheel.next_deadline().unwrap().as_nanos();
            assert!(self.now < next && next <= earliest, "{next}, {earliest}");
            self.advance(next);
            looks += 1;
            assert!(looks <= super::LEVELS, "{looks} looks");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 256 }))]

    #[test]
    fn the_wheel_does_what_a_sorted_list_does(
        start in times(),
        operations in prop::collection::vec(operations(), 1..200),
    ) {
        let mut both = Both {
            wheel: Wheel::new(Instant::from_nanos(start)),
            oracle: Oracle::default(),
            now: start,
            keys: Vec::new(),
            inserted: 0,
            fired: Arc::default(),
        };
        for operation in &operations {
            both.apply(operation);
        }
        both.advance(u64::MAX);
        assert_eq!(both.wheel.len(), 0);
    }

    #[test]
    fn many_timers_in_one_slot_are_no_exception(
        deadlines in prop::collection::vec(1_000_000_000..1_010_000_000_u64, 65..300),
    ) {
        let mut both = Both {
            wheel: Wheel::new(Instant::ZERO),
            oracle: Oracle::default(),
            now: 0,
            keys: Vec::new(),
            inserted: 0,
            fired: Arc::default(),
        };
        for deadline in deadlines {
            both.insert(deadline);
        }
        while both.wheel.len() > 0 {
            both.advance_to_next();
        }
    }
}

#[test]
fn cleared_timers_are_gone_and_may_be_removed_once_more() {
    let mut wheel = Wheel::new(Instant::ZERO);
    let deadline = Instant::from_nanos(1_000);
    let key = wheel.insert(deadline, Waker::noop().clone());
    assert_eq!(wheel.clear().len(), 1);
    assert!(wheel.remove(key, deadline).is_none());
    assert_eq!(wheel.next_deadline(), None);
    assert!(wheel.advance(deadline).is_empty());
}
