//! Tasks that wait for the ends of flushes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ptr;
use std::task::Waker;

use solo5_ffi::Handle;

/// Who waits, and for which device.
#[derive(Default)]
pub(crate) struct Flushes {
    waiting: RefCell<Vec<(Handle, Wakers)>>,
    /// Those to wake at the next look: the end is told once, and was told to somebody else.
    due: RefCell<Vec<Waker>>,
}

/// Wakers in the order in which they came, each once.
#[derive(Default)]
struct Wakers {
    wakers: Vec<Waker>,
    /// What [`Waker::will_wake`] compares, as many may wait: of those that are kept, as only these stay what they are.
    known: BTreeSet<[usize; 2]>,
}

impl Wakers {
    fn add(&mut self, waker: &Waker) {
        if !self.known.contains(&identity(waker)) {
            let kept = waker.clone();
            self.known.insert(identity(&kept));
            self.wakers.push(kept);
        }
    }
}

fn identity(waker: &Waker) -> [usize; 2] {
    [waker.data().addr(), ptr::from_ref(waker.vtable()).addr()]
}

impl Flushes {
    /// Has `waker` woken, once, when a flush of the device has ended.
    pub(crate) fn wake_at_end(&self, device: Handle, waker: &Waker) {
        let mut waiting = self.waiting.borrow_mut();
        match waiting.iter_mut().find(|(of, _)| *of == device) {
            Some((_, wakers)) => wakers.add(waker),
            None => {
                let mut wakers = Wakers::default();
                wakers.add(waker);
                waiting.push((device, wakers));
            }
        }
    }

    /// A flush of the device has ended, and that was told.
    pub(crate) fn end(&self, device: Handle) {
        let mut waiting = self.waiting.borrow_mut();
        if let Some(index) = waiting.iter().position(|(of, _)| *of == device) {
            let (_, ended) = waiting.swap_remove(index);
            self.due.borrow_mut().extend(ended.wakers);
        }
    }

    /// The devices for which somebody waits.
    pub(crate) fn awaited(&self) -> Vec<Handle> {
        let waiting = self.waiting.borrow();
        waiting.iter().map(|(device, _)| *device).collect()
    }

    /// Wakes those who are due, and those whose device it is; their number.
    pub(crate) fn wake(&self, has_ended: impl Fn(Handle) -> bool) -> usize {
        let mut woken = self.due.take();
        self.waiting.borrow_mut().retain_mut(|(device, wakers)| {
            let ended = has_ended(*device);
            if ended {
                woken.append(&mut wakers.wakers);
            }
            !ended
        });
        let count = woken.len();
        woken.into_iter().for_each(Waker::wake);
        count
    }
}
