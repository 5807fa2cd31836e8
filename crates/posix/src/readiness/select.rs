//! `select`: sets of descriptors, a bit for each.

use core::ffi::c_int;

use libc::{
    POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM,
    pollfd,
};

/// The events that each set is about: something to read, room to write, and what is out of the ordinary (`fs/select.c` of
/// Linux).
const ABOUT: [i16; 3] = [
    POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
    POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR,
    POLLPRI,
];

/// Sets of descriptors in that order, of equal length: bit *n* % 64 of word *n* / 64 is for the descriptor *n*.
pub(crate) type Sets = [Option<Vec<u64>>; 3];

fn has(set: &[u64], fd: usize) -> bool {
    set[fd / 64] >> (fd % 64) & 1 != 0
}

/// What the sets ask of descriptors below `count`, for which they have room.
pub(crate) fn asked(sets: &Sets, count: usize) -> Vec<pollfd> {
    let events = |fd| {
        let about = sets.iter().zip(ABOUT).filter_map(|(set, about)| {
            let is_asked = set.as_ref().is_some_and(|set| has(set, fd));
            is_asked.then_some(about)
        });
        about.fold(0, |all, about| all | about)
    };
    let asked = (0..count).map(|fd| pollfd {
        fd: fd as c_int,
        events: events(fd),
        revents: 0,
    });
    asked.filter(|entry| entry.events != 0).collect()
}

/// Leaves in each set what has come of what it is about; how much that is in all of them.
pub(crate) fn tell(sets: &mut Sets, told: &[pollfd]) -> usize {
    let mut count = 0;
    for (set, about) in sets.iter_mut().zip(ABOUT) {
        let Some(set) = set else { continue };
        let mut left = vec![0; set.len()];
        for entry in told.iter().filter(|entry| entry.revents & about != 0) {
            let fd = entry.fd as usize;
            if has(set, fd) {
                left[fd / 64] |= 1 << (fd % 64);
                count += 1;
            }
        }
        *set = left;
    }
    count
}

#[cfg(test)]
mod tests;
