//! The functions of C for sockets.

mod control;
mod messages;
mod names;

use core::ffi::{c_int, c_void};
use std::net::Shutdown;

use libc::{
    AF_UNIX, EAGAIN, EALREADY, EINPROGRESS, EINVAL, EOPNOTSUPP, O_NONBLOCK, O_RDWR, SOCK_CLOEXEC,
    SOCK_NONBLOCK, sockaddr, socklen_t,
};

use super::address::{Address, LONGEST};
use super::{internet, start, unix};
use crate::descriptors::blocking::{self, Manner};
use crate::descriptors::calls::{to_read, to_write};
use crate::descriptors::open::Description;
use crate::descriptors::process;
use crate::error::{Errno, Result, fail};
use crate::ffi::{bytes, bytes_mut, nothing, number, place};

/// The kind of a socket, apart from what is said with it.
fn split(kind: c_int) -> (c_int, c_int, bool) {
    let flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    let mode = O_RDWR
        | if kind & SOCK_NONBLOCK != 0 {
            O_NONBLOCK
        } else {
            0
        };
    (kind & !flags, mode, kind & SOCK_CLOEXEC != 0)
}

#[unsafe(no_mangle)]
extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    number(|| {
        let (kind, mode, closes_on_exec) = split(kind);
        let socket = match domain {
            AF_UNIX => unix::socket(kind, protocol)?,
            _ => internet(&start::network(), domain, kind, protocol)?,
        };
        process::add(socket, mode, closes_on_exec)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn socketpair(
    domain: c_int,
    kind: c_int,
    protocol: c_int,
    ends: *mut [c_int; 2],
) -> c_int {
    nothing(|| {
        let (kind, mode, closes_on_exec) = split(kind);
        if domain != AF_UNIX {
            return fail(EOPNOTSUPP);
        }
        let ends = place(ends)?;
        let pair = unix::pair(kind, protocol)?;
        let made = process::add_both(pair, [mode; 2], closes_on_exec)?;
        // SAFETY: the caller gives a place for two numbers.
        unsafe { ends.write(made) };
        Ok(())
    })
}

/// # Safety
///
/// `size` octets are readable at `address`, or it is null.
unsafe fn read_address(address: *const sockaddr, size: socklen_t) -> Result<Address> {
    if size > 0 {
        place(address.cast_mut())?;
    }
    // SAFETY: the caller's promise is the same.
    Address::read(unsafe { bytes(address.cast(), size as usize) })
}

/// Copies an address, as much as there is room for, and tells how long it is.
///
/// # Safety
///
/// As many octets as `size` says are writable at `place`; or both are null.
unsafe fn write_address(address: &Address, place: *mut sockaddr, size: *mut socklen_t) {
    if place.is_null() || size.is_null() {
        return;
    }
    let mut octets = [0; LONGEST];
    let length = address.write(&mut octets);
    // SAFETY: the caller's promise is the same.
    unsafe {
        let room = bytes_mut(place.cast(), length.min(size.read() as usize));
        room.copy_from_slice(&octets[..room.len()]);
        size.write(length as socklen_t);
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bind(fd: c_int, address: *const sockaddr, size: socklen_t) -> c_int {
    nothing(|| {
        let open = process::open(fd)?;
        let socket = open.description().as_socket()?;
        // SAFETY: the caller gives an address of this size.
        socket.bind(&unsafe { read_address(address, size)? })
    })
}

#[unsafe(no_mangle)]
extern "C" fn listen(fd: c_int, backlog: c_int) -> c_int {
    nothing(|| {
        process::open(fd)?
            .description()
            .as_socket()?
            .listen(backlog)
    })
}

fn accept_next(fd: c_int, flags: c_int) -> Result<(c_int, Address)> {
    if flags & !(SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return fail(EINVAL);
    }
    let (_, mode, closes_on_exec) = split(flags);
    let open = process::open(fd)?;
    let manner = Manner {
        what: "a connection",
        ..to_read(&open)
    };
    let accept = |listener: &dyn Description| {
        // A connection for which there is no descriptor stays where it is.
        process::with(|process| process.table.check())?;
        listener.as_socket()?.accept()
    };
    let (accepted, peer) = blocking::call(&open, manner, accept)?;
    Ok((process::add(accepted, mode, closes_on_exec)?, peer))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn accept4(
    fd: c_int,
    address: *mut sockaddr,
    size: *mut socklen_t,
    flags: c_int,
) -> c_int {
    number(|| {
        if !address.is_null() {
            place(size)?;
        }
        let (accepted, peer) = accept_next(fd, flags)?;
        // SAFETY: the caller gives a place of that size, or null.
        unsafe { write_address(&peer, address, size) };
        Ok(accepted)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn accept(fd: c_int, address: *mut sockaddr, size: *mut socklen_t) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { accept4(fd, address, size, 0) }
}

fn connect_to(fd: c_int, address: &Address) -> Result<()> {
    let open = process::open(fd)?;
    let manner = Manner {
        what: "a connection to be made",
        ..to_write(&open)
    };
    match open.description().as_socket()?.connect(address) {
        // Also where a handler of signals has ended a call that waited.
        Err(Errno(EINPROGRESS | EALREADY)) if manner.waits => {}
        // A Unix socket's listener has no place for it: it is asked again.
        Err(Errno::AGAIN) if manner.waits => {
            return blocking::call(&open, manner, |socket| socket.as_socket()?.connect(address));
        }
        result => return result,
    }
    let outcome = blocking::call(&open, manner, |socket| socket.as_socket()?.connected());
    match outcome {
        Err(Errno(EAGAIN)) => fail(EINPROGRESS),
        outcome => outcome,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn connect(fd: c_int, address: *const sockaddr, size: socklen_t) -> c_int {
    nothing(|| {
        // SAFETY: the caller gives an address of this size.
        connect_to(fd, &unsafe { read_address(address, size)? })
    })
}

#[unsafe(no_mangle)]
extern "C" fn shutdown(fd: c_int, how: c_int) -> c_int {
    nothing(|| {
        let how = match how {
            libc::SHUT_RD => Shutdown::Read,
            libc::SHUT_WR => Shutdown::Write,
            libc::SHUT_RDWR => Shutdown::Both,
            _ => return fail(EINVAL),
        };
        process::open(fd)?.description().as_socket()?.shutdown(how)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getsockname(fd: c_int, address: *mut sockaddr, size: *mut socklen_t) -> c_int {
    nothing(|| {
        let local = process::open(fd)?.description().as_socket()?.local()?;
        let (address, size) = (place(address)?, place(size)?);
        // SAFETY: the caller gives a place of that size, or null.
        unsafe { write_address(&local, address, size) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getpeername(fd: c_int, address: *mut sockaddr, size: *mut socklen_t) -> c_int {
    nothing(|| {
        let peer = process::open(fd)?.description().as_socket()?.peer()?;
        let (address, size) = (place(address)?, place(size)?);
        // SAFETY: the caller gives a place of that size, or null.
        unsafe { write_address(&peer, address, size) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    size: socklen_t,
) -> c_int {
    nothing(|| {
        // SAFETY: the caller gives a value of this size.
        let value = unsafe { bytes(value, size as usize) };
        let open = process::open(fd)?;
        let socket = open.description().as_socket()?;
        socket.set_option(level, name, value)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    size: *mut socklen_t,
) -> c_int {
    nothing(|| {
        let open = process::open(fd)?;
        let octets = open
            .description()
            .as_socket()?
            .option(level, name)?
            .octets();
        let (value, size) = (place(value)?, place(size)?);
        // SAFETY: the caller gives a place of the size that `size` says.
        unsafe {
            let room = bytes_mut(value, octets.len().min(size.read() as usize));
            room.copy_from_slice(&octets[..room.len()]);
            size.write(room.len() as socklen_t);
        }
        Ok(())
    })
}
