//! Threads that wait at an address until another one wakes who waits there: what locks, condition variables, futexes and
//! joins are made of. Nothing here allocates.

use core::cell::Cell;
use core::marker::PhantomPinned;
use core::pin::{Pin, pin};
use core::ptr;
use core::task::Poll;

use miou_rs::Instant;

use crate::scheduler::inside;
use crate::thread::{self, Thread};
use crate::wait::wait_for_until;

/// All of a mask of [`park`].
pub(crate) const ALL: u32 = u32::MAX;

const BUCKETS: usize = 256;

/// Those who wait at addresses of one hash, the longest first.
struct Bucket {
    first: Cell<*const Waiter>,
    last: Cell<*const Waiter>,
}

global! {
    static TABLE: [Bucket; BUCKETS] = [const {
        Bucket {
            first: Cell::new(ptr::null()),
            last: Cell::new(ptr::null()),
        }
    }; BUCKETS];
}

/// A thread that waits: on its own stack, and in the list of a bucket from [`Waiter::insert`] on until `address` is 0.
struct Waiter {
    thread: &'static Thread,
    address: Cell<usize>,
    mask: u32,
    previous: Cell<*const Waiter>,
    next: Cell<*const Waiter>,
    _pinned: PhantomPinned,
}

/// Has the thread wait at `address`, which is not 0, until it is woken with one of the bits of `mask`, or until `deadline`:
/// whether it was woken. `what` is for reports.
pub(crate) fn park(
    what: &'static str,
    address: usize,
    mask: u32,
    deadline: Option<Instant>,
) -> bool {
    let Some(thread) = thread::current() else {
        // Nobody could wake it.
        return wait_for_until((what, address), deadline, |_| Poll::<()>::Pending).is_some();
    };
    let waiter = pin!(Waiter {
        thread,
        address: Cell::new(address),
        mask,
        previous: Cell::new(ptr::null()),
        next: Cell::new(ptr::null()),
        _pinned: PhantomPinned,
    });
    let waiter = waiter.into_ref();
    waiter.insert();
    wait_for_until((what, address), deadline, |_| match waiter.address.get() {
        0 => Poll::Ready(()),
        _ => Poll::Pending,
    })
    .is_some()
}

/// Wakes up to `count` of those who wait at `address` with a bit of `mask`, the longest first; their number.
pub(crate) fn unpark(address: usize, count: usize, mask: u32) -> usize {
    let Some(first) = find(address, mask).filter(|_| count > 0) else {
        return 0;
    };
    inside(|| {
        let (mut next, mut woken) = (Some(first), 0);
        while let Some(waiter) = next {
            waiter.remove();
            waiter.thread.wake();
            woken += 1;
            next = find(address, mask).filter(|_| woken < count);
        }
        woken
    })
}

/// Has up to `count` of those who wait at `from` wait at `to`; their number.
pub(crate) fn requeue(from: usize, count: usize, to: usize) -> usize {
    let mut moved = 0;
    while moved < count && from != to {
        let Some(waiter) = find(from, ALL) else {
            break;
        };
        waiter.remove();
        waiter.address.set(to);
        waiter.insert();
        moved += 1;
    }
    moved
}

/// Calls `f` with the bucket of an address.
fn bucket<R>(address: usize, f: impl FnOnce(&Bucket) -> R) -> R {
    // Fibonacci hashing: what is used of a product are its highest bits.
    let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BUCKETS.ilog2());
    TABLE.with(|table| f(&table[hash as usize]))
}

/// Who waits longest at `address` with a bit of `mask`. To be used before anything else runs.
fn find(address: usize, mask: u32) -> Option<Pin<&'static Waiter>> {
    let mut next = bucket(address, |bucket| bucket.first.get());
    // SAFETY: who is in the list is there, and stays where it is, until it is taken out.
    while let Some(waiter) = unsafe { next.as_ref() } {
        if waiter.address.get() == address && waiter.mask & mask != 0 {
            // SAFETY: see above.
            return Some(unsafe { Pin::new_unchecked(waiter) });
        }
        next = waiter.next.get();
    }
    None
}

impl Waiter {
    fn insert(self: Pin<&Self>) {
        let this = self.get_ref();
        bucket(this.address.get(), |bucket| {
            let last = bucket.last.replace(this);
            this.previous.set(last);
            this.next.set(ptr::null());
            // SAFETY: who is in the list is there.
            match unsafe { last.as_ref() } {
                Some(last) => last.next.set(this),
                None => bucket.first.set(this),
            }
        });
    }

    fn remove(&self) {
        bucket(self.address.replace(0), |bucket| {
            let [previous, next] = [self.previous.get(), self.next.get()];
            // SAFETY: who is in the list is there.
            let [before, after] = unsafe { [previous.as_ref(), next.as_ref()] };
            before
                .map_or(&bucket.first, |before| &before.next)
                .set(next);
            after
                .map_or(&bucket.last, |after| &after.previous)
                .set(previous);
        });
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.address.get() != 0 {
            self.remove();
        }
    }
}

#[cfg(test)]
mod tests;
