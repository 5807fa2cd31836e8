//! A task: a header, and the future or its outcome, in a block of memory that
//! says what it has in common with others.
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
