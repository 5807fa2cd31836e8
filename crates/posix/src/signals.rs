//! Signals: those that the program sends to itself, and the end that the host asks for, which is SIGTERM or SIGINT to the tender.
//!
//! A handler runs on the thread that a signal is for: at once if that is the one that runs, or else when it goes on, as which it
//! is woken. Where one waits for descriptors, its call then fails with `EINTR` as on Linux.

use core::cell::Cell;
use core::ffi::c_int;
use core::task::Poll;

use libc::{
    EINTR, EINVAL, SA_NODEFER, SA_RESETHAND, SA_RESTART, SA_SIGINFO, SIG_DFL, SIG_IGN, SIGBUS,
    SIGCHLD, SIGCONT, SIGINT, SIGKILL, SIGSEGV, SIGSTOP, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU,
    SIGURG, SIGWINCH,
};
use miou_rs::Instant;

use crate::descriptors::blocking::pending_unless;
use crate::error::{Errno, Result, fail};
use crate::report;
use crate::scheduler::inside;
use crate::thread::{self, Thread};
use crate::wait::{wait, wait_until};

pub(crate) mod descriptor;
#[cfg(solo5)]
pub(crate) mod symbols;

/// Signals are numbered from 1 on.
const MOST: c_int = 64;

/// A set of them: bit *n* - 1 for signal *n*.
pub(crate) type Set = u64;

/// What is done about a signal: by whom, whether and how, and what is blocked meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) handler: usize,
    pub(crate) flags: c_int,
    pub(crate) mask: Set,
}

impl Action {
    fn is_handled(self) -> bool {
        !matches!(self.handler, SIG_DFL | SIG_IGN)
    }
}

/// What there is of signals for one thread.
#[derive(Default)]
pub(crate) struct OfThread {
    pub(crate) blocked: Cell<Set>,
    pending: Cell<Set>,
    /// Those of [`await_one`], for as long as that waits: what is to be done about others is done when it has ended.
    awaited: Cell<Set>,
    /// How many handlers have run; and of these, how many have no call go on that waited.
    pub(crate) handled: Cell<u32>,
    pub(crate) interrupted: Cell<u32>,
}

const DEFAULT: Action = Action {
    handler: SIG_DFL,
    flags: 0,
    mask: 0,
};

global! {
    static ACTIONS: [Cell<Action>; MOST as usize] = [const { Cell::new(DEFAULT) }; MOST as usize];
    /// Those that were sent to the program when every thread had them blocked: for the first that has not any more.
    static PENDING: Cell<Set> = Cell::new(0);
    /// Those that [`expect`] was told of.
    static AWAITED: Cell<Set> = Cell::new(0);
    /// Whether the host's wish is waited for.
    static LISTENS: Cell<bool> = Cell::new(false);
}

fn bit(signal: c_int) -> Set {
    1 << (signal - 1)
}

fn action(signal: c_int) -> Action {
    ACTIONS.with(|actions| actions[signal as usize - 1].get())
}

fn set_action(signal: c_int, action: Action) {
    ACTIONS.with(|actions| actions[signal as usize - 1].set(action));
}

/// # Errors
///
/// `EINVAL` if there is no such signal.
fn check(signal: c_int) -> Result<()> {
    match signal {
        1..=MOST => Ok(()),
        _ => fail(EINVAL),
    }
}

/// What is done about a signal so far, and from now on if there is something new.
///
/// # Errors
///
/// `EINVAL` if nothing can be done about it.
pub(crate) fn exchange(signal: c_int, new: Option<Action>) -> Result<Action> {
    check(signal)?;
    let old = action(signal);
    if let Some(new) = new {
        if matches!(signal, SIGKILL | SIGSTOP) {
            return fail(EINVAL);
        }
        set_action(signal, new);
        if new.is_handled() && matches!(signal, SIGTERM | SIGINT) {
            listen();
        }
    }
    // std would have handlers for these, on stacks of their own: faults are the tender's to report.
    match (signal, old.handler) {
        (SIGSEGV | SIGBUS, SIG_DFL) => Ok(Action {
            handler: SIG_IGN,
            ..old
        }),
        _ => Ok(old),
    }
}

/// Of a set, those that can be blocked.
fn blockable(set: Set) -> Set {
    set & !(bit(SIGKILL) | bit(SIGSTOP))
}

/// Calls `work`, and while it waits has these signals blocked, and no others. Those that it lets through are taken where
/// `work` says so, by [`Interruption::take`]: none when there is something else to tell.
pub(crate) fn with_blocked<T>(set: Option<Set>, work: impl FnOnce() -> T) -> T {
    let (Some(set), Some(thread)) = (set, thread::current()) else {
        return work();
    };
    let blocked = &thread.signals.blocked;
    let before = blocked.replace(blockable(set));
    let result = work();
    blocked.set(before);
    deliver(thread);
    result
}

/// Sets which signals the thread that runs has blocked; those before.
///
/// # Errors
///
/// `EINVAL` if `how` is unknown.
pub(crate) fn mask(how: c_int, set: Option<Set>) -> Result<Set> {
    let Some(thread) = thread::current() else {
        return Ok(0);
    };
    let blocked = &thread.signals.blocked;
    let old = blocked.get();
    let new = match (how, set) {
        (_, None) => old,
        (libc::SIG_BLOCK, Some(set)) => old | set,
        (libc::SIG_UNBLOCK, Some(set)) => old & !set,
        (libc::SIG_SETMASK, Some(set)) => set,
        _ => return fail(EINVAL),
    };
    blocked.set(blockable(new));
    deliver(thread);
    Ok(old)
}

/// Sends a signal to a thread; 0 only looks whether that can be.
///
/// # Errors
///
/// `EINVAL` if there is no such signal.
pub(crate) fn send(thread: &Thread, signal: c_int) -> Result<()> {
    if signal == 0 {
        return Ok(());
    }
    check(signal)?;
    let pending = &thread.signals.pending;
    pending.set(pending.get() | bit(signal));
    match thread::current() {
        Some(current) if core::ptr::eq(current, thread) => deliver(thread),
        _ => inside(|| thread.wake()),
    }
    descriptor::has_come(bit(signal));
    Ok(())
}

/// Sends a signal to the program: to the thread that runs or, if that has it blocked, to the oldest that has not. If
/// all have, it waits for whoever takes it first.
///
/// # Errors
///
/// `EINVAL` if there is no such signal.
pub(crate) fn send_to_program(signal: c_int) -> Result<()> {
    if signal == 0 {
        return Ok(());
    }
    check(signal)?;
    let bit = bit(signal);
    let takes = |thread: &&Thread| !thread.ended.get() && thread.signals.blocked.get() & bit == 0;
    let current = thread::current().filter(takes);
    if let Some(thread) = current.or_else(|| Thread::all().filter(takes).last()) {
        return send(thread, signal);
    }
    PENDING.with(|pending| pending.set(pending.get() | bit));
    for thread in Thread::all().filter(|thread| thread.signals.awaited.get() & bit != 0) {
        inside(|| thread.wake());
    }
    descriptor::has_come(bit);
    Ok(())
}

/// Takes one of `set` that waits: those that were sent to the thread before those to the program, and the lowest first.
fn take(thread: &Thread, set: Set) -> Option<c_int> {
    let take_of = |pending: &Cell<Set>| {
        let ready = pending.get() & set;
        let signal = ready.trailing_zeros() as c_int + 1;
        (ready != 0).then(|| {
            pending.set(pending.get() & !bit(signal));
            signal
        })
    };
    take_of(&thread.signals.pending).or_else(|| PENDING.with(take_of))
}

/// Those that wait for the thread that runs, or for any.
pub(crate) fn pending() -> Set {
    let own = thread::current().map_or(0, |thread| thread.signals.pending.get());
    own | PENDING.with(Cell::get)
}

/// Does what is to be done about the signals that wait for this thread, which runs.
pub(crate) fn deliver(thread: &Thread) {
    if thread.signals.awaited.get() != 0 {
        return;
    }
    while let Some(signal) = take(thread, !thread.signals.blocked.get()) {
        act(thread, signal);
    }
}

/// Waits until a handler has run, and first has those run that are due.
pub(crate) fn pause() {
    let interruption = Interruption::by_all();
    if interruption.take().is_ok() {
        let _ = wait("a signal", |_| pending_unless::<()>(interruption));
    }
}

/// Signals may be taken in place of a handler.
fn expect(set: Set) {
    AWAITED.with(|awaited| awaited.set(awaited.get() | set));
    if set & (bit(SIGTERM) | bit(SIGINT)) != 0 {
        listen();
    }
}

/// Whether a signal waits that has a handler, and which the thread has not blocked; does what is to be done about others.
fn is_for_handler(thread: &Thread) -> bool {
    let signals = &thread.signals;
    while let Some(signal) = take(thread, !signals.blocked.get()) {
        if action(signal).is_handled() {
            signals.pending.set(signals.pending.get() | bit(signal));
            return true;
        }
        act(thread, signal);
    }
    false
}

/// Takes one of `set` that waits, or the first that comes until `deadline`, instead of what would be done about it.
///
/// # Errors
///
/// `EAGAIN` when that has passed, `EINTR` if a handler of another signal is to run, which has run when this returns.
pub(crate) fn await_one(set: Set, deadline: Option<Instant>) -> Result<c_int> {
    let set = blockable(set);
    expect(set);
    let Some(thread) = thread::current() else {
        let never = wait_until("a signal", deadline, |_| Poll::<Result<c_int>>::Pending);
        return never.unwrap_or(Err(Errno::AGAIN));
    };
    let OfThread {
        blocked, awaited, ..
    } = &thread.signals;
    // Also those that are not, which no handler has then, as on Linux.
    let before = blocked.replace(blocked.get() | set);
    awaited.set(set);
    let outcome = match take(thread, set) {
        Some(signal) => Ok(signal),
        None => wait_until("a signal", deadline, |_| match take(thread, set) {
            Some(signal) => Poll::Ready(Ok(signal)),
            None if is_for_handler(thread) => Poll::Ready(fail(EINTR)),
            None => Poll::Pending,
        })
        .unwrap_or(Err(Errno::AGAIN)),
    };
    // A handler of another signal has those blocked that the thread has, and not those that were waited for.
    awaited.set(0);
    blocked.set(before);
    deliver(thread);
    outcome
}

/// Does it where the thread goes back to the program, if there was a wait that did not.
pub(crate) fn catch_up() {
    if let Some(thread) = thread::current()
        && !thread.inside()
    {
        deliver(thread);
    }
}

fn act(thread: &Thread, signal: c_int) {
    let action = action(signal);
    match action.handler {
        SIG_IGN => {}
        SIG_DFL => act_by_default(signal),
        _ => handle(thread, signal, action),
    }
}

/// There is nobody who could let the program go on again if it stopped.
fn act_by_default(signal: c_int) {
    match signal {
        SIGCHLD | SIGURG | SIGWINCH | SIGCONT => {}
        SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU => {}
        _ => {
            report::print(&format!("posix: ended by signal {signal}\n"));
            // SAFETY: it takes any number. As by a shell's count, and without what `exit` does.
            unsafe { libc::_exit(128 + signal) }
        }
    }
}

/// Calls a handler, with thread-local variables that are the thread's.
fn handle(thread: &Thread, signal: c_int, action: Action) {
    let Action {
        handler,
        flags,
        mask,
    } = action;
    if flags & SA_RESETHAND != 0 {
        set_action(signal, DEFAULT);
    }
    let own = if flags & SA_NODEFER == 0 {
        bit(signal)
    } else {
        0
    };
    let OfThread {
        blocked,
        handled,
        interrupted,
        ..
    } = &thread.signals;
    let before = blocked.replace(blocked.get() | mask | own);
    let was_inside = thread.inside();
    if was_inside {
        thread.leave();
    }
    // SAFETY: whoever set the action gave a function of this type, by its flags.
    unsafe { call(handler, flags & SA_SIGINFO != 0, signal) };
    if was_inside {
        thread.enter();
    }
    blocked.set(before);
    handled.set(handled.get().wrapping_add(1));
    if flags & SA_RESTART == 0 {
        interrupted.set(interrupted.get().wrapping_add(1));
    }
}

/// # Safety
///
/// `handler` is the address of a function that takes a signal, or a signal and what is known of it.
unsafe fn call(handler: usize, with_information: bool, signal: c_int) {
    use core::ffi::c_void;
    use core::mem::transmute;

    let handler = core::ptr::with_exposed_provenance::<()>(handler);
    if !with_information {
        // SAFETY: the caller's promise is the same.
        let handler = unsafe { transmute::<*const (), extern "C" fn(c_int)>(handler) };
        return handler(signal);
    }
    let mut information = information(signal);
    // SAFETY: the caller's promise is the same.
    let handler = unsafe {
        transmute::<*const (), extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void)>(handler)
    };
    handler(signal, &raw mut information, core::ptr::null_mut());
}

/// What is known of a signal: its number, and that the program itself has sent it (`SI_USER`).
fn information(signal: c_int) -> libc::siginfo_t {
    let mut octets = [0_u8; size_of::<libc::siginfo_t>()];
    octets[..4].copy_from_slice(&signal.to_ne_bytes());
    // `si_pid`, behind `si_code` and what aligns a pointer.
    octets[16..20].copy_from_slice(&std::process::id().to_ne_bytes());
    // SAFETY: of the same size; any octets are a valid value of the structure.
    unsafe { core::mem::transmute(octets) }
}

/// What a thread that waits remembers, to see that a handler has run meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Interruption {
    before: u32,
    /// Only a handler that has no call go on.
    is_strict: bool,
}

impl Interruption {
    /// For calls that end with whatever handler.
    pub(crate) fn by_all() -> Self {
        Self::new(false)
    }

    /// For calls that go on where the handler's action says so (`SA_RESTART`).
    pub(crate) fn unless_restarted() -> Self {
        Self::new(true)
    }

    fn new(is_strict: bool) -> Self {
        let before = Self::count(is_strict);
        Self { before, is_strict }
    }

    fn count(is_strict: bool) -> u32 {
        thread::current().map_or(0, |thread| match is_strict {
            true => thread.signals.interrupted.get(),
            false => thread.signals.handled.get(),
        })
    }

    /// Runs the handlers that are due, as they may be where a call has changed what is blocked.
    ///
    /// # Errors
    ///
    /// `EINTR` if there was one.
    pub(crate) fn take(self) -> Result<()> {
        if let Some(thread) = thread::current() {
            deliver(thread);
        }
        self.check()
    }

    /// # Errors
    ///
    /// `EINTR` if there was one.
    pub(crate) fn check(self) -> Result<()> {
        match Self::count(self.is_strict) == self.before {
            true => Ok(()),
            false => Err(Errno(EINTR)),
        }
    }
}

/// From now on the host's wish that the program end is a signal to it, if the platform tells of it.
fn listen() {
    if !LISTENS.with(|listens| listens.replace(true)) {
        await_wish();
    }
}

#[cfg(solo5)]
fn await_wish() {
    let Some(end) = crate::scheduler::platform().shutdown() else {
        return;
    };
    inside(|| {
        let listening = miou_rs::spawn(async move {
            end.await;
            wish();
        });
        // For as long as the program runs.
        core::mem::forget(listening);
    });
}

/// In a test there is no host.
#[cfg(not(solo5))]
fn await_wish() {}

/// The host asks for the end: as SIGTERM, or as SIGINT where that alone has a handler or is waited for.
fn wish() {
    let is_wanted = |signal| {
        let is_awaited = AWAITED.with(Cell::get) & bit(signal) != 0;
        is_awaited || action(signal).is_handled()
    };
    let signal = match is_wanted(SIGTERM) || !is_wanted(SIGINT) {
        true => SIGTERM,
        false => SIGINT,
    };
    // There is such a signal.
    let _ = send_to_program(signal);
}

#[cfg(test)]
mod tests;
