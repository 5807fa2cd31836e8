//! Who waits: tasks in the order in which they began to.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::task::Waker;

/// Tasks that one queue keeps for `poll_…` functions, which do not tell when they have given up. The
/// one that has waited longest is woken to make room, and asks again if it still wants to know. When
/// one is seen to do so there is room for twice as many, lest tasks that all wait displace each other
/// for ever.
const TASKS: usize = 16;
/// The most that there is room for.
const MOST_TASKS: usize = 1024;
/// A task that was woken to make room has given up if it has not asked again when so many more were
/// woken for each one that there is room for.
const PATIENCE: usize = 256;

/// Names a future that waits. Later ones are larger; the lowest bit is set in those that stand for
/// a task which called a `poll_…` function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(NonZeroU64);

impl Ticket {
    fn is_task(self) -> bool {
        self.0.get() & 1 == 1
    }
}

/// Makes tickets.
#[derive(Debug, Default)]
pub(crate) struct Tickets(u64);

impl Tickets {
    /// A ticket for a future.
    #[inline]
    pub(crate) fn next(&mut self) -> Ticket {
        self.0 += 2;
        Ticket(NonZeroU64::new(self.0).unwrap_or(NonZeroU64::MAX))
    }

    fn next_task(&mut self) -> Ticket {
        Ticket(self.next().0 | 1)
    }
}

/// A waker that has left the state, for when the state is not borrowed: both waking and dropping it
/// may run code of others that comes back to the stack.
#[derive(Debug)]
pub(crate) enum Parting {
    /// Its task is ready.
    Wake(Waker),
    /// Its task waits no longer, or by another waker.
    Drop(Waker),
}

/// What has left, in order.
pub(crate) type Partings = VecDeque<Parting>;

/// Keeps `waker` in `place`, without cloning it when it is there already; tells whether it is new.
#[inline]
pub(crate) fn keep(place: &mut Option<Waker>, waker: &Waker, partings: &mut Partings) -> bool {
    if place.as_ref().is_some_and(|old| old.will_wake(waker)) {
        return false;
    }
    if let Some(old) = place.replace(waker.clone()) {
        partings.push_back(Parting::Drop(old));
    }
    true
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    /// `None` once the task was woken: the future keeps its place until it has got something or is
    /// dropped, lest whoever is served first also be first the next time.
    waker: Option<Waker>,
}

/// All who wait for one thing, the first one first.
///
/// An event wakes all of them: those who find nothing wait again in their old places, and no wake-up
/// is lost with a future that is dropped.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// Nearly always there is one at most.
    first: Option<Waiter>,
    /// Empty when there is no first one.
    more: Option<Box<More>>,
}

#[derive(Debug)]
struct More {
    /// Those behind the first, by ascending tickets.
    waiters: VecDeque<Waiter>,
    /// How many may be tasks of `poll_…` functions, the first one included.
    room: usize,
    /// A task that was woken to make room. As long as its waker is held no other can be taken for it.
    asked: Option<Waker>,
    /// Tasks woken to make room since.
    unanswered: usize,
}

impl Default for More {
    fn default() -> Self {
        Self {
            waiters: VecDeque::new(),
            room: TASKS,
            asked: None,
            unanswered: 0,
        }
    }
}

impl More {
    /// Forgets the task that was asked.
    fn end_asking(&mut self, partings: &mut Partings) {
        self.unanswered = 0;
        partings.extend(self.asked.take().map(Parting::Drop));
    }
}

impl Waiters {
    /// Has a future wait, at the place that its ticket stands for or, without one, at the end.
    #[inline]
    pub(crate) fn wait(
        &mut self,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
        tickets: &mut Tickets,
        partings: &mut Partings,
    ) {
        if let Some(ticket) = *ticket
            && let Some(waiter) = self.find(ticket)
        {
            keep(&mut waiter.waker, waker, partings);
            return;
        }
        let new = tickets.next();
        *ticket = Some(new);
        self.push(new, waker);
    }

    /// Has the task of a `poll_…` function wait until the next event.
    pub(crate) fn wait_task(
        &mut self,
        waker: &Waker,
        tickets: &mut Tickets,
        partings: &mut Partings,
    ) {
        let mut tasks = 0;
        for waiter in self.tasks() {
            let kept = waiter.waker.as_ref();
            if kept.is_some_and(|kept| kept.will_wake(waker)) {
                return;
            }
            tasks += 1;
        }
        if tasks >= TASKS {
            self.make_room(tasks, waker, partings);
        }
        self.push(tickets.next_task(), waker);
    }

    /// Wakes tasks until another one has room beside the rest of so many.
    #[cold]
    fn make_room(&mut self, mut tasks: usize, waker: &Waker, partings: &mut Partings) {
        let mut more = self.more.take().unwrap_or_default();
        let asked = more.asked.as_ref();
        if asked.is_some_and(|asked| asked.will_wake(waker)) {
            more.room = MOST_TASKS.min(2 * more.room);
            more.end_asking(partings);
        } else if more.unanswered > PATIENCE * more.room {
            more.room = TASKS.max(more.room / 2);
            more.end_asking(partings);
        }
        let room = more.room;
        self.more = Some(more);
        while tasks >= room {
            tasks -= 1;
            let oldest = self.tasks().next().map(|waiter| waiter.ticket);
            let Some(oldest) = oldest.and_then(|oldest| self.remove(oldest)) else {
                return;
            };
            let more = self.more.get_or_insert_default();
            more.unanswered += 1;
            more.asked.get_or_insert_with(|| oldest.clone());
            partings.push_back(Parting::Wake(oldest));
        }
    }

    /// Removes a future, whatever it waited for.
    #[inline]
    pub(crate) fn leave(&mut self, ticket: Ticket, partings: &mut Partings) {
        if let Some(waker) = self.remove(ticket) {
            partings.push_back(Parting::Drop(waker));
        }
    }

    /// Wakes all; tells whether there were any that had not been woken before.
    #[inline]
    pub(crate) fn wake(&mut self, partings: &mut Partings) -> bool {
        let Some(first) = &mut self.first else {
            return false;
        };
        let before = partings.len();
        if let Some(waker) = first.waker.take() {
            partings.push_back(Parting::Wake(waker));
        }
        let leaves = first.ticket.is_task();
        if let Some(more) = &mut self.more {
            let waiters = more.waiters.iter_mut();
            let wakers = waiters.filter_map(|waiter| waiter.waker.take());
            partings.extend(wakers.map(Parting::Wake));
            more.waiters.retain(|waiter| !waiter.ticket.is_task());
            more.end_asking(partings);
        }
        if leaves {
            self.first = self.pop_more();
        }
        partings.len() > before
    }

    /// Sends all away without waking them: what they waited for is gone.
    pub(crate) fn clear(&mut self, partings: &mut Partings) {
        let mut more = self.more.take().map(|more| *more).unwrap_or_default();
        more.end_asking(partings);
        let all = self.first.take().into_iter().chain(more.waiters);
        partings.extend(all.filter_map(|waiter| waiter.waker).map(Parting::Drop));
    }

    /// The tasks of `poll_…` functions, the one that has waited longest first.
    fn tasks(&self) -> impl Iterator<Item = &Waiter> {
        let more = self.more.iter().flat_map(|more| &more.waiters);
        let all = self.first.iter().chain(more);
        all.filter(|waiter| waiter.ticket.is_task())
    }

    #[inline]
    fn push(&mut self, ticket: Ticket, waker: &Waker) {
        let waker = Some(waker.clone());
        let waiter = Waiter { ticket, waker };
        if self.first.is_none() {
            self.first = Some(waiter);
        } else {
            let more = self.more.get_or_insert_default();
            more.waiters.push_back(waiter);
        }
    }

    #[inline]
    fn find(&mut self, ticket: Ticket) -> Option<&mut Waiter> {
        if let Some(first) = &mut self.first
            && first.ticket == ticket
        {
            return Some(first);
        }
        let more = &mut self.more.as_mut()?.waiters;
        let index = more.binary_search_by_key(&ticket, |waiter| waiter.ticket);
        more.get_mut(index.ok()?)
    }

    #[inline]
    fn remove(&mut self, ticket: Ticket) -> Option<Waker> {
        if self.first.as_ref()?.ticket == ticket {
            let next = match &self.more {
                None => None,
                Some(_) => self.pop_more(),
            };
            return std::mem::replace(&mut self.first, next)?.waker;
        }
        let more = &mut self.more.as_mut()?.waiters;
        let index = more.binary_search_by_key(&ticket, |waiter| waiter.ticket);
        more.remove(index.ok()?)?.waker
    }

    fn pop_more(&mut self) -> Option<Waiter> {
        let more = self.more.as_mut()?;
        let waiter = more.waiters.pop_front();
        if more.waiters.is_empty() && more.waiters.capacity() > 2 * more.room {
            self.more = None;
        }
        waiter
    }
}

#[cfg(test)]
mod tests;
