use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::{MOST_TASKS, Parting, Partings, TASKS, Ticket, Tickets, Waiters};

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

    fn wait_task(&mut self, waker: &Waker) {
        let Self {
            waiters,
            tickets,
            partings,
        } = self;
        waiters.wait_task(waker, tickets, partings);
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
    let (mut bench, wakers) = (Bench::new(), wakers(2 * TASKS));
    for waker in wakers.iter().flat_map(|waker| [waker, waker]) {
        bench.wait_task(waker);
    }
    // Those for whom there was no room were not forgotten: they are to ask again.
    assert_eq!(bench.partings.len(), TASKS);
    let is_wake = |parting: &Parting| matches!(parting, Parting::Wake(_));
    assert!(bench.partings.iter().all(is_wake));
    let last: Vec<usize> = (TASKS..2 * TASKS).collect();
    assert_eq!(bench.woken(&wakers), last);
    assert!(bench.waiters.first.is_none());
}

#[test]
fn tasks_that_all_still_wait_come_to_rest() {
    let (mut bench, wakers) = (Bench::new(), wakers(500));
    for _ in 0..3 {
        let mut polls = 0;
        let mut ready: VecDeque<Waker> = wakers.iter().cloned().collect();
        while let Some(waker) = ready.pop_front() {
            bench.wait_task(&waker);
            for parting in bench.partings.drain(..) {
                if let Parting::Wake(waker) = parting {
                    ready.push_back(waker);
                }
            }
            polls += 1;
            assert!(polls < 20 * wakers.len(), "they displace each other");
        }
        let mut woken = bench.woken(&wakers);
        woken.sort_unstable();
        assert!(woken.into_iter().eq(0..500));
    }
}

#[test]
fn tasks_that_have_given_up_are_let_go_and_so_is_the_room_that_others_had() {
    let mut bench = Bench::new();
    let lasting = wakers(100);
    let mut most = 0;
    let counts: Vec<Arc<Count>> = (0..400_000).map(|_| Arc::default()).collect();
    for (index, count) in counts.iter().enumerate() {
        if index < 100_000 {
            // One that comes back whenever it is woken, among others that never do.
            bench.wait_task(&lasting[index % 3]);
        }
        bench.wait_task(&Waker::from(count.clone()));
        bench.partings.clear();
        most = most.max(bench.waiters.tasks().count());
    }
    assert!(most <= MOST_TASKS, "{most}");
    let held = counts.iter().filter(|count| Arc::strong_count(count) > 1);
    assert!(held.count() <= 2 * TASKS);
}
