//! The task's memory, and the functions that know its types.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::panic::Location;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use super::arena::Arena;
use super::awaiter::Awaiter;
use super::block::{self, Places};
use super::outcome::{Aborted, Panic, drop_quietly, guarded};
use super::shared::Shared;
use super::state::{RemoteState, State, flag};

/// The address of a task.
pub(crate) type TaskRef = NonNull<Header>;

/// What is known of a task beside what it has in common with others, which its
/// [`Block`](super::block::Block) says. See the [module](super) for who may
/// touch what.
// C: the stage comes right behind it.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) awaiter: Awaiter,
    pub(crate) state: State,
    pub(crate) remote: RemoteState,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Header>() <= 16);

impl Header {
    #[inline]
    pub(crate) fn has(&self, flags: i32) -> bool {
        self.state.has(flags)
    }

    #[inline]
    pub(crate) fn set(&self, flags: i32) {
        self.state.set(flags);
    }

    #[inline]
    pub(crate) fn clear(&self, flags: i32) {
        self.state.clear(flags);
    }

    /// Whether nothing refers to the task any more (owner).
    #[inline]
    pub(crate) fn is_unreferenced(&self) -> bool {
        !self.has(flag::PINS) && self.state.is_unreferenced(&self.remote)
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
    /// How such tasks lie in memory.
    pub(crate) places: Places,
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
        places: Places::new(Layout::new::<Stage<F>>()),
    };

    /// # Safety
    ///
    /// `task` was made by `allocate::<F>` and has not been freed.
    unsafe fn stage(task: TaskRef) -> *mut Stage<F> {
        // SAFETY: by contract.
        unsafe { stage_of(task).cast() }
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
        unsafe { Self::complete(task, outcome) }
        true
    }

    /// Drops the future, and stores its outcome.
    ///
    /// # Safety
    ///
    /// The stage holds the future, which is `RUNNING`, and not polled again.
    // Not inlined, so that a poll that leaves the future pending saves few
    // registers.
    #[inline(never)]
    unsafe fn complete(task: TaskRef, outcome: Result<F::Output, Panic>) {
        // SAFETY: by contract.
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
}

/// A new task, `ALIVE` and with a promise, with these flags besides, that
/// refers to no other.
#[inline]
pub(crate) fn allocate<F: Future>(
    arena: &Arena,
    future: F,
    shared: *const Shared,
    location: &'static Location<'static>,
    flags: i32,
) -> TaskRef {
    let (task, lone) = arena.reserve(shared, Typed::<F>::VTABLE, location);
    // SAFETY: the place is as large as the kind of task says, and nobody else's.
    unsafe {
        task.write(Header {
            awaiter: Awaiter::none(),
            state: State::new(flag::ALIVE | flag::PROMISE | flags),
            remote: RemoteState::new(lone),
        });
        Typed::<F>::stage(task).write(Stage {
            future: ManuallyDrop::new(future),
        });
    }
    task
}

/// Takes the outcome of a task that is no longer `ALIVE`.
///
/// # Safety
///
/// `task` has not been freed, was spawned with a future whose output is `T`, and
/// the caller is on its thread.
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
/// `task` has not been freed, is no longer `ALIVE`, and the caller is on its
/// thread.
pub(crate) unsafe fn drop_outcome(task: TaskRef) {
    // SAFETY: by contract.
    let header = unsafe { task.as_ref() };
    header.set(flag::TAKEN);
    if header.has(flag::VALUE) {
        header.clear(flag::VALUE);
        // SAFETY: `VALUE` was set, and is cleared before the destructor can
        // come back here.
        unsafe { (block::of(task).vtable.drop_value)(task) }
    } else {
        // SAFETY: by contract.
        drop(unsafe { take_panic(task) });
    }
}

/// Takes the panic out of the stage, if that is what it holds.
///
/// # Safety
///
/// `task` has not been freed, and the caller is on its thread.
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
/// `task` has not been freed.
unsafe fn stage_of(task: TaskRef) -> *mut u8 {
    // SAFETY: the address of a task may be used for its whole block, in which
    // the stage comes right behind the header.
    unsafe { task.add(1).cast().as_ptr() }
}
