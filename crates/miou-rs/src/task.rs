//! A task: a header, and the future or its outcome, in a block of memory that
//! says what it has in common with others.
//!
//! # The life of a task
//!
//! ```text
//!       │ 1                                            not ALIVE:
//!       v         3                    6
//!  ┌> scheduled ─────> running ────────────────> ended ──────> freed
//!  │    ^  │             │ │                       ^      9
//!  │    └──┼───── 5 ─────┘ │ 4                     │
//!  │ 2     │               v                       │
//!  └───────┼────────── waiting ────────────────────┤
//!          └───────────────────────────────────────┘
//!                                      7
//! ```
//!
//! All of these are steps of the scheduler's thread, in
//! [`scheduler`](crate::scheduler); the names are those of [`state::flag`].
//!
//! 1. `spawn`: sets `ALIVE`, `PROMISE`, `SCHEDULED`.
//! 2. `wake`, when a waker is woken here: sets `SCHEDULED`. One that is woken on
//!    another thread sets `WOKEN` in [`RemoteState`](state::RemoteState) and, if
//!    it was not set, sends [`Message::Wake`](shared::Message::Wake); when that
//!    arrives, `WOKEN` is cleared and the task woken here.
//! 3. `poll_task`: `SCHEDULED` gives way to `RUNNING`.
//! 4. The future is pending: clears `RUNNING`.
//! 5. The same, but the task was woken while it was polled: `RUNNING` gives way
//!    to `SCHEDULED`.
//! 6. The future has given a value or panicked. [`raw`] drops it and sets `VALUE`
//!    or `PANIC`; `finish` clears `ALIVE`, wakes the awaiter, clears `RUNNING`.
//! 7. `cancel`: sets `RUNNING`, drops the future, then `finish`. If the task is
//!    running, `CANCELLED` is set and this follows the poll; if too many
//!    cancellations are nested, `DOOMED` is set and this follows the outermost.
//!    One that was scheduled stays in the run queue and keeps `SCHEDULED` until
//!    its turn comes, as nothing is taken out of the middle.
//! 8. (At any time) the promise takes the outcome: sets `TAKEN`, clears `VALUE`
//!    or `PANIC`. Dropping the promise clears `PROMISE`, and cancels what is
//!    `ALIVE`.
//! 9. `release`, whenever a flag of [`PINS`](state::flag::PINS) was cleared or a
//!    waker dropped: frees the task if no such flag is set and the two counts
//!    come to nothing. Its place in a page is then `FREE`.
//!
//! # Who counts the wakers
//!
//! ```text
//!                 state                        remote
//!          (the scheduler's thread)         (any thread)
//!   a clone made here     +1          a clone made elsewhere  +1
//!   one dropped here      -1          one dropped elsewhere: Message::Drop,
//!                                     then as if it was dropped here
//!   state is full:  ──────── half of it moves (spill) ───────>
//!   state is at its lowest: <───── the same ──────────────────
//!   the scheduler ends: ──── all of it moves (sever) ────────>
//!                                     from then on any drop   -1
//! ```
//!
//! # Who may touch what
//!
//! A task belongs to the thread of its scheduler. Everything in the header is
//! for that thread alone, without atomics, but for the word `remote`, which is
//! atomic. That and what the [`Block`](block::Block) says of all its tasks,
//! which does not change while there is one, is all that a waker on another
//! thread needs. A waker learns which side it is on by comparing `shared` with
//! the scheduler that runs on its thread, if any.
//!
//! # What keeps a task's memory
//!
//! The flags [`flag::PINS`](state::flag::PINS) and the wakers. `state` counts
//! the wakers as far as the owner's thread has seen them made and dropped,
//! `remote` the clones made elsewhere; a waker dropped elsewhere is sent home
//! through the [`Inbox`](inbox::Inbox). So the sum is the exact count of wakers,
//! counting those on their way home, whenever the owner looks: a clone that the
//! owner does not see yet was made from a waker that still counts. (Where one
//! count is at its limit, the owner moves a part of it to the other.)
//!
//! When the scheduler ends, the count of each task that somebody still refers
//! to moves into `remote`, the inbox is closed, and from then on every reference
//! is dropped by an atomic decrement of it. The last one of a task takes the
//! task off its page, by another, and the last of these frees the page.

pub(crate) mod arena;
pub(crate) mod awaiter;
pub(crate) mod block;
pub(crate) mod inbox;
pub(crate) mod label;
mod list;
pub(crate) mod outcome;
pub(crate) mod raw;
pub(crate) mod shared;
pub(crate) mod state;
pub(crate) mod waker;

pub(crate) use raw::{Header, TaskRef};
