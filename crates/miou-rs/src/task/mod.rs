//! A task: one allocation with a header, and the future or its outcome.
//!
//! # Who may touch what
//!
//! A task belongs to the thread of its scheduler. Everything in the header is
//! for that thread alone, without atomics, but for the few fields that a waker
//! on another thread needs: `vtable` and `shared`, which never change, and
//! `remote_refs` and `remote_woken`, which are atomic. A waker learns which
//! side it is on by comparing `shared` with the scheduler that runs on its
//! thread, if any.
//!
//! # What keeps a task's memory
//!
//! The flags [`flag::PINS`] and the wakers. `local_refs` counts the wakers as
//! far as the owner's thread has seen them made and dropped, `remote_refs` the
//! clones made elsewhere; a waker dropped elsewhere is sent home through the
//! [`Inbox`](inbox::Inbox). So `local_refs + remote_refs` is the exact count of
//! wakers, counting those on their way home, whenever the owner looks: a clone
//! that the owner does not see yet was made from a waker that still counts.
//!
//! When the scheduler ends, the count of each task that somebody still refers
//! to moves into `remote_refs`, the inbox is closed, and from then on every
//! reference is dropped by an atomic decrement of it.

pub(crate) mod awaiter;
pub(crate) mod inbox;
pub(crate) mod outcome;
pub(crate) mod raw;
pub(crate) mod waker;

pub(crate) use raw::{Header, TaskRef};
