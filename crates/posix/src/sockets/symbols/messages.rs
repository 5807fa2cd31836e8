//! What is sent and received.

use core::ffi::{c_int, c_uint, c_void};
use core::{ptr, slice};
use std::io::{IoSlice, IoSliceMut};

use libc::{
    EOPNOTSUPP, MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_WAITFORONE, mmsghdr,
    msghdr, size_t, sockaddr, socklen_t, ssize_t, timespec,
};

use super::{control, read_address, write_address};
use crate::descriptors::blocking::{self, Manner};
use crate::descriptors::calls::{to_read, to_write, write_all};
use crate::descriptors::open::total;
use crate::descriptors::process;
use crate::error::{Errno, Result, fail};
use crate::ffi::{bytes, bytes_mut, gathered, number, octets, place, scattered, value};
use crate::sockets::address::Address;
use crate::sockets::beside::Beside;
use crate::sockets::{Flags, Received, receive_all};
use crate::time::after;

/// Messages of one call, at most: Linux' `UIO_MAXIOV`.
const MOST_MESSAGES: c_uint = 1024;

fn send_all(
    fd: c_int,
    buffers: &mut [IoSlice<'_>],
    flags: c_int,
    to: Option<&Address>,
    mut beside: Beside,
) -> Result<usize> {
    if flags & MSG_OOB != 0 {
        return fail(EOPNOTSUPP);
    }
    let open = process::open(fd)?;
    let socket = open.description().as_socket()?;
    let manner = to_write(&open);
    let waits = manner.waits && flags & MSG_DONTWAIT == 0;
    let manner = Manner { waits, ..manner };
    let mut send = |rest: &[IoSlice<'_>]| {
        blocking::call(&open, manner, |socket| {
            socket.as_socket()?.send(rest, to, &mut beside)
        })
    };
    match socket.is_stream() {
        true => write_all(open.description(), buffers, waits, send),
        false => send(buffers),
    }
}

/// What was received, and whether a part of it was lost.
fn receive(fd: c_int, buffers: &mut [IoSliceMut<'_>], flags: c_int) -> Result<Received> {
    if flags & MSG_OOB != 0 {
        return fail(libc::EINVAL);
    }
    let open = process::open(fd)?;
    let is_stream = open.description().as_socket()?.is_stream();
    let manner = to_read(&open);
    let waits = manner.waits && flags & MSG_DONTWAIT == 0;
    let manner = Manner { waits, ..manner };
    let peek = flags & MSG_PEEK != 0;
    if is_stream && total(buffers) == 0 {
        return Ok(Received::default());
    }
    let receive = |rest: &mut [IoSliceMut<'_>]| {
        blocking::call(&open, manner, |socket| {
            socket.as_socket()?.receive(rest, Flags { peek })
        })
    };
    match is_stream && waits && !peek && flags & MSG_WAITALL != 0 {
        true => receive_all(open.description(), buffers, receive),
        false => receive(buffers),
    }
}

/// What a call gives: with `MSG_TRUNC`, octets of the whole datagram.
fn counted(received: &Received, flags: c_int) -> usize {
    match flags & MSG_TRUNC {
        0 => received.octets,
        _ => received.whole,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn send(fd: c_int, data: *const c_void, size: size_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller gives `size` readable bytes.
    unsafe { sendto(fd, data, size, flags, ptr::null(), 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sendto(
    fd: c_int,
    data: *const c_void,
    size: size_t,
    flags: c_int,
    address: *const sockaddr,
    length: socklen_t,
) -> ssize_t {
    // SAFETY: the caller gives `size` readable bytes.
    let buffer = unsafe { bytes(data, size) };
    octets(|| {
        let to = match address.is_null() {
            true => None,
            // SAFETY: the caller gives an address of this length, or null.
            false => Some(unsafe { read_address(address, length)? }),
        };
        let buffers = &mut [IoSlice::new(buffer)];
        send_all(fd, buffers, flags, to.as_ref(), Beside::default())
    })
}

/// # Safety
///
/// The message has an address or null, and buffers and control messages that can be read.
unsafe fn send_message(fd: c_int, message: &msghdr, flags: c_int) -> Result<usize> {
    // SAFETY: the caller's promises are the same.
    unsafe {
        let to = match message.msg_name.is_null() {
            true => None,
            false => Some(read_address(message.msg_name.cast(), message.msg_namelen)?),
        };
        let mut buffers = gathered(message.msg_iov, message.msg_iovlen)?;
        let beside = control::sent(fd, message)?;
        send_all(fd, &mut buffers, flags, to.as_ref(), beside)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the caller gives a message, or null.
    octets(|| unsafe { send_message(fd, value(message)?, flags) })
}

/// Calls `work` with each of some messages, and notes the octets; how many there were before it failed.
///
/// # Errors
///
/// That of the first. What ends the calls behind others is told by the next, unless it only would have waited.
///
/// # Safety
///
/// There are `number` messages, or null.
unsafe fn each(
    fd: c_int,
    messages: *mut mmsghdr,
    number: c_uint,
    mut work: impl FnMut(&mut msghdr, usize) -> Result<usize>,
) -> Result<c_int> {
    let number = number.min(MOST_MESSAGES) as usize;
    let messages = match number {
        0 => &mut [],
        // SAFETY: the caller's promise is the same.
        _ => unsafe { slice::from_raw_parts_mut(place(messages)?, number) },
    };
    for (done, message) in messages.iter_mut().enumerate() {
        match work(&mut message.msg_hdr, done) {
            Ok(octets) => message.msg_len = octets as c_uint,
            Err(error) if done == 0 => return Err(error),
            Err(error) => {
                if error != Errno::AGAIN {
                    process::open(fd)?.description().keep_error(error);
                }
                return Ok(done as c_int);
            }
        }
    }
    Ok(number as c_int)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sendmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller gives messages, with what can be read.
    number(|| unsafe {
        each(fd, messages, count, |message, _| {
            send_message(fd, message, flags)
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn recv(fd: c_int, data: *mut c_void, size: size_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller gives `size` writable bytes.
    unsafe { recvfrom(fd, data, size, flags, ptr::null_mut(), ptr::null_mut()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn recvfrom(
    fd: c_int,
    data: *mut c_void,
    size: size_t,
    flags: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
) -> ssize_t {
    // SAFETY: the caller gives `size` writable bytes.
    let buffer = unsafe { bytes_mut(data, size) };
    octets(|| {
        let received = receive(fd, &mut [IoSliceMut::new(buffer)], flags)?;
        match &received.from {
            // SAFETY: the caller gives a place of that length, or null.
            Some(from) => unsafe { write_address(from, address, length) },
            // SAFETY: as above.
            None if !length.is_null() => unsafe { length.write(0) },
            None => {}
        }
        Ok(counted(&received, flags))
    })
}

/// # Safety
///
/// The message has a place for an address or null, and buffers and control messages that can be written.
unsafe fn receive_message(fd: c_int, message: &mut msghdr, flags: c_int) -> Result<usize> {
    // SAFETY: the caller's promises are the same.
    unsafe {
        let mut buffers = scattered(message.msg_iov, message.msg_iovlen)?;
        let received = receive(fd, &mut buffers, flags)?;
        match &received.from {
            Some(from) => {
                write_address(from, message.msg_name.cast(), &raw mut message.msg_namelen)
            }
            None => message.msg_namelen = 0,
        }
        let lost = received.whole > received.octets;
        message.msg_flags = if lost { MSG_TRUNC } else { 0 };
        message.msg_flags |= control::received(message, &received, flags);
        Ok(counted(&received, flags))
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the caller gives a message, or null.
    octets(|| unsafe { receive_message(fd, &mut *place(message)?, flags) })
}

/// The time is looked at behind each message, as on Linux: what waits for the next does so for as long as it takes.
#[unsafe(no_mangle)]
unsafe extern "C" fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    time: *mut timespec,
) -> c_int {
    // SAFETY: the caller gives a time, or null.
    let deadline = unsafe { time.as_ref() }.map(after).transpose();
    number(|| {
        let deadline = deadline.map_err(Errno)?;
        let receive = |message: &mut msghdr, done| {
            if done > 0 && deadline.is_some_and(|deadline| deadline <= blocking::now()) {
                return Err(Errno::AGAIN);
            }
            let waits = done == 0 || flags & MSG_WAITFORONE == 0;
            let flags = if waits { flags } else { flags | MSG_DONTWAIT };
            // SAFETY: the caller gives messages, with what can be written.
            unsafe { receive_message(fd, message, flags) }
        };
        // SAFETY: the caller gives that many.
        unsafe { each(fd, messages, count, receive) }
    })
}
