//! What the functions of C do, given what is safe to be given.

use core::ffi::c_int;
use core::task::Poll;
use std::io::{IoSlice, IoSliceMut};
use std::rc::Rc;

use libc::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, EBADF, EFD_CLOEXEC, EFD_NONBLOCK,
    EFD_SEMAPHORE, EINVAL, ENOTTY, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD, F_SETFL,
    FD_CLOEXEC, FIOCLEX, FIONBIO, FIONCLEX, O_APPEND, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_RDWR,
    O_WRONLY, TFD_CLOEXEC, TFD_NONBLOCK, pollfd,
};
use miou_rs::Instant;

use super::blocking::{self, Manner};
use super::event::Event;
use super::open::{Description, Open, total};
use super::pipe;
use super::process;
use super::timer::Timer;
use crate::error::{Errno, Result, fail};
use crate::memory;
use crate::readiness::epoll::{Epoll, Told};
use crate::readiness::poll::{Set, opens};
use crate::readiness::queue::Place;
use crate::readiness::select::{self, Sets};
use crate::readiness::{ERR, HUP, RDHUP, READ, WRITE};
use crate::signals::Interruption;
use crate::wait::give_way;

/// The flags that `fcntl` may set.
const SETTABLE: c_int = O_NONBLOCK | O_APPEND;

/// How a call that reads waits.
pub(crate) fn to_read(open: &Open) -> Manner {
    let limit = open.description().as_socket().ok();
    Manner {
        what: "something to read",
        events: READ | RDHUP | ERR | HUP,
        waits: !open.is_nonblocking(),
        limit: limit.and_then(|socket| socket.limits().0),
    }
}

/// How a call that writes waits.
pub(crate) fn to_write(open: &Open) -> Manner {
    let limit = open.description().as_socket().ok();
    Manner {
        what: "room to write",
        events: WRITE | ERR | HUP,
        waits: !open.is_nonblocking(),
        limit: limit.and_then(|socket| socket.limits().1),
    }
}

pub(crate) fn read(fd: c_int, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
    let open = process::open(fd)?;
    open.check_readable()?;
    if total(buffers) == 0 {
        return Ok(0);
    }
    blocking::call(&open, to_read(&open), |description| {
        description.read(buffers)
    })
}

/// Writes all where it may wait, except to what takes messages.
pub(crate) fn write(fd: c_int, buffers: &mut [IoSlice<'_>]) -> Result<usize> {
    let open = process::open(fd)?;
    open.check_writable()?;
    let manner = to_write(&open);
    write_all(open.description(), buffers, manner.waits, |rest| {
        blocking::call(&open, manner, |description| description.write(rest))
    })
}

/// Calls `write` until all is written if it may wait, or else once. What has been written before an error counts, and the next
/// call tells the error.
pub(crate) fn write_all(
    description: &dyn Description,
    mut rest: &mut [IoSlice<'_>],
    waits: bool,
    mut write: impl FnMut(&[IoSlice<'_>]) -> Result<usize>,
) -> Result<usize> {
    let wanted = total(rest);
    let mut done = 0;
    while done < wanted {
        match write(rest) {
            Ok(octets) => {
                done += octets;
                IoSlice::advance_slices(&mut rest, octets);
                if octets == 0 || !waits {
                    break;
                }
            }
            Err(error) if done > 0 => {
                description.keep_error(error);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

pub(crate) fn close(fd: c_int) -> Result<()> {
    let closed = process::with(|process| process.table.remove(fd))?;
    drop(closed);
    Ok(())
}

pub(crate) fn duplicate(fd: c_int, least: c_int, closes_on_exec: bool) -> Result<c_int> {
    process::with(|process| {
        let open = process.table.open(fd)?;
        process.table.add_from(least, open, closes_on_exec)
    })
}

/// `dup2` and, with `flags`, `dup3`.
pub(crate) fn duplicate_to(fd: c_int, to: c_int, flags: c_int) -> Result<c_int> {
    let former = process::with(|process| {
        let open = process.table.open(fd)?;
        process.table.replace(to, open, flags & O_CLOEXEC != 0)
    })?;
    drop(former);
    Ok(to)
}

pub(crate) fn control(fd: c_int, command: c_int, argument: c_int) -> Result<c_int> {
    match command {
        F_DUPFD | F_DUPFD_CLOEXEC => duplicate(fd, argument, command == F_DUPFD_CLOEXEC),
        F_GETFD => process::with(|process| {
            let closes = process.table.closes_on_exec(fd)?;
            Ok(if closes { FD_CLOEXEC } else { 0 })
        }),
        F_SETFD => set_closes_on_exec(fd, argument & FD_CLOEXEC != 0),
        F_GETFL => Ok(process::open(fd)?.flags()),
        F_SETFL => {
            let open = process::open(fd)?;
            open.set_flags(open.flags() & !SETTABLE | argument & SETTABLE);
            Ok(0)
        }
        _ => {
            process::open(fd)?;
            fail(EINVAL)
        }
    }
}

fn set_closes_on_exec(fd: c_int, on: bool) -> Result<c_int> {
    process::with(|process| process.table.set_closes_on_exec(fd, on))?;
    Ok(0)
}

/// `ioctl` with a number to be read, if the request has one.
pub(crate) fn set_by_ioctl(fd: c_int, request: u64, number: Option<c_int>) -> Result<c_int> {
    let open = process::open(fd)?;
    match (request, number) {
        (FIOCLEX, _) => set_closes_on_exec(fd, true),
        (FIONCLEX, _) => set_closes_on_exec(fd, false),
        (FIONBIO, Some(on)) => {
            open.set_nonblocking(on != 0);
            Ok(0)
        }
        _ => fail(ENOTTY),
    }
}

/// `FIONREAD`.
pub(crate) fn readable(fd: c_int) -> Result<c_int> {
    let octets = process::open(fd)?.description().readable()?;
    Ok(c_int::try_from(octets).unwrap_or(c_int::MAX))
}

pub(crate) fn make_pipe(flags: c_int) -> Result<[c_int; 2]> {
    if flags & !(O_CLOEXEC | O_NONBLOCK | libc::O_DIRECT) != 0 {
        return fail(EINVAL);
    }
    let (reader, writer) = pipe::pipe();
    let modes = [O_RDONLY, O_WRONLY].map(|mode| mode | flags & O_NONBLOCK);
    process::add_both(
        [Rc::new(reader), Rc::new(writer)],
        modes,
        flags & O_CLOEXEC != 0,
    )
}

pub(crate) fn make_event(count: u32, flags: c_int) -> Result<c_int> {
    if flags & !(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE) != 0 {
        return fail(EINVAL);
    }
    let event = Event::new(count.into(), flags & EFD_SEMAPHORE != 0);
    let mode = O_RDWR | flags & EFD_NONBLOCK;
    process::add(Rc::new(event), mode, flags & EFD_CLOEXEC != 0)
}

pub(crate) fn make_timer(clock: c_int, flags: c_int) -> Result<c_int> {
    let is_known = matches!(clock, CLOCK_REALTIME | CLOCK_MONOTONIC | CLOCK_BOOTTIME);
    if !is_known || flags & !(TFD_CLOEXEC | TFD_NONBLOCK) != 0 {
        return fail(EINVAL);
    }
    let timers = process::with(|process| process.timers.get_or_init(Rc::default).clone());
    let timer = Timer::new(&timers, clock);
    let mode = O_RDWR | flags & TFD_NONBLOCK;
    process::add(timer, mode, flags & TFD_CLOEXEC != 0)
}

/// Calls `work` with a timer that is as the clock has it.
pub(crate) fn with_timer<T>(fd: c_int, work: impl FnOnce(&Timer) -> Result<T>) -> Result<T> {
    let open = process::open(fd)?;
    ring_timers();
    open.description().as_timer().map_or(fail(EINVAL), work)
}

/// How long a call may wait for something to be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    None,
    Until(Instant),
    Forever,
}

impl Patience {
    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Until(deadline) => Some(deadline),
            Self::None | Self::Forever => None,
        }
    }
}

pub(crate) fn poll(entries: &mut [pollfd], patience: Patience) -> Result<usize> {
    let opens = process::with(|process| opens(&process.table, entries));
    poll_set(Set::new(&opens, ERR | HUP), entries, patience)
}

/// `select` of the descriptors below `count`; the sets are as they were if it fails.
///
/// # Errors
///
/// `EBADF` if one is not open.
pub(crate) fn select(sets: &mut Sets, count: usize, patience: Patience) -> Result<usize> {
    let mut entries = select::asked(sets, count);
    let opens = process::with(|process| opens(&process.table, &entries));
    if opens.iter().any(Option::is_none) {
        blocking::has_not_waited();
        return fail(EBADF);
    }
    poll_set(Set::new(&opens, 0), &mut entries, patience)?;
    Ok(select::tell(sets, &entries))
}

fn poll_set(mut set: Set<'_>, entries: &mut [pollfd], patience: Patience) -> Result<usize> {
    ring_timers();
    let count = set.look(entries);
    if count > 0 {
        blocking::has_not_waited();
        return Ok(count);
    }
    let interruption = Interruption::by_all();
    interruption.take()?;
    if patience == Patience::None {
        give_way();
        ring_timers();
        return match set.look(entries) {
            0 => interruption.check().map(|()| 0),
            count => Ok(count),
        };
    }
    let outcome = blocking::wait("descriptors", patience.deadline(), |context| {
        match set.poll(context, entries) {
            Poll::Ready(count) => Poll::Ready(Ok(count)),
            Poll::Pending => blocking::pending_unless(interruption),
        }
    });
    outcome.unwrap_or(Ok(0))
}

fn ring_timers() {
    if let Some(timers) = process::with(|process| process.timers.get().cloned())
        && !timers.is_empty()
    {
        timers.ring(blocking::time(blocking::now()));
    }
}

pub(crate) fn make_epoll(flags: c_int) -> Result<c_int> {
    if flags & !libc::EPOLL_CLOEXEC != 0 {
        return fail(EINVAL);
    }
    process::add(Epoll::new(), O_RDWR, flags != 0)
}

pub(crate) fn control_epoll(
    epoll: c_int,
    operation: c_int,
    fd: c_int,
    (events, data): Told,
) -> Result<()> {
    let (epoll, open) = (process::open(epoll)?, process::open(fd)?);
    match epoll.description().as_epoll() {
        Some(epoll) => {
            if operation == libc::EPOLL_CTL_ADD {
                memory::check()?;
            }
            epoll.control(operation, fd, &open, events, data)
        }
        None => fail(EINVAL),
    }
}

/// `epoll_wait` for so many events at most.
pub(crate) fn wait_epoll(fd: c_int, most: usize, patience: Patience) -> Result<Vec<Told>> {
    let open = process::open(fd)?;
    let epoll = open.description().as_epoll().ok_or(Errno(EINVAL))?;
    ring_timers();
    let told = epoll.take(most);
    if !told.is_empty() {
        blocking::has_not_waited();
        return Ok(told);
    }
    let interruption = Interruption::by_all();
    interruption.take()?;
    if patience == Patience::None {
        give_way();
        ring_timers();
        let told = epoll.take(most);
        if told.is_empty() {
            interruption.check()?;
        }
        return Ok(told);
    }
    let queue = open.description().queue().ok_or(Errno(EINVAL))?;
    let mut place = Place::new(queue);
    let outcome = blocking::wait("descriptors of epoll", patience.deadline(), |context| {
        place.wait(READ, context.waker());
        let told = epoll.take(most);
        match told.is_empty() {
            true => blocking::pending_unless(interruption),
            false => Poll::Ready(Ok(told)),
        }
    });
    outcome.unwrap_or_else(|| Ok(Vec::new()))
}
