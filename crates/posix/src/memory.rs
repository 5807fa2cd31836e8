//! Memory that a call takes: where there is none, that is an error of the call, and not the end of the program.

pub(crate) mod stacks;

use core::hint::black_box;
use core::ops::Deref;
use std::collections::VecDeque;

use libc::ENOMEM;

use crate::error::{Result, fail};

/// What a call that takes memory leaves: for the records of a few hundred octets that all calls make, which cannot fail.
const RESERVE: usize = 64 << 10;

/// Whether so many octets are free in one piece.
pub(crate) fn is_free(octets: usize) -> bool {
    // SAFETY: any size may be asked for, and what was allocated, or null, is given back once.
    unsafe {
        // Seen to be used, or the compiler would do without.
        let block = black_box(libc::malloc(octets));
        libc::free(block);
        !block.is_null()
    }
}

/// Sees that there is memory for what cannot fail.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn check() -> Result<()> {
    match is_free(RESERVE) {
        true => Ok(()),
        false => fail(ENOMEM),
    }
}

/// A copy.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn copy(octets: &[u8]) -> Result<Vec<u8>> {
    join(&[octets])
}

/// A copy of all, one behind the other.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn join(parts: &[impl Deref<Target = [u8]>]) -> Result<Vec<u8>> {
    let octets = parts.iter().map(|part| part.len()).sum();
    let mut copy = Vec::new();
    copy.try_reserve_exact(octets).or(fail(ENOMEM))?;
    check()?;
    for part in parts {
        copy.extend_from_slice(part);
    }
    Ok(copy)
}

/// Puts octets behind others.
///
/// # Errors
///
/// `ENOMEM`, and then none is there.
pub(crate) fn extend(queue: &mut VecDeque<u8>, octets: &[u8]) -> Result<()> {
    if queue.capacity() - queue.len() < octets.len() {
        queue.try_reserve(octets.len()).or(fail(ENOMEM))?;
        check()?;
    }
    queue.extend(octets);
    Ok(())
}
