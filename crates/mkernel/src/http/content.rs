//! What is known of a request's content beside it.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Waker};

use ::http::StatusCode;

use super::peer::Turns;

/// What of a request's content is known to whom has it and to whom answers; nothing where there is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Content(Option<Arc<State>>);

#[derive(Debug, Default)]
struct State {
    /// The status that it has earned, if any.
    status: AtomicU16,
    bits: AtomicU8,
    /// Who waits for it, over HTTP/2.
    reader: Mutex<Option<Waker>>,
    /// How many octets had come over HTTP/2 before what there may be of it, or [`NOTHING`].
    since: AtomicU64,
}

const NOTHING: u64 = u64::MAX;

/// The content of requests of a connection of HTTP/2, where one that does not come is no reason to end all others.
#[derive(Debug, Default)]
pub(super) struct Contents(RefCell<Vec<Weak<State>>>);

/// It is waited for.
const WAITS: u8 = 1;
/// The request is answered, or given up.
const ANSWERED: u8 = 2;
/// The answer is written, or given up.
const DONE: u8 = 4;
/// It was waited for already when it was looked at last.
const SEEN: u8 = 8;
/// It has not come in time.
const LATE: u8 = 16;

impl Contents {
    pub(super) fn enter(&self, content: &Content) {
        let Some(state) = &content.0 else { return };
        let mut states = self.0.borrow_mut();
        if states.len() == states.capacity() {
            states.retain(|state| state.strong_count() > 0);
        }
        states.push(Arc::downgrade(state));
    }

    /// How many octets had come before the oldest content that may be there and is not taken.
    pub(super) fn held_since(&self) -> Option<u64> {
        let states = self.0.borrow();
        let states = states.iter().filter_map(Weak::upgrade);
        let since = states.map(|state| state.since.load(Ordering::Relaxed));
        since.filter(|since| *since != NOTHING).min()
    }

    /// Gives up what is waited for since it was looked at last, or longer.
    pub(super) fn look(&self) {
        let states: Vec<_> = self.0.borrow().iter().filter_map(Weak::upgrade).collect();
        for state in states {
            let bits = state.bits.load(Ordering::Relaxed);
            if bits & WAITS == 0 {
                continue;
            }
            let next = if bits & SEEN == 0 { SEEN } else { LATE };
            state.bits.fetch_or(next, Ordering::Relaxed);
            if next == LATE {
                let reader = state
                    .reader
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                reader.into_iter().for_each(Waker::wake);
            }
        }
    }
}

impl Content {
    /// Of a request that has some.
    pub(super) fn new() -> Self {
        let content = Self(Some(Arc::default()));
        content.hold(None);
        content
    }

    pub(super) fn status(&self) -> Option<StatusCode> {
        let code = self.0.as_ref()?.status.load(Ordering::Relaxed);
        StatusCode::from_u16(code).ok()
    }

    pub(super) fn set(&self, status: StatusCode) {
        if let Some(state) = &self.0 {
            state.status.store(status.as_u16(), Ordering::Relaxed);
        }
    }

    /// Sets `bit`, or takes it away; returns what was set.
    fn set_bit(&self, bit: u8, is_set: bool) -> u8 {
        let Some(state) = &self.0 else { return 0 };
        match is_set {
            true => state.bits.fetch_or(bit, Ordering::Relaxed),
            false => state.bits.fetch_and(!bit, Ordering::Relaxed),
        }
    }

    /// What came after so many octets may be there, or nothing is.
    pub(super) fn hold(&self, since: Option<u64>) {
        if let Some(state) = &self.0 {
            state
                .since
                .store(since.unwrap_or(NOTHING), Ordering::Relaxed);
        }
    }

    /// The request is answered.
    pub(super) fn answer(&self, turns: &Turns) {
        match self.set_bit(ANSWERED, true) & WAITS {
            0 => turns.unanswered.fetch_sub(1, Ordering::Relaxed),
            _ => turns.reading.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// The answer is written.
    pub(super) fn finish(&self, turns: &Turns) {
        if self.set_bit(DONE, true) & WAITS != 0 {
            turns.reading.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether it has not come in time; if not yet, has the reader woken then.
    pub(super) fn is_late(&self, context: &Context<'_>) -> bool {
        let Some(state) = &self.0 else { return false };
        let mut reader = state.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let former = reader.replace(context.waker().clone());
        drop(reader);
        drop(former);
        state.bits.load(Ordering::Relaxed) & LATE != 0
    }

    /// The service waits for content, or does no longer.
    pub(super) fn wait(&self, turns: &Turns, waits: bool) {
        let before = self.set_bit(WAITS, waits);
        self.set_bit(SEEN | LATE, false);
        if waits {
            turns.passed.store(true, Ordering::Relaxed);
        }
        match (before & (ANSWERED | DONE), waits) {
            (0, true) => turns.unanswered.fetch_sub(1, Ordering::Release),
            (0, false) => turns.unanswered.fetch_add(1, Ordering::Relaxed),
            (ANSWERED, true) => turns.reading.fetch_add(1, Ordering::Release),
            (ANSWERED, false) => turns.reading.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}
