//! Tasks that sleep, each in a slot of its own.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pub struct Slots {
    slots: Vec<Slot>,
    asleep: Cell<usize>,
    woken: Cell<u64>,
}

#[derive(Default)]
struct Slot {
    signal: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Slots {
    /// For tasks, which have to be `'static`.
    pub fn leak(count: usize) -> &'static Self {
        Box::leak(Box::new(Self {
            slots: (0..count).map(|_| Slot::default()).collect(),
            asleep: Cell::new(0),
            woken: Cell::new(0),
        }))
    }

    /// How many have gone to sleep for the first time.
    pub fn asleep(&self) -> usize {
        self.asleep.get()
    }

    /// How often one has been woken and run.
    pub fn woken(&self) -> u64 {
        self.woken.get()
    }

    pub fn wake(&self, index: usize) {
        let slot = &self.slots[index];
        slot.signal.set(true);
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    }

    /// Sleeps until the slot is woken, counts, and sleeps again, for ever.
    pub fn sleep_and_count(&'static self, index: usize) -> impl Future<Output = ()> + 'static {
        Sleeper {
            slots: self,
            slot: &self.slots[index],
        }
    }
}

struct Sleeper {
    slots: &'static Slots,
    slot: &'static Slot,
}

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.slot.signal.replace(false) {
            self.slots.woken.set(self.slots.woken.get() + 1);
        } else {
            self.slots.asleep.set(self.slots.asleep.get() + 1);
        }
        self.slot.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}
