use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::{MAX_TASKS, Parting, Partings, Ticket, Tickets, Waiters};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Bench {
    waiters: Waiters,
    tickets: Tickets,
    partings: Partings,
}

impl Bench {
    fn new() -> Self {
        Self {
            waiters: Waiters::default(),
            tickets: Tickets::default(),
            partings: Partings::new(),
        }
    }

    fn wait(&mut self, ticket: &mut Option<Ticket>, waker: &Waker) {
        let Self {
            waiters,
            tickets,
            partings,
        } = self;
        waiters.wait(ticket, waker, tickets, partings);
    }

    fn leave(&mut self, ticket: Option<Ticket>) {
        let ticket = ticket.expect("it has waited");
        self.waiters.leave(ticket, &mut self.partings);
    }

    /// The numbers of `wakers` in the order in which an event wakes them.
    fn woken(&mut self, wakers: &[Waker]) -> Vec<usize> {
        self.partings.clear();
        self.waiters.wake(&mut self.partings);
        let of = |parting: &Parting| match parting {
            Parting::Wake(woken) => wakers.iter().position(|waker| waker.will_wake(woken)),
            Parting::Drop(_) => None,
        };
        self.partings.iter().filter_map(of).collect()
    }
}

fn wakers(count: usize) -> Vec<Waker> {
    let waker = |_| Waker::from(Arc::new(Count::default()));
    (0..count).map(waker).collect()
}

#[test]
fn all_are_woken_in_order_and_whoever_finds_nothing_keeps_its_place() {
    let (mut bench, wakers) = (Bench::new(), wakers(4));
    let mut tickets = [None; 4];
    for (ticket, waker) in tickets.iter_mut().zip(&wakers) {
        bench.wait(ticket, waker);
    }
    assert_eq!(bench.woken(&wakers), [0, 1, 2, 3]);
    assert_eq!(bench.woken(&wakers), [0; 0], "each was woken");
    // The first is served and comes again; the others find nothing, in whatever order they look.
    bench.leave(tickets[0].take());
    for index in [0, 3, 1, 2] {
        bench.wait(&mut tickets[index], &wakers[index]);
    }
    assert_eq!(bench.woken(&wakers), [1, 2, 3, 0]);
    bench.leave(tickets[2]);
    for index in [0, 1, 3] {
        bench.wait(&mut tickets[index], &wakers[index]);
    }
    assert_eq!(bench.woken(&wakers), [1, 3, 0]);
}

#[test]
fn who_leaves_leaves_no_waker() {
    let mut bench = Bench::new();
    let counts: Vec<Arc<Count>> = (0..3).map(|_| Arc::default()).collect();
    let mut tickets = [None; 3];
    for (ticket, count) in tickets.iter_mut().zip(&counts) {
        bench.wait(ticket, &Waker::from(count.clone()));
    }
    for index in [1, 0, 2] {
        bench.leave(tickets[index]);
    }
    bench.partings.clear();
    let held = |count: &Arc<Count>| Arc::strong_count(count) - 1;
    assert_eq!(counts.iter().map(held).sum::<usize>(), 0);
}

#[test]
fn another_waker_of_the_same_future_replaces_the_first() {
    let (mut bench, wakers) = (Bench::new(), wakers(2));
    let mut ticket = None;
    bench.wait(&mut ticket, &wakers[0]);
    bench.wait(&mut ticket, &wakers[1]);
    assert!(matches!(&bench.partings[0], Parting::Drop(old) if old.will_wake(&wakers[0])));
    assert_eq!(bench.woken(&wakers), [1]);
}

#[test]
fn tasks_without_a_future_are_kept_once_each_and_up_to_a_bound() {
    let (mut bench, wakers) = (Bench::new(), wakers(2 * MAX_TASKS));
    for waker in wakers.iter().flat_map(|waker| [waker, waker]) {
        let Bench {
            waiters,
            tickets,
            partings,
        } = &mut bench;
        waiters.wait_task(waker, tickets, partings);
    }
    // Those for whom there was no room were not forgotten: they are to ask again.
    assert_eq!(bench.partings.len(), MAX_TASKS);
    let is_wake = |parting: &Parting| matches!(parting, Parting::Wake(_));
    assert!(bench.partings.iter().all(is_wake));
    let last: Vec<usize> = (MAX_TASKS..2 * MAX_TASKS).collect();
    assert_eq!(bench.woken(&wakers), last);
    assert!(bench.waiters.first.is_none());
}
