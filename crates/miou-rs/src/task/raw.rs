//! The task's memory, and the functions that know its types.

use core::cell::{Cell, UnsafeCell};
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, offset_of};
use core::panic::Location;
use core::pin::Pin;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Poll};

use super::awaiter::Awaiter;
use super::inbox::WakeFlag;
use super::outcome::{Aborted, Panic, drop_quietly, guarded};
use crate::scheduler::Shared;

/// The address of a task.
pub(crate) type TaskRef = NonNull<Header>;

/// The bits of [`Header::flags`], set and cleared by the owner's thread alone.
pub(crate) mod flag {
    /// It is in a run queue. Set by a wake, cleared when taken out.
    pub(crate) const SCHEDULED: u16 = 1;
    /// Its future is being polled or dropped, further up the stack.
    pub(crate) const RUNNING: u16 = 1 << 1;
    /// Its future exists. Set by spawning, cleared when the outcome is known.
    pub(crate) const ALIVE: u16 = 1 << 2;
    /// Its promise exists.
    pub(crate) const PROMISE: u16 = 1 << 3;
    /// It was cancelled while running: its future is dropped after that poll.
    pub(crate) const CANCELLED: u16 = 1 << 4;
    /// It waits in the list of futures to be dropped.
    pub(crate) const DOOMED: u16 = 1 << 5;
    /// The stage holds the value, which nobody has taken.
    pub(crate) const VALUE: u16 = 1 << 6;
    /// The stage holds the panic, which nobody has taken.
    pub(crate) const PANIC: u16 = 1 << 7;
    /// The outcome was taken.
    pub(crate) const TAKEN: u16 = 1 << 8;
    /// The scheduler keeps a name for it (or a span).
    pub(crate) const NAMED: u16 = 1 << 9;
    /// It hands events on: every wake puts it in the event lane.
    pub(crate) const DRIVER: u16 = 1 << 11;
    /// The scheduler has ended: the references are all in `remote_refs`.
    pub(crate) const SEVERED: u16 = 1 << 10;

    /// While one of these is set the memory stays.
    pub(crate) const PINS: u16 = SCHEDULED | RUNNING | ALIVE | PROMISE | DOOMED;
}

/// What is known of a task whatever its type. See the [module](super) for who
/// may touch what.
pub(crate) struct Header {
    pub(crate) vtable: &'static VTable,
    pub(crate) shared: *const Shared,
    pub(crate) location: &'static Location<'static>,
    pub(crate) awaiter: Awaiter,
    pub(crate) next: Cell<Option<TaskRef>>,
    pub(crate) previous: Cell<Option<TaskRef>>,
    pub(crate) local_refs: Cell<u32>,
    pub(crate) remote_refs: AtomicU32,
    pub(crate) flags: Cell<u16>,
    pub(crate) remote_woken: WakeFlag,
}

impl Header {
    pub(crate) fn has(&self, flags: u16) -> bool {
        self.flags.get() & flags != 0
    }

    pub(crate) fn set(&self, flags: u16) {
        self.flags.set(self.flags.get() | flags);
    }

    pub(crate) fn clear(&self, flags: u16) {
        self.flags.set(self.flags.get() & !flags);
    }

    /// Whether nothing refers to the task any more (owner).
    pub(crate) fn is_unreferenced(&self) -> bool {
        !self.has(flag::PINS)
            && self
                .local_refs
                .get()
                // Acquire: pairs with the release of the last remote decrement
                // or clone, so that its thread is done with this memory.
                .wrapping_add(self.remote_refs.load(Ordering::Acquire))
                == 0
    }
}

/// The functions that know the future's type.
pub(crate) struct VTable {
    /// Polls the future. When it ends, by a value or a panic, drops it, stores
    /// the outcome, sets `VALUE` or `PANIC` and returns `true`.
    pub(crate) poll: unsafe fn(TaskRef, &mut Context<'_>) -> bool,
    /// Drops the future; sets `PANIC` if that panicked.
    pub(crate) drop_future: unsafe fn(TaskRef),
    /// Drops the value.
    pub(crate) drop_value: unsafe fn(TaskRef),
    /// Gives the memory back; the stage is empty.
    pub(crate) deallocate: unsafe fn(TaskRef),
    /// Where the stage lies from the task's address, in bytes.
    pub(crate) stage: usize,
}

#[repr(C)]
struct RawTask<F: Future> {
    // First, so that the address of the task is the address of its header.
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

/// What the flags say: the future (`ALIVE`), its value (`VALUE`), its panic
/// (`PANIC`) or nothing. That it was cancelled is the absence of all three.
// C: the three lie at the union's own address.
#[repr(C)]
union Stage<F: Future> {
    future: ManuallyDrop<F>,
    value: ManuallyDrop<F::Output>,
    panic: ManuallyDrop<Panic>,
}

struct Typed<F>(PhantomData<F>);

impl<F: Future> Typed<F> {
    const VTABLE: &'static VTable = &VTable {
        poll: Self::poll,
        drop_future: Self::drop_future,
        drop_value: Self::drop_value,
        deallocate: Self::deallocate,
        stage: offset_of!(RawTask<F>, stage),
    };

    /// # Safety
    ///
    /// `task` was made by `allocate::<F>` and is still there.
    unsafe fn stage(task: TaskRef) -> *mut Stage<F> {
        let task = task.cast::<RawTask<F>>().as_ptr();
        // SAFETY: the address of a task is that of its `RawTask`, by `repr(C)`
        // and the contract.
        UnsafeCell::raw_get(unsafe { &raw const (*task).stage })
    }

    unsafe fn poll(task: TaskRef, context: &mut Context<'_>) -> bool {
        // SAFETY: the caller polls a task that is `ALIVE` and sets `RUNNING`,
        // so the stage holds the future, which nobody else touches meanwhile;
        // it never moves until it is dropped in place.
        let polled = guarded(|| unsafe {
            let future = &mut (*Self::stage(task)).future;
            Pin::new_unchecked(&mut **future).poll(context)
        });
        let outcome = match polled {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(panic) => Err(panic),
        };
        // SAFETY: as above; it is not polled again, as the caller clears
        // `ALIVE` when this returns `true`.
        let dropped = guarded(|| unsafe { ManuallyDrop::drop(&mut (*Self::stage(task)).future) });
        let outcome = match (outcome, dropped) {
            (Ok(value), Ok(())) => Ok(value),
            (Ok(value), Err(panic)) => {
                drop_quietly(value);
                Err(panic)
            }
            (Err(panic), Ok(())) => Err(panic),
            (Err(panic), Err(second)) => {
                drop_quietly(second);
                Err(panic)
            }
        };
        // SAFETY: the future is gone, so the stage is empty; the header is a
        // shared reference to `Cell`s and atomics.
        unsafe {
            match outcome {
                Ok(value) => {
                    (*Self::stage(task)).value = ManuallyDrop::new(value);
                    task.as_ref().set(flag::VALUE);
                }
                Err(panic) => Self::store_panic(task, panic),
            }
        }
        true
    }

    unsafe fn drop_future(task: TaskRef) {
        // SAFETY: the caller has a task that is `ALIVE`, sets `RUNNING`, and
        // clears `ALIVE` afterwards.
        let dropped = guarded(|| unsafe { ManuallyDrop::drop(&mut (*Self::stage(task)).future) });
        if let Err(panic) = dropped {
            // SAFETY: the future is gone, so the stage is empty.
            unsafe { Self::store_panic(task, panic) }
        }
    }

    /// # Safety
    ///
    /// The stage is empty.
    unsafe fn store_panic(task: TaskRef, panic: Panic) {
        // SAFETY: as the caller says.
        unsafe {
            (*Self::stage(task)).panic = ManuallyDrop::new(panic);
            task.as_ref().set(flag::PANIC);
        }
    }

    unsafe fn drop_value(task: TaskRef) {
        // SAFETY: the caller has a task whose `VALUE` is set, and clears it.
        unsafe { ManuallyDrop::drop(&mut (*Self::stage(task)).value) }
    }

    unsafe fn deallocate(task: TaskRef) {
        // SAFETY: `allocate` boxed it as a `RawTask<F>`, and the caller has the
        // last reference. The stage, a union in a cell, drops nothing.
        drop(unsafe { Box::from_raw(task.cast::<RawTask<F>>().as_ptr()) });
    }
}

/// A new task, `ALIVE` and with a promise, that refers to no other.
pub(crate) fn allocate<F: Future>(
    future: F,
    shared: *const Shared,
    location: &'static Location<'static>,
) -> TaskRef {
    let task = Box::new(RawTask {
        header: Header {
            vtable: Typed::<F>::VTABLE,
            shared,
            location,
            awaiter: Awaiter::none(),
            next: Cell::new(None),
            previous: Cell::new(None),
            local_refs: Cell::new(0),
            remote_refs: AtomicU32::new(0),
            flags: Cell::new(flag::ALIVE | flag::PROMISE),
            remote_woken: WakeFlag::new(),
        },
        stage: UnsafeCell::new(Stage {
            future: ManuallyDrop::new(future),
        }),
    });
    // SAFETY: a box is not null.
    unsafe { NonNull::new_unchecked(Box::into_raw(task)) }.cast()
}

/// Takes the outcome of a task that is no longer `ALIVE`.
///
/// # Safety
///
/// `task` is there, was spawned with a future whose output is `T`, and the
/// caller is on its thread.
///
/// # Panics
///
/// If it was taken before.
pub(crate) unsafe fn take_outcome<T>(task: TaskRef) -> Result<T, Aborted> {
    // SAFETY: by contract; shared reference to `Cell`s and atomics.
    let header = unsafe { task.as_ref() };
    assert!(
        !header.has(flag::TAKEN),
        "a promise was polled after it had given its result"
    );
    header.set(flag::TAKEN);
    if header.has(flag::VALUE) {
        header.clear(flag::VALUE);
        // SAFETY: `VALUE` was set, so the stage holds a `T`, which is moved
        // out once, as the flag is now clear.
        Ok(unsafe { stage_of(task).cast::<T>().read() })
    } else {
        // SAFETY: by contract.
        match unsafe { take_panic(task) } {
            Some(panic) => Err(Aborted::Panicked(panic)),
            None => Err(Aborted::Cancelled),
        }
    }
}

/// Drops an outcome that nobody took.
///
/// # Safety
///
/// `task` is there, no longer `ALIVE`, and the caller is on its thread.
pub(crate) unsafe fn drop_outcome(task: TaskRef) {
    // SAFETY: by contract.
    let header = unsafe { task.as_ref() };
    header.set(flag::TAKEN);
    if header.has(flag::VALUE) {
        header.clear(flag::VALUE);
        // SAFETY: `VALUE` was set, and is cleared before the destructor can
        // come back here.
        unsafe { (header.vtable.drop_value)(task) }
    } else {
        // SAFETY: by contract.
        drop(unsafe { take_panic(task) });
    }
}

/// Takes the panic out of the stage, if that is what it holds.
///
/// # Safety
///
/// `task` is there and the caller is on its thread.
unsafe fn take_panic(task: TaskRef) -> Option<Panic> {
    // SAFETY: by contract.
    let header = unsafe { task.as_ref() };
    if !header.has(flag::PANIC) {
        return None;
    }
    header.clear(flag::PANIC);
    // SAFETY: `PANIC` was set, so the stage holds a `Panic`, which is moved
    // out once, as the flag is now clear.
    Some(unsafe { stage_of(task).cast::<Panic>().read() })
}

/// The address of the stage, and by `repr(C)` of whatever is in it.
///
/// # Safety
///
/// `task` is there.
unsafe fn stage_of(task: TaskRef) -> *mut u8 {
    // SAFETY: the offset is that of a field of this very allocation.
    unsafe { task.as_ptr().cast::<u8>().add(task.as_ref().vtable.stage) }
}
