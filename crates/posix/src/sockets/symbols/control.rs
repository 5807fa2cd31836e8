//! Control messages: descriptors that go from one Unix socket to another.

use core::ffi::c_int;

use libc::{
    AF_UNIX, EINVAL, MSG_CMSG_CLOEXEC, MSG_CTRUNC, SCM_CREDENTIALS, SCM_RIGHTS, SOL_SOCKET,
    cmsghdr, msghdr,
};

use crate::descriptors::process;
use crate::error::{Result, fail};
use crate::ffi::{bytes, bytes_mut};
use crate::sockets::rights::Rights;

/// What stands before the data, which lies as words do.
const HEADER: usize = size_of::<cmsghdr>();
const NUMBER: usize = size_of::<c_int>();

/// The descriptors that are sent with a message; none by sockets of the Internet, which know no control message.
///
/// # Errors
///
/// `EINVAL` if it makes no sense, `EBADF`, and those of [`Rights::push`].
///
/// # Safety
///
/// The message's control messages can be read.
pub(super) unsafe fn sent(fd: c_int, message: &msghdr) -> Result<Rights> {
    let mut rights = Rights::default();
    // SAFETY: the caller's promise is the same.
    let mut rest = unsafe { bytes(message.msg_control, message.msg_controllen) };
    if rest.is_empty() || process::open(fd)?.description().as_socket()?.sort().0 != AF_UNIX {
        return Ok(rights);
    }
    while rest.len() >= HEADER {
        // SAFETY: there are so many octets, and any are a header.
        let header = unsafe { rest.as_ptr().cast::<cmsghdr>().read_unaligned() };
        let Some(data) = rest.get(HEADER..header.cmsg_len) else {
            return fail(EINVAL);
        };
        match (header.cmsg_level, header.cmsg_type) {
            (SOL_SOCKET, SCM_RIGHTS) => {
                for number in data.as_chunks().0 {
                    rights.push(process::open(c_int::from_ne_bytes(*number))?)?;
                }
            }
            // The program's own are told of every peer.
            (SOL_SOCKET, SCM_CREDENTIALS) => {}
            (SOL_SOCKET, _) => return fail(EINVAL),
            _ => {}
        }
        let next = header.cmsg_len.next_multiple_of(size_of::<usize>());
        rest = rest.get(next..).unwrap_or_default();
    }
    Ok(rights)
}

/// Gives the program descriptors, as many as the message has room for; the others are closed. Flags that tell of that.
///
/// # Safety
///
/// The message's control messages can be written.
pub(super) unsafe fn received(message: &mut msghdr, rights: &Rights, flags: c_int) -> c_int {
    // SAFETY: the caller's promise is the same.
    let place = unsafe { bytes_mut(message.msg_control, message.msg_controllen) };
    let room = place.len().saturating_sub(HEADER) / NUMBER;
    let (mut end, mut count) = (HEADER, 0);
    for open in rights.iter().take(room) {
        let closes_on_exec = flags & MSG_CMSG_CLOEXEC != 0;
        let added = process::with(|process| process.table.add(open.clone(), closes_on_exec));
        let Ok(number) = added else { break };
        place[end..end + NUMBER].copy_from_slice(&number.to_ne_bytes());
        end += NUMBER;
        count += 1;
    }
    message.msg_controllen = 0;
    if count > 0 {
        let header = cmsghdr {
            cmsg_len: end,
            cmsg_level: SOL_SOCKET,
            cmsg_type: SCM_RIGHTS,
        };
        // SAFETY: there is room for a header, and for the numbers behind it.
        unsafe { place.as_mut_ptr().cast::<cmsghdr>().write_unaligned(header) };
        message.msg_controllen = place.len().min(end.next_multiple_of(size_of::<usize>()));
    }
    match rights.iter().count() == count {
        true => 0,
        false => MSG_CTRUNC,
    }
}
