//! Memory for what is on the way from and to clients, who take their time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use mkernel::http::hyper::StatusCode;

use crate::answer::Refusal;

/// So many bytes, for all clients together.
#[derive(Clone)]
pub(crate) struct Room(Arc<AtomicUsize>);

/// A part of the room, which is free when this is dropped.
pub(crate) struct Place {
    room: Room,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// A place for so many bytes, unless there are fewer.
    pub(crate) fn take(&self, bytes: usize) -> Result<Place, Refusal> {
        let left = |free: usize| free.checked_sub(bytes);
        match self.0.fetch_update(Relaxed, Relaxed, left) {
            Ok(_) => Ok(Place {
                room: self.clone(),
                bytes,
            }),
            Err(free) => Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("no memory for {bytes} bytes now, {free} are free"),
            )),
        }
    }

    /// These bytes, with their place for as long as any of them has not been sent.
    pub(crate) fn hold(&self, bytes: Vec<u8>) -> Result<Bytes, Refusal> {
        let _place = self.take(bytes.capacity())?;
        Ok(Bytes::from_owner(Held { bytes, _place }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.0.fetch_add(self.bytes, Relaxed);
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
        let place = room.take(60).expect("there are 100");
        assert!(room.take(41).is_err());
        let held = room.hold(vec![7; 40]).expect("there are 40");
        assert!(room.take(1).is_err());
        let part = held.slice(5..6);
        drop(held);
        assert!(room.take(1).is_err(), "a part is still held");
        drop((part, place));
        assert!(room.take(100).is_ok());
    }
}
