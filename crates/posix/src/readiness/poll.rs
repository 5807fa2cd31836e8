//! `poll`: descriptors that are asked one by one.

use core::task::{Context, Poll};
use std::rc::Rc;

use libc::{POLLNVAL, pollfd};

use super::Events;
use super::queue::Place;
use crate::descriptors::open::Open;
use crate::descriptors::table::Table;

/// What each entry of a set stands for; nothing where it is not open or not asked for.
pub(crate) struct Set<'a> {
    opens: &'a [Option<Rc<Open>>],
    /// What is told of each unasked.
    always: Events,
    places: Vec<Option<Place<'a>>>,
}

/// The descriptions of a set.
pub(crate) fn opens(table: &Table, entries: &[pollfd]) -> Vec<Option<Rc<Open>>> {
    let fds = entries.iter().map(|entry| entry.fd);
    fds.map(|fd| table.open(fd).ok()).collect()
}

impl<'a> Set<'a> {
    pub(crate) fn new(opens: &'a [Option<Rc<Open>>], always: Events) -> Self {
        Self {
            opens,
            always,
            places: Vec::new(),
        }
    }

    /// Asks every entry; how many have something to tell.
    pub(crate) fn look(&self, entries: &mut [pollfd]) -> usize {
        let mut count = 0;
        for (entry, open) in entries.iter_mut().zip(self.opens) {
            entry.revents = match open {
                Some(open) => {
                    let wanted = wanted(entry) | self.always;
                    (open.description().ready() & wanted) as i16
                }
                None if entry.fd < 0 => 0,
                None => POLLNVAL,
            };
            count += usize::from(entry.revents != 0);
        }
        count
    }

    /// Ready with the number of entries that have something to tell; otherwise the task is woken when one may have.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        entries: &mut [pollfd],
    ) -> Poll<usize> {
        let count = self.look(entries);
        if count > 0 {
            return Poll::Ready(count);
        }
        if self.places.is_empty() {
            let opens = self.opens.iter();
            let queues = opens.map(|open| open.as_ref()?.description().queue());
            self.places = queues.map(|queue| queue.map(Place::new)).collect();
        }
        for (place, entry) in self.places.iter_mut().zip(entries) {
            if let Some(place) = place {
                place.wait(wanted(entry) | self.always, context.waker());
            }
        }
        Poll::Pending
    }
}

fn wanted(entry: &pollfd) -> Events {
    Events::from(entry.events.cast_unsigned())
}
