//! What is ready, and who waits for it.
//!
//! Each description says by [`Events`] what it is ready for now, and has a [`Queue`] that is woken when that changes, with
//! the events that have come: as Linux' wait queues, so that `epoll` tells of edges when Linux does.

pub(crate) mod epoll;
pub(crate) mod poll;
pub(crate) mod queue;
pub(crate) mod select;

/// Flags as `epoll` and `poll` have them, whose numbers are the same.
pub(crate) type Events = u32;

pub(crate) const IN: Events = libc::EPOLLIN as Events;
pub(crate) const OUT: Events = libc::EPOLLOUT as Events;
pub(crate) const ERR: Events = libc::EPOLLERR as Events;
pub(crate) const HUP: Events = libc::EPOLLHUP as Events;
pub(crate) const RDHUP: Events = libc::EPOLLRDHUP as Events;
/// There is something to read.
pub(crate) const READ: Events = IN | libc::EPOLLRDNORM as Events;
/// There is room to write.
pub(crate) const WRITE: Events = OUT | libc::EPOLLWRNORM as Events;
/// Everything may have changed.
pub(crate) const ALL: Events = 0;
