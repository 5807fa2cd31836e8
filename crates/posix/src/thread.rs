//! Threads: each is a stack that a task of the scheduler's goes on with whenever it is polled.
//!
//! ```text
//!   the scheduler's stack                      the thread's stack
//!   Body::poll ── Thread::resume ── switch ──> where it waits: polls what it waits for,
//!   Pending <──────────────────── switch ──── Thread::suspend, unless that is ready
//! ```
//!
//! While a thread runs code of the program, thread-local variables are its own; while it runs code of this crate's below
//! [`scheduler::inside`](crate::scheduler::inside), and so whenever it is suspended, they are the scheduler's.

use core::cell::{Cell, OnceCell};
use core::ffi::{c_int, c_void};
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll, Waker};

use miou_rs::{Promise, TaskInfo};

use crate::machine::{self, LibcState};
use crate::memory::stacks;
use crate::pthread::keys::Values;
use crate::signals::{self, OfThread};
use crate::stack::{self, SLACK, Stack, switch};
use crate::{parking, report, scheduler, slice};

/// The longest name of a thread, as Linux has it.
pub(crate) const NAME: usize = 15;
/// What a stack has beyond what is asked for: for the code of an operating system, which has a stack of its own elsewhere.
const OWN: usize = 32 << 10;
/// What must be free beside a new thread, so that its task and what it says can be had.
const RESERVE: usize = 64 << 10;

global! {
    /// The thread that runs, or whose stack a poll goes on with.
    static CURRENT: Cell<*const Thread> = Cell::new(ptr::null());
    /// Where the scheduler goes on when that is suspended.
    static SCHEDULER: Cell<*mut u8> = Cell::new(ptr::null_mut());
    /// All threads, the newest first.
    static THREADS: Cell<*const Thread> = Cell::new(ptr::null());
    /// The number of the next one.
    static NEXT: Cell<c_int> = Cell::new(1);
}

/// A thread. It stays at its address until it has ended and somebody has joined or detached it.
pub(crate) struct Thread {
    /// What Linux calls its tid: 1 is `main`.
    pub(crate) number: c_int,
    pub(crate) stack: Stack,
    /// The allocation that holds this, the stack and the block of variables, and its size; null and 0 for `main`.
    memory: *mut u8,
    size: usize,
    pointer: usize,
    libc: Cell<LibcState>,
    /// Whether thread-local variables are the scheduler's.
    inside: Cell<bool>,
    suspended: Cell<*mut u8>,
    /// Its task's.
    waker: OnceCell<Waker>,
    promise: Cell<Option<Promise<()>>>,
    start: Cell<Option<Start>>,
    pub(crate) name: Cell<[u8; NAME]>,
    /// What it waits for, and where that is in memory or which thread it is.
    pub(crate) waits: Cell<Option<(&'static str, usize)>>,
    pub(crate) values: Values,
    pub(crate) signals: OfThread,
    pub(crate) ended: Cell<bool>,
    pub(crate) detached: Cell<bool>,
    pub(crate) result: Cell<*mut c_void>,
    /// Whether it was reported for not waiting.
    pub(crate) reported: Cell<bool>,
    older: Cell<*const Self>,
    newer: Cell<*const Self>,
}

/// What a thread calls.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    pub(crate) function: extern "C" fn(*mut c_void) -> *mut c_void,
    pub(crate) argument: *mut c_void,
}

/// The thread that runs; none in a task.
pub(crate) fn current() -> Option<&'static Thread> {
    // SAFETY: a thread that runs or is about to is there, and stays as long as it does.
    unsafe { CURRENT.with(Cell::get).as_ref() }
}

/// Whether a task is one of a thread.
pub(crate) fn is_body(task: &TaskInfo) -> bool {
    task.location.file() == file!() || task.name.as_deref() == Some("main")
}

/// Makes a thread, detached or not, that calls `start` when its turn comes; `None` if there is no memory for it.
pub(crate) fn spawn(stack_size: usize, start: Start, detached: bool) -> Option<&'static Thread> {
    let thread = Thread::new(stack_size, start)?;
    thread.detached.set(detached);
    if let Some(parent) = current() {
        thread.signals.blocked.set(parent.signals.blocked.get());
    }
    scheduler::inside(|| {
        let promise = miou_rs::spawn(Body(NonNull::from(thread)));
        thread.promise.set(Some(promise));
    });
    Some(thread)
}

impl Thread {
    fn record(
        stack: Stack,
        (memory, size): (*mut u8, usize),
        pointer: usize,
        start: Option<Start>,
    ) -> Self {
        let number = NEXT.with(|next| next.replace(next.get().wrapping_add(1).max(1)));
        Self {
            number,
            stack,
            memory,
            size,
            pointer,
            libc: Cell::new(LibcState::NEW),
            inside: Cell::new(true),
            suspended: Cell::new(ptr::null_mut()),
            waker: OnceCell::new(),
            promise: Cell::new(None),
            start: Cell::new(start),
            name: Cell::default(),
            waits: Cell::new(None),
            values: Values::new(),
            signals: OfThread::default(),
            ended: Cell::new(false),
            detached: Cell::new(false),
            result: Cell::new(ptr::null_mut()),
            reported: Cell::new(false),
            older: Cell::new(ptr::null()),
            newer: Cell::new(ptr::null()),
        }
    }

    /// A thread with a stack of its own, which has not begun.
    pub(crate) fn new(stack_size: usize, start: Start) -> Option<&'static Self> {
        const ALIGN: usize = 64;
        let stack_size = stack_size
            .checked_add(OWN)?
            .checked_next_multiple_of(ALIGN)?;
        let block = stack_size.checked_add(SLACK)?;
        let record = block.checked_add(machine::block_size().next_multiple_of(ALIGN))?;
        let size = record.checked_add(size_of::<Self>())?;
        let memory = scheduler::inside(|| Self::memory(size, block))?;
        // SAFETY: the block lies in the allocation, is zeroed, and stays until the thread has ended; the stack is the part
        // below it, of 32 KiB at least behind the slack.
        let (stack, pointer) = unsafe {
            let stack = Stack::new(memory, stack_size);
            (stack, machine::new_pointer(memory.add(block)))
        };
        // SAFETY: the record's place is aligned, in the allocation, and nobody else's.
        let thread = unsafe {
            let place = memory.add(record).cast::<Self>();
            place.write(Self::record(stack, (memory, size), pointer, Some(start)));
            &*place
        };
        let argument = ptr::from_ref(thread).cast_mut().cast();
        // SAFETY: nothing has run on the stack.
        thread
            .suspended
            .set(unsafe { thread.stack.start(run, argument) });
        thread.enlist();
        Some(thread)
    }

    /// Memory that is neither used nor what the network counts on.
    fn memory(size: usize, block: usize) -> Option<*mut u8> {
        if !stacks::take(size) {
            return None;
        }
        let memory = stack::allocate(size, block, RESERVE);
        if memory.is_none() {
            stacks::give_back(size);
        }
        memory
    }

    /// The thread that runs already, on a stack that ends with memory that faults. It goes on by [`Thread::begin`].
    #[cfg(solo5)]
    pub(crate) fn main(stack: Stack) -> &'static Self {
        let pointer = machine::current_pointer();
        let record = Self::record(stack, (ptr::null_mut(), 0), pointer, None);
        record.name.set(*b"main\0\0\0\0\0\0\0\0\0\0\0");
        let thread = Box::leak(Box::new(record));
        thread.enlist();
        thread
    }

    /// Leaves the stack in use, which is this thread's, for that of the scheduler, which will poll its body.
    ///
    /// # Safety
    ///
    /// `scheduler` comes from [`Stack::start`].
    #[cfg(solo5)]
    pub(crate) unsafe fn begin(&self, scheduler: *mut u8) {
        scheduler::enter(&self.libc);
        // SAFETY: the caller's promise is the same.
        unsafe { switch(self.suspended.as_ptr(), scheduler) };
        self.leave();
    }

    fn enlist(&self) {
        let older = THREADS.with(|threads| threads.replace(self));
        self.older.set(older);
        // SAFETY: who is in the list is there.
        if let Some(older) = unsafe { older.as_ref() } {
            older.newer.set(self);
        }
    }

    /// Gives the memory back of a thread that has ended.
    ///
    /// # Safety
    ///
    /// Nobody refers to it any more; it is not `main`. Thread-local variables are the scheduler's.
    pub(crate) unsafe fn free(this: *const Self) {
        // SAFETY: see above; the neighbours in the list are there. The record lies in its memory, and is read before.
        unsafe {
            let [older, newer] = [(*this).older.get(), (*this).newer.get()];
            match newer.as_ref() {
                Some(newer) => newer.older.set(older),
                None => THREADS.with(|threads| threads.set(older)),
            }
            if let Some(older) = older.as_ref() {
                older.newer.set(newer);
            }
            let (memory, size) = ((*this).memory, (*this).size);
            ptr::drop_in_place(this.cast_mut());
            libc::free(memory.cast());
            stacks::give_back(size);
        }
    }

    /// Goes on with the thread until it waits or ends.
    pub(crate) fn resume(&self) {
        let before = CURRENT.with(|current| current.replace(self));
        report::runs(self.number);
        slice::begin();
        let scheduler = SCHEDULER.with(Cell::as_ptr);
        // SAFETY: the thread is suspended, as it is not the one that runs. The place for the scheduler is a static, and in a
        // test one of the thread that all of this happens on.
        unsafe { switch(scheduler, self.suspended.get()) };
        slice::end();
        CURRENT.with(|current| current.set(before));
        self.look_for_overflow(self.suspended.get());
    }

    /// Ends the program if the thread has written beyond its stack, on which it is, or was suspended, at `pointer`.
    pub(crate) fn look_for_overflow(&self, pointer: *mut u8) {
        if self.stack.has_overflown(pointer) {
            report::overflow(Some(self), &self.stack);
        }
    }

    /// Goes back to the scheduler until it resumes this thread, which runs.
    pub(crate) fn suspend(&self) {
        let scheduler = SCHEDULER.with(Cell::get);
        // SAFETY: it was suspended by `resume`, once for this call.
        unsafe { switch(self.suspended.as_ptr(), scheduler) };
    }

    /// Wakes the thread's task: for the thread itself, which has begun.
    pub(crate) fn waker(&self) -> &Waker {
        self.waker.get().unwrap_or(Waker::noop())
    }

    /// Has thread-local variables be the scheduler's; false if they are already.
    pub(crate) fn enter(&self) -> bool {
        if self.inside.replace(true) {
            return false;
        }
        // Before what may lie below the stack is used.
        self.look_for_overflow(stack::pointer());
        scheduler::enter(&self.libc);
        true
    }

    /// Whether thread-local variables are the scheduler's.
    pub(crate) fn inside(&self) -> bool {
        self.inside.get()
    }

    /// Has thread-local variables be the thread's own.
    pub(crate) fn leave(&self) {
        self.inside.set(false);
        scheduler::leave(&self.libc, self.pointer);
    }

    /// Puts the thread back in the run queue. Thread-local variables are the scheduler's.
    pub(crate) fn wake(&self) {
        self.waker().wake_by_ref();
    }

    /// Ends the thread, which runs, with this result.
    pub(crate) fn exit(&self, result: *mut c_void) -> ! {
        self.look_for_overflow(stack::pointer());
        machine::end_thread_locals();
        self.values.end();
        self.result.set(result);
        self.enter();
        self.ended.set(true);
        loop {
            self.suspend();
        }
    }

    /// What the thread is called, for people.
    pub(crate) fn name(&self) -> String {
        let name = self.name.get();
        String::from_utf8_lossy(until_zero(&name)).into_owned()
    }

    /// All threads, the newest first. None may be made or end meanwhile.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        let first = THREADS.with(Cell::get);
        // SAFETY: who is in the list is there.
        core::iter::successors(unsafe { first.as_ref() }, |thread| unsafe {
            thread.older.get().as_ref()
        })
    }
}

/// A name as C has it, without what follows it.
pub(crate) fn until_zero(name: &[u8; NAME]) -> &[u8] {
    let length = name.iter().position(|&byte| byte == 0).unwrap_or(NAME);
    &name[..length]
}

/// The first function on a thread's stack.
unsafe extern "C" fn run(thread: *mut c_void) -> ! {
    // SAFETY: `Thread::new` gave the address of the record.
    let thread = unsafe { &*thread.cast::<Thread>() };
    thread.leave();
    // Those that were sent to it before it began.
    signals::deliver(thread);
    let result = match thread.start.take() {
        Some(Start { function, argument }) => function(argument),
        None => ptr::null_mut(),
    };
    thread.exit(result)
}

/// What a thread is to the scheduler: its task.
pub(crate) struct Body(pub(crate) NonNull<Thread>);

impl Future for Body {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the thread has not ended, or this would not be polled.
        let thread = unsafe { self.0.as_ref() };
        thread.waker.get_or_init(|| context.waker().clone());
        thread.resume();
        if !thread.ended.get() {
            return Poll::Pending;
        }
        // The task ends in any case: this gives up what it leaves.
        drop(thread.promise.take());
        parking::unpark(thread.ended.as_ptr().addr(), usize::MAX, u32::MAX);
        if thread.detached.get() {
            // SAFETY: it is not suspended any more, and nobody may join it. (`main` is never detached.)
            unsafe { Thread::free(self.0.as_ptr()) };
        }
        Poll::Ready(())
    }
}
