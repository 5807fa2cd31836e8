//! Memory for what is on the way from and to clients, who take their time.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use mkernel::http::hyper::StatusCode;

use crate::answer::Refusal;

/// So many bytes, for all clients together. What goes one way leaves a quarter to what goes the other way.
#[derive(Clone)]
pub(crate) struct Room {
    bytes: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    by_requests: usize,
    by_answers: usize,
}

#[derive(Clone, Copy)]
enum Way {
    Request,
    Answer,
}

/// A part of the room, which is free when this is dropped.
pub(crate) struct Place {
    room: Room,
    way: Way,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        let taken = Arc::default();
        Self { bytes, taken }
    }

    /// A place for the content of a request, of which nothing has come yet.
    pub(crate) fn enter(&self) -> Place {
        self.place(Way::Request)
    }

    /// These bytes, with their place for as long as any of them has not been sent.
    pub(crate) fn hold(&self, bytes: Vec<u8>) -> Result<Bytes, Refusal> {
        let mut place = self.place(Way::Answer);
        place.grow(bytes.capacity())?;
        let _place = place;
        Ok(Bytes::from_owner(Held { bytes, _place }))
    }

    fn place(&self, way: Way) -> Place {
        Place {
            room: self.clone(),
            way,
            bytes: 0,
        }
    }

    fn with<R>(&self, way: Way, work: impl FnOnce(&mut usize, usize) -> R) -> R {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let Taken {
            by_requests,
            by_answers,
        } = &mut *taken;
        let (ours, others) = match way {
            Way::Request => (by_requests, *by_answers),
            Way::Answer => (by_answers, *by_requests),
        };
        let most = (self.bytes - self.bytes / 4).min(self.bytes.saturating_sub(others));
        let free = most.saturating_sub(*ours);
        work(ours, free)
    }
}

impl Place {
    /// Has room for so many bytes more, unless there are fewer.
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), Refusal> {
        let outcome = self.room.with(self.way, |taken, free| {
            if more > free {
                return Err(free);
            }
            *taken += more;
            Ok(())
        });
        if let Err(free) = outcome {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("no memory for {more} bytes now, {free} are free"),
            ));
        }
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.with(self.way, |taken, _| *taken -= self.bytes);
    }
}

struct Held {
    bytes: Vec<u8>,
    _place: Place,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_until_it_is_taken_and_when_it_is_given_back() {
        let room = Room::new(100);
        let mut place = room.enter();
        place.grow(60).expect("there are 75");
        place.grow(16).expect_err("a quarter is for answers");
        let held = room.hold(vec![7; 40]).expect("there are 40");
        assert!(room.hold(vec![7]).is_err(), "all is taken");
        let part = held.slice(5..6);
        drop(held);
        assert!(place.grow(1).is_err(), "a part is still held");
        drop(part);
        place.grow(15).expect("there are 15");
        drop(place);
        assert!(room.hold(vec![7; 76]).is_err(), "a quarter is for requests");
        assert!(room.hold(vec![7; 75]).is_ok());
    }
}
