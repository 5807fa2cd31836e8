//! Wakers of tasks. See the [module](super) for how references are counted.

use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::task::{RawWaker, RawWakerVTable, Waker};
use std::sync::Arc;

use super::shared::Message;
use super::{Header, TaskRef, block};
use crate::scheduler::{self, Local};

// A static, so that it has one address, by which our wakers are recognised.
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// The task that `waker` wakes, if it is a task of this crate.
pub(crate) fn task_of(waker: &Waker) -> Option<TaskRef> {
    if core::ptr::eq(waker.vtable(), &VTABLE) {
        NonNull::new(waker.data().cast_mut().cast::<Header>())
    } else {
        None
    }
}

/// A waker that takes over one reference to `task`.
///
/// # Safety
///
/// The caller has such a reference.
pub(crate) unsafe fn from_task(task: TaskRef) -> Waker {
    // SAFETY: the functions of `VTABLE` keep the contract of `RawWaker`: they
    // are thread-safe, and `clone` and `drop_waker` balance.
    unsafe { Waker::new(task.as_ptr().cast_const().cast(), &VTABLE) }
}

/// A waker for the duration of a poll, which takes no reference: the task is
/// `RUNNING`.
///
/// # Safety
///
/// `task` outlives the value returned.
pub(crate) unsafe fn borrowed(task: TaskRef) -> ManuallyDrop<Waker> {
    // SAFETY: the reference that it would give back is never given back.
    ManuallyDrop::new(unsafe { from_task(task) })
}

/// # Safety
///
/// `data` is that of a waker made by `from_task` that was not dropped.
unsafe fn task_at(data: *const ()) -> TaskRef {
    // SAFETY: it was the address of a task, so it is not null.
    unsafe { NonNull::new_unchecked(data.cast_mut().cast()) }
}

/// Calls `f` with the scheduler of `task`, if it runs on this thread.
///
/// # Safety
///
/// `task` has not been freed.
#[inline]
unsafe fn with_owner<R>(task: TaskRef, f: impl FnOnce(&Local) -> R) -> Option<R> {
    if scheduler::is_polled_here(task) {
        // So its scheduler is the one here.
        return scheduler::try_with(f);
    }
    // SAFETY: by contract; `shared` never changes.
    let shared = unsafe { block::of(task).shared };
    scheduler::with_owner(shared, f)
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the waker exists, so its task does.
    unsafe {
        let task = task_at(data);
        let header = task.as_ref();
        if with_owner(task, |_| header.state.add(&header.remote)).is_none() {
            header.remote.add(1);
        }
    }
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: the waker exists, so its task does, and its reference is ours to
    // give back.
    unsafe {
        let task = task_at(data);
        let here = with_owner(task, |local| {
            local.wake(task);
            drop_local(local, task);
        });
        if here.is_none() {
            let first = task.as_ref().remote.raise();
            let message = if first { Message::Wake } else { Message::Drop };
            send(task, message);
        }
    }
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker exists, so its task does.
    unsafe {
        let task = task_at(data);
        // What `wake_other` would come to: in a poll that yields it counts.
        if scheduler::is_polled_here(task) {
            scheduler::wake_polled();
        } else {
            wake_other(task);
        }
    }
}

/// # Safety
///
/// `task` has not been freed.
#[inline(never)]
unsafe fn wake_other(task: TaskRef) {
    // SAFETY: by contract.
    unsafe {
        let here = with_owner(task, |local| local.wake(task));
        if here.is_none() && task.as_ref().remote.raise() {
            // The message is a reference of its own.
            task.as_ref().remote.add(1);
            send(task, Message::Wake);
        }
    }
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the waker exists, so its task does, and its reference is ours to
    // give back.
    unsafe {
        let task = task_at(data);
        if with_owner(task, |local| drop_local(local, task)).is_none() {
            send(task, Message::Drop);
        }
    }
}

/// Gives one reference back on the owner's thread.
///
/// # Safety
///
/// The caller has it, and `local` is the task's scheduler.
pub(crate) unsafe fn drop_local(local: &Local, task: TaskRef) {
    // SAFETY: by contract.
    unsafe {
        let header = task.as_ref();
        header.state.subtract(&header.remote);
        local.release(task);
    }
}

/// Sends a reference to the task's scheduler, with what to do with it; if that
/// is no more, gives the reference back.
///
/// # Safety
///
/// The caller has that reference.
unsafe fn send(task: TaskRef, message: impl FnOnce(TaskRef) -> Message) {
    // SAFETY: the reference keeps the task, and the task its `Shared`. From
    // the push on the reference is the owner's, and the task may be gone at
    // any time: hence a count on `Shared` of our own.
    let shared = unsafe {
        let shared = block::of(task).shared;
        Arc::increment_strong_count(shared);
        Arc::from_raw(shared)
    };
    if shared.send(message(task)).is_err() {
        // SAFETY: the message was not sent, so the reference is still ours,
        // and the inbox is closed.
        unsafe { drop_severed(task) }
    }
}

/// Gives one reference back after the scheduler's end.
///
/// # Safety
///
/// The caller has it, and the inbox is closed.
pub(crate) unsafe fn drop_severed(task: TaskRef) {
    // SAFETY: by contract. All references are counted in `remote` since before
    // the inbox was closed. Whoever gives back the last one is alone with the
    // task, whose stage is empty and whose block has a count on its `Shared`.
    unsafe {
        if task.as_ref().remote.give_back() {
            block::let_go(task);
        }
    }
}
