//! Names of hosts.

use core::ffi::{CStr, c_char, c_int};
use core::ptr;
use std::net::IpAddr;

use libc::{
    AF_INET, AF_INET6, AF_UNSPEC, AI_NUMERICHOST, AI_PASSIVE, EAI_FAMILY, EAI_NONAME, EAI_SERVICE,
    addrinfo, size_t, sockaddr, sockaddr_storage, socklen_t, utsname,
};

use crate::ffi::{bytes_mut, call, nothing, place};
use crate::sockets::address::{Address, LONGEST, with_scope};
use crate::sockets::names::{self, Kind, Wanted};

/// An answer with the address that it points to.
#[repr(C)]
struct Answer {
    info: addrinfo,
    address: sockaddr_storage,
}

const _: () = assert!(size_of::<sockaddr_storage>() >= LONGEST);

/// # Safety
///
/// It is a string of C, or null.
unsafe fn text<'a>(text: *const c_char) -> Result<Option<&'a str>, c_int> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise is the same.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|_| EAI_NONAME)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    answers: *mut *mut addrinfo,
) -> c_int {
    let found = call(|| {
        // SAFETY: the caller gives strings and hints, or null.
        let (node, service, hints) = unsafe { (text(node)?, text(service)?, hints.as_ref()) };
        let (flags, family) = hints.map_or((0, AF_UNSPEC), |it| (it.ai_flags, it.ai_family));
        let (kind, protocol) = hints.map_or((0, 0), |it| (it.ai_socktype, it.ai_protocol));
        let wanted = Wanted {
            v4: matches!(family, AF_UNSPEC | AF_INET),
            v6: matches!(family, AF_UNSPEC | AF_INET6),
            only_numbers: flags & AI_NUMERICHOST != 0,
            passive: flags & AI_PASSIVE != 0,
        };
        if !wanted.v4 && !wanted.v6 {
            return Err(EAI_FAMILY);
        }
        let kinds = names::kinds(kind, protocol)?;
        let port = match service {
            None if node.is_none() => return Err(EAI_NONAME),
            None => 0,
            Some(service) => names::port(service).ok_or(EAI_SERVICE)?,
        };
        let addresses = names::find(node, wanted)?;
        // SAFETY: the caller gives a place.
        unsafe { answers.write(chain(&addresses, port, &kinds)) };
        Ok(())
    });
    found.err().unwrap_or(0)
}

/// The answers as a list: for each address and kind of socket one.
fn chain(addresses: &[IpAddr], port: u16, kinds: &[Kind]) -> *mut addrinfo {
    let mut first = ptr::null_mut();
    for &address in addresses.iter().rev() {
        for &kind in kinds.iter().rev() {
            first = answer(address, port, kind, first);
        }
    }
    first
}

fn answer(ip: IpAddr, port: u16, (kind, protocol): Kind, next: *mut addrinfo) -> *mut addrinfo {
    let mut octets = [0; LONGEST];
    let length = Address::Internet(with_scope(ip, port)).write(&mut octets);
    let made = Box::into_raw(Box::<Answer>::new_uninit()).cast::<Answer>();
    // SAFETY: both places lie in what was allocated, and the address's has as many octets.
    unsafe {
        let place = &raw mut (*made).address;
        place.cast::<[u8; LONGEST]>().write(octets);
        (&raw mut (*made).info).write(addrinfo {
            ai_flags: 0,
            ai_family: if ip.is_ipv4() { AF_INET } else { AF_INET6 },
            ai_socktype: kind,
            ai_protocol: protocol,
            ai_addrlen: length as socklen_t,
            ai_addr: place.cast::<sockaddr>(),
            ai_canonname: ptr::null_mut(),
            ai_next: next,
        });
    }
    made.cast()
}

/// What an error of `getaddrinfo` means. (nolibc's says that there are no names at all.)
#[unsafe(no_mangle)]
extern "C" fn gai_strerror(error: c_int) -> *const c_char {
    names::text(error).as_ptr()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn freeaddrinfo(mut answers: *mut addrinfo) {
    while !answers.is_null() {
        // SAFETY: the caller gives what `getaddrinfo` has made, once.
        let answer = unsafe { Box::from_raw(answers.cast::<Answer>()) };
        answers = answer.info.ai_next;
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn gethostname(name: *mut c_char, size: size_t) -> c_int {
    // SAFETY: the caller gives `size` writable bytes.
    let room = unsafe { bytes_mut(name.cast(), size) };
    nothing(|| {
        let name = crate::arguments::host_name();
        if room.len() <= name.len() {
            return crate::error::fail(libc::ENAMETOOLONG);
        }
        room[..name.len()].copy_from_slice(name.as_bytes());
        room[name.len()] = 0;
        Ok(())
    })
}

/// As Linux, of which crates ask what there is by its release: segments of UDP since 4.18.
#[unsafe(no_mangle)]
unsafe extern "C" fn uname(system: *mut utsname) -> c_int {
    nothing(|| {
        let system = place(system)?;
        // SAFETY: the caller gives a place for it, of which any octets are valid, or null, which it is not.
        let system = unsafe {
            system.write_bytes(0, 1);
            &mut *system
        };
        let host = crate::arguments::host_name();
        let texts = [
            (&mut system.sysname, "Linux"),
            (&mut system.nodename, &host),
            (&mut system.release, "5.0.0-solo5"),
            (&mut system.version, "Solo5"),
            (&mut system.machine, "x86_64"),
            (&mut system.domainname, "(none)"),
        ];
        for (place, text) in texts {
            // What is too long is cut; a zero follows it.
            for (to, from) in place[..64].iter_mut().zip(text.bytes()) {
                *to = from as c_char;
            }
        }
        Ok(())
    })
}

/// There is no file of settings to be read again.
#[unsafe(no_mangle)]
extern "C" fn __res_init() -> c_int {
    0
}
