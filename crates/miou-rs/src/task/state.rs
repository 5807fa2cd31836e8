//! The two words in which a task is counted and marked: one for its own thread,
//! one for all.

use core::cell::Cell;

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, Ordering};

/// The bits of [`State`], set and cleared by the owner's thread alone.
pub(crate) mod flag {
    /// It is in a run queue. Set by a wake, cleared when taken out.
    pub(crate) const SCHEDULED: i32 = 1;
    /// Its future is being polled or dropped, further up the stack.
    pub(crate) const RUNNING: i32 = 1 << 1;
    /// Its future exists. Set by spawning, cleared when the outcome is known.
    pub(crate) const ALIVE: i32 = 1 << 2;
    /// Its promise exists.
    pub(crate) const PROMISE: i32 = 1 << 3;
    /// It was cancelled while running: its future is dropped after that poll.
    pub(crate) const CANCELLED: i32 = 1 << 4;
    /// It waits in the list of futures to be dropped.
    pub(crate) const DOOMED: i32 = 1 << 5;
    /// The stage holds the value, which nobody has taken.
    pub(crate) const VALUE: i32 = 1 << 6;
    /// The stage holds the panic, which nobody has taken.
    pub(crate) const PANIC: i32 = 1 << 7;
    /// The outcome was taken.
    pub(crate) const TAKEN: i32 = 1 << 8;
    /// The scheduler keeps a name for it (or a span).
    pub(crate) const NAMED: i32 = 1 << 9;
    /// It hands events on: every wake puts it in the event lane.
    pub(crate) const DRIVER: i32 = 1 << 10;
    /// It is no task: the place for one, in a page. The count is the offset of
    /// the next such place. Set when a task is freed; a new one writes over it.
    pub(crate) const FREE: i32 = 1 << 11;

    /// While one of these is set the memory stays.
    pub(crate) const PINS: i32 = SCHEDULED | RUNNING | ALIVE | PROMISE | DOOMED;
}

/// The owner's word: the [flags](flag), and above them the count of the wakers
/// that the owner's thread has seen made and dropped. That is below zero when
/// more of the clones made elsewhere were dropped here than clones made here
/// are left.
pub(crate) struct State(Cell<i32>);

const FLAG_BITS: u32 = 12;
/// One waker, in the owner's word.
const ONE: i32 = 1 << FLAG_BITS;
/// How much of the count moves to the other word when it is full: half of what
/// there is room for.
const SPILL: i32 = (i32::MAX >> FLAG_BITS) / 2 + 1;

const _: () = assert!(flag::FREE < ONE);

impl State {
    pub(crate) const fn new(flags: i32) -> Self {
        Self(Cell::new(flags))
    }

    /// The place for a task, with the offset of the next such place.
    pub(crate) const fn free(next: u16) -> Self {
        Self(Cell::new((next as i32 * ONE) | flag::FREE))
    }

    /// The offset given to [`free`](State::free).
    pub(crate) fn next_free(&self) -> u16 {
        (self.0.get() >> FLAG_BITS) as u16
    }

    #[inline]
    pub(crate) fn flags(&self) -> i32 {
        self.0.get() & (ONE - 1)
    }

    /// Whether one of `flags` is set.
    #[inline]
    pub(crate) fn has(&self, flags: i32) -> bool {
        self.0.get() & flags != 0
    }

    #[inline]
    pub(crate) fn set(&self, flags: i32) {
        self.0.set(self.0.get() | flags);
    }

    #[inline]
    pub(crate) fn clear(&self, flags: i32) {
        self.0.set(self.0.get() & !flags);
    }

    /// Clears those of `flags` that are set, and sets the others.
    #[inline]
    pub(crate) fn toggle(&self, flags: i32) {
        self.0.set(self.0.get() ^ flags);
    }

    /// One waker more.
    #[inline]
    pub(crate) fn add(&self, remote: &RemoteState) {
        let sum = self.0.get().checked_add(ONE).unwrap_or_else(|| {
            remote.add(SPILL.unsigned_abs());
            self.0.get() - SPILL * ONE + ONE
        });
        self.0.set(sum);
    }

    /// One waker less.
    #[inline]
    pub(crate) fn subtract(&self, remote: &RemoteState) {
        let difference = self.0.get().checked_sub(ONE).unwrap_or_else(|| {
            // There is at least this one waker, so `remote` counts more of them
            // than are missing here.
            remote.subtract(SPILL.unsigned_abs());
            self.0.get() + SPILL * ONE - ONE
        });
        self.0.set(difference);
    }

    /// Moves the whole count to `remote`, and as many more.
    pub(crate) fn move_to(&self, remote: &RemoteState, more: u32) {
        let count = self.0.get() >> FLAG_BITS;
        self.0.set(self.flags());
        remote.add_signed(count.wrapping_add_unsigned(more));
    }

    /// Whether there is no waker.
    #[inline]
    pub(crate) fn is_unreferenced(&self, remote: &RemoteState) -> bool {
        (self.0.get() >> FLAG_BITS).wrapping_add_unsigned(remote.count()) == 0
    }
}

/// The word for all threads: whether a wake is on its way, whether the task has
/// its block of memory to itself (which never changes), and the count of the
/// clones made elsewhere.
pub(crate) struct RemoteState(AtomicU32);

/// See [`RemoteState::raise`].
const WOKEN: u32 = 1;
const LONE: u32 = 1 << 1;
/// One waker, in the word for all.
const REMOTE_ONE: u32 = 1 << 2;

/// More wakers of one task than this, and the program is aborted, as `Arc`
/// does: their count would overflow otherwise.
const MAX_COUNT: u32 = u32::MAX / REMOTE_ONE / 2;

impl RemoteState {
    pub(crate) fn new(lone: bool) -> Self {
        Self(AtomicU32::new(if lone { LONE } else { 0 }))
    }

    /// Whether the task has its block to itself.
    #[inline]
    pub(crate) fn is_lone(&self) -> bool {
        // Relaxed: written before anybody else could know of the task.
        self.0.load(Ordering::Relaxed) & LONE != 0
    }

    /// How many wakers this counts.
    #[inline]
    pub(crate) fn count(&self) -> u32 {
        // Acquire: pairs with the release of the last decrement elsewhere, so
        // that its thread is done with this memory.
        self.0.load(Ordering::Acquire) / REMOTE_ONE
    }

    /// So many wakers more.
    pub(crate) fn add(&self, count: u32) {
        // Relaxed: a new reference comes from one that stays meanwhile.
        let former = self.0.fetch_add(count * REMOTE_ONE, Ordering::Relaxed);
        if former / REMOTE_ONE > MAX_COUNT {
            std::process::abort();
        }
    }

    /// So many wakers less, which are not the last.
    fn subtract(&self, count: u32) {
        self.0.fetch_sub(count * REMOTE_ONE, Ordering::Release);
    }

    /// Adds what the owner counted, when the scheduler ends.
    fn add_signed(&self, count: i32) {
        // Release: those who give references back afterwards see what the
        // owner left.
        let count = count.cast_unsigned().wrapping_mul(REMOTE_ONE);
        self.0.fetch_add(count, Ordering::AcqRel);
    }

    /// One waker less, after the scheduler's end; `true` if it was the last,
    /// and the caller is alone with the task.
    pub(crate) fn give_back(&self) -> bool {
        // Release: this thread is done with the task before the count falls.
        // Acquire: so were the others.
        self.0.fetch_sub(REMOTE_ONE, Ordering::AcqRel) / REMOTE_ONE == 1
    }

    /// Says (any thread) that the task is to be woken; `true` if a message has
    /// to be sent, `false` if one is on its way.
    pub(crate) fn raise(&self) -> bool {
        // Acquire and release: see `lower`.
        self.0.fetch_or(WOKEN, Ordering::AcqRel) & WOKEN == 0
    }

    /// The message has arrived (owner); what comes after sees all that was done
    /// before any `raise` that sent no message.
    pub(crate) fn lower(&self) {
        self.0.fetch_and(!WOKEN, Ordering::AcqRel);
    }
}

/// How many tasks of a page others still refer to, after the scheduler's end.
pub(crate) struct Survivors(AtomicU32);

impl Survivors {
    pub(crate) fn none() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Sets their number (owner), before any of the references is
    /// [given back](RemoteState::give_back).
    pub(crate) fn set(&self, count: u32) {
        // Relaxed: published by `RemoteState::add_signed`, which follows.
        self.0.store(count, Ordering::Relaxed);
    }

    /// One less; `true` if it was the last, and the caller is alone with the
    /// page.
    pub(crate) fn give_back(&self) -> bool {
        // As in `RemoteState::give_back`.
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Wakers made here beyond what one word holds, then dropped, here and
    /// elsewhere.
    #[test]
    fn the_count_of_wakers_spills_over_in_both_directions() {
        let (state, remote) = (State::new(flag::ALIVE), RemoteState::new(true));
        let most = i32::MAX >> FLAG_BITS;
        for start in [most - 2, -most + 1] {
            state.0.set(start * ONE + flag::ALIVE);
            remote
                .0
                .store((most as u32 * REMOTE_ONE) | LONE, Ordering::Relaxed);
            let total = || (state.0.get() >> FLAG_BITS) + remote.count().cast_signed();
            let before = total();
            for count in 1..=5 {
                state.add(&remote);
                assert_eq!(total(), before + count);
            }
            for count in 1..=10 {
                state.subtract(&remote);
                assert_eq!(total(), before + 5 - count);
            }
            assert_eq!(state.flags(), flag::ALIVE);
            assert!(remote.is_lone());
        }
    }

    #[test]
    fn the_two_counts_make_one() {
        let (state, remote) = (State::new(0), RemoteState::new(false));
        assert!(state.is_unreferenced(&remote));
        // A clone made elsewhere and dropped here.
        remote.add(1);
        assert!(!state.is_unreferenced(&remote));
        state.subtract(&remote);
        assert!(state.is_unreferenced(&remote));
        // Two made here, and all counted there in the end.
        state.add(&remote);
        state.add(&remote);
        state.move_to(&remote, 1);
        assert_eq!(remote.count(), 3);
        assert!(!remote.is_lone());
        assert!(!remote.give_back());
        assert!(!remote.give_back());
        assert!(remote.give_back());
    }

    #[test]
    fn a_free_place_keeps_its_offset() {
        let state = State::free(4088);
        assert_eq!(state.next_free(), 4088);
        assert!(state.has(flag::FREE) && !state.has(flag::PINS));
    }
}
