//! Frames that wait until the station of a neighbour is known, bounded for one and for all.

use core::time::Duration;
use std::collections::VecDeque;

use super::neighbours::CacheLimits;
use crate::proto::Instant;

/// Octets that a frame takes beside its own, at most, while it waits.
const FRAME: usize = 2 * size_of::<Vec<u8>>() + 32;

/// How long the frames for a neighbour keep their place from others that find none: one that is there has answered by
/// then, and as made-up addresses take places only so often, so often they are asked for.
const UNDISTURBED: Duration = Duration::from_millis(250);

/// How many wait for all neighbours.
#[derive(Debug, Default)]
pub(super) struct Pending {
    frames: usize,
    octets: usize,
    /// Until when all places are taken.
    crowded: Instant,
}

impl Pending {
    /// Octets of the memory that holds them.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// All were dropped; returns how many octets they held.
    pub(super) fn forget(&mut self) -> usize {
        self.frames = 0;
        core::mem::take(&mut self.octets)
    }

    /// Whether one more may wait.
    pub(super) fn has_room(&self, frame: &Vec<u8>, limits: &CacheLimits) -> bool {
        self.frames < limits.all_queued_frames.max(1)
            && self.octets + frame.capacity() + FRAME <= limits.queued_octets
    }

    /// Whose frames are to go where there is no room for one more: of `waiting`, neighbours and since when they are asked
    /// for, the first, if that has been long enough.
    pub(super) fn displaced<A>(
        &mut self,
        now: Instant,
        waiting: impl Iterator<Item = (A, Instant)>,
    ) -> Option<A> {
        if now < self.crowded {
            return None;
        }
        let (first, since) = waiting.min_by_key(|(_, since)| *since)?;
        self.crowded = since + UNDISTURBED;
        (self.crowded <= now).then_some(first)
    }

    /// Adds a frame, for which there is room, to those of one neighbour; returns how many of these had
    /// to go, the oldest first.
    pub(super) fn push(
        &mut self,
        queue: &mut VecDeque<Vec<u8>>,
        frame: Vec<u8>,
        limits: &CacheLimits,
    ) -> usize {
        let mut dropped = 0;
        while queue.len() >= limits.queued_frames.max(1)
            && let Some(oldest) = queue.pop_front()
        {
            dropped += 1;
            self.octets -= oldest.capacity() + FRAME;
        }
        self.octets += frame.capacity() + FRAME;
        self.frames = self.frames + 1 - dropped;
        queue.push_back(frame);
        dropped
    }

    /// The frames of one neighbour no longer wait.
    pub(super) fn remove(&mut self, queue: &VecDeque<Vec<u8>>) {
        self.frames -= queue.len();
        self.octets -= queue
            .iter()
            .map(|frame| frame.capacity() + FRAME)
            .sum::<usize>();
    }
}
