//! Who waits: tasks in the order in which they began to.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::task::Waker;

/// Tasks that one queue keeps for `poll_…` functions, at most: these do not tell when they have
/// given up. The one that has waited longest is woken to make room, and asks again if it still
/// wants to know.
const MAX_TASKS: usize = 16;

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
    partings.extend(place.replace(waker.clone()).map(Parting::Drop));
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

/// Those behind the first, by ascending tickets.
#[derive(Debug, Default)]
struct More(VecDeque<Waiter>);

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
        let (mut tasks, mut oldest) = (0, None);
        for waiter in self.first.iter().chain(self.rest()) {
            if !waiter.ticket.is_task() {
                continue;
            }
            if waiter
                .waker
                .as_ref()
                .is_some_and(|old| old.will_wake(waker))
            {
                return;
            }
            tasks += 1;
            oldest.get_or_insert(waiter.ticket);
        }
        if tasks >= MAX_TASKS
            && let Some(oldest) = oldest
        {
            partings.extend(self.remove(oldest).map(Parting::Wake));
        }
        self.push(tickets.next_task(), waker);
    }

    /// Removes a future, whatever it waited for.
    #[inline]
    pub(crate) fn leave(&mut self, ticket: Ticket, partings: &mut Partings) {
        partings.extend(self.remove(ticket).map(Parting::Drop));
    }

    /// Wakes all; tells whether there were any that had not been woken before.
    #[inline]
    pub(crate) fn wake(&mut self, partings: &mut Partings) -> bool {
        let Some(first) = &mut self.first else {
            return false;
        };
        let before = partings.len();
        partings.extend(first.waker.take().map(Parting::Wake));
        let leaves = first.ticket.is_task();
        if let Some(more) = &mut self.more {
            let wakers = more.0.iter_mut().filter_map(|waiter| waiter.waker.take());
            partings.extend(wakers.map(Parting::Wake));
            more.0.retain(|waiter| !waiter.ticket.is_task());
        }
        if leaves {
            self.first = self.pop_more();
        }
        partings.len() > before
    }

    /// Sends all away without waking them: what they waited for is gone.
    pub(crate) fn clear(&mut self, partings: &mut Partings) {
        let more = self.more.take().map(|more| more.0).unwrap_or_default();
        let all = self.first.take().into_iter().chain(more);
        partings.extend(all.filter_map(|waiter| waiter.waker).map(Parting::Drop));
    }

    fn rest(&self) -> impl Iterator<Item = &Waiter> {
        self.more.iter().flat_map(|more| &more.0)
    }

    fn push(&mut self, ticket: Ticket, waker: &Waker) {
        let waker = Some(waker.clone());
        let waiter = Waiter { ticket, waker };
        if self.first.is_none() {
            self.first = Some(waiter);
        } else {
            self.more.get_or_insert_default().0.push_back(waiter);
        }
    }

    fn find(&mut self, ticket: Ticket) -> Option<&mut Waiter> {
        if let Some(first) = &mut self.first
            && first.ticket == ticket
        {
            return Some(first);
        }
        let more = &mut self.more.as_mut()?.0;
        let index = more.binary_search_by_key(&ticket, |waiter| waiter.ticket);
        more.get_mut(index.ok()?)
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Waker> {
        let first = self.first.as_ref()?;
        if first.ticket == ticket {
            let next = self.pop_more();
            return std::mem::replace(&mut self.first, next)?.waker;
        }
        let more = &mut self.more.as_mut()?.0;
        let index = more.binary_search_by_key(&ticket, |waiter| waiter.ticket);
        more.remove(index.ok()?)?.waker
    }

    fn pop_more(&mut self) -> Option<Waiter> {
        let more = &mut self.more.as_mut()?.0;
        let waiter = more.pop_front();
        if more.is_empty() && more.capacity() > 2 * MAX_TASKS {
            self.more = None;
        }
        waiter
    }
}

#[cfg(test)]
mod tests;
