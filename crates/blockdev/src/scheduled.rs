//! Scheduled access: tasks share a device, and whoever waits for it lets the others run.
//!
//! A [`Queue`] takes requests from any number of tasks, does them in an order that suits the device,
//! and not too much at once:
//!
//! ```
//! # use core::future::Future;
//! # use core::pin::pin;
//! # use core::task::{Context, Poll, Waker};
//! use blockdev::MemoryDevice;
//! use blockdev::scheduled::Queue;
//!
//! # fn block_on<T>(future: impl Future<Output = T>) -> T {
//! #     let mut future = pin!(future);
//! #     loop {
//! #         if let Poll::Ready(it) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
//! #             return it;
//! #         }
//! #     }
//! # }
//! # block_on(async {
//! let disk = Queue::new(MemoryDevice::new(512, 64)?);
//! disk.write(510, b"across".to_vec()).await?;
//! disk.flush().await?; // now it is durable
//! assert_eq!(disk.read(510, 6).await?, b"across");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What runs it
//!
//! Nothing needs to be spawned, and any executor will do. The first poll of a request submits it;
//! each further one does a slice of whatever is queued ([`Config::slice`]), whosever it is, and wakes
//! its own task if the request is still not done. So as long as anyone polls, all that is queued
//! goes on; a request that nobody polls any more keeps no other from being done. A flush that the
//! device goes on with by itself ([`SectorDevice::begin_flush`](crate::SectorDevice::begin_flush)) lets
//! its task sleep until it has ended, and other requests be done meanwhile; those that ask for one after
//! it has begun share the next.
//!
//! # Order
//!
//! Requests are submitted by their first poll. Where two of them overlap and one of them writes or
//! discards, they are done in the order in which they were submitted: a read sees every write before
//! it and none after it. Apart from that the order is that of the device, upwards and then again from
//! the lowest (C-SCAN); requests that follow each other there become one transfer; and one that has
//! been overtaken by too much goes first ([`Config::patience`]).
//!
//! # Failures
//!
//! A request fails if one of its own blocks does. When the device fails a transfer that was made of
//! several requests, each is tried again by itself. Errors are behind an [`Arc`], as flushes share
//! them.
//!
//! # Cancellation
//!
//! A request whose future is dropped is taken back; all buffers belong to the queue. A write has then
//! happened as far as it had come: its blocks are written in ascending order, each of them whole, so
//! what has changed is none of it, all of it, or a beginning of it that ends where a block does. A
//! write that lies in one block, or is whole blocks and no larger than the device's `max_transfer`
//! and than [`Config::slice`], is one transfer: it has happened or it has not.

mod active;
#[cfg(feature = "futures-io")]
mod async_cursor;
mod config;
mod elevator;
mod pending;
mod queue;
mod request;
mod state;
mod transfer;

use alloc::sync::Arc;

#[cfg(feature = "futures-io")]
pub use async_cursor::AsyncCursor;
pub use config::Config;
pub use queue::Queue;

/// Why a request was not done; `E` is the device's own error.
pub type Error<E> = crate::Error<Arc<E>>;
