use proptest::prelude::*;

use super::{Lane, Lanes};

/// All tasks in one list, searched for the one that the rule names.
#[derive(Default)]
struct Oracle {
    waiting: Vec<(u32, Lane)>,
    /// Event tasks taken in a row while a normal one waited.
    passed_over: u32,
}

impl Oracle {
    fn pop(&mut self, bound: u32) -> Option<(u32, Lane)> {
        let first = |lane| self.waiting.iter().position(|task| task.1 == lane);
        let (event, normal) = (first(Lane::Event), first(Lane::Normal));
        let chosen = match (event, normal) {
            (Some(_), Some(normal)) if self.passed_over == bound => normal,
            (Some(event), _) => event,
            (None, normal) => normal?,
        };
        if event.is_some() && normal.is_some() && Some(chosen) == event {
            self.passed_over += 1;
        } else {
            self.passed_over = 0;
        }
        Some(self.waiting.remove(chosen))
    }
}

/// The next task, and the lane that it comes from.
fn pop(lanes: &Lanes<u32>) -> Option<(u32, Lane)> {
    lanes.pop().map(|task| (task, lanes.current()))
}

fn operations() -> impl Strategy<Value = Vec<Option<Lane>>> {
    let push = prop_oneof![Just(Lane::Normal), Just(Lane::Event)];
    // A lane: push to it; none: pop.
    prop::collection::vec(prop::option::of(push), 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 256 }))]

    #[test]
    fn the_queue_does_what_a_search_does(operations in operations(), bound in 1..20_u32) {
        let lanes = Lanes::new(bound, None);
        let mut oracle = Oracle::default();
        for (number, operation) in (0..).zip(operations) {
            match operation {
                Some(lane) => {
                    lanes.push(number, lane);
                    oracle.waiting.push((number, lane));
                }
                None => assert_eq!(pop(&lanes), oracle.pop(bound)),
            }
            let (normal, event) = lanes.lengths();
            assert_eq!(normal + event, oracle.waiting.len());
        }
    }

    #[test]
    fn with_a_seed_the_lanes_take_turns_alike_and_lose_nothing(
        operations in operations(),
        bound in 1..20_u32,
        seed: u64,
    ) {
        let shuffled = Lanes::new(bound, Some(seed));
        let again = Lanes::new(bound, Some(seed));
        let fifo = Lanes::new(bound, None);
        let mut taken = Vec::new();
        let pushed = operations.iter().flatten().count();
        for (number, operation) in (0..).zip(operations) {
            if let Some(lane) = operation {
                shuffled.push(number, lane);
                again.push(number, lane);
                fifo.push(number, lane);
            } else {
                let popped = pop(&shuffled);
                assert_eq!(popped, pop(&again));
                assert_eq!(popped.map(|task| task.1), pop(&fifo).map(|task| task.1));
                taken.extend(popped);
            }
        }
        taken.extend(std::iter::from_fn(|| pop(&shuffled)));
        taken.sort_by_key(|task| task.0);
        taken.dedup();
        assert_eq!(taken.len(), pushed);
    }
}
