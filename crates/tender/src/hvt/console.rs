//! The guest's console: what the host does not take at once is kept, and offered again; what finds no room, or what the
//! host refuses, is lost, and how much that was is said as soon as there is somebody to say it to.
//!
//! It runs behind the seccomp filter, so that nothing here allocates. On spt, where the guest writes by itself, its
//! bindings do the same (`vendor/solo5/bindings/spt/console.c`).

use std::io::Write as _;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use vm_memory::VolatileSlice;

use super::fault::Line;

/// Octets that are kept.
const CAPACITY: usize = 64 << 10;
/// How long the end of the guest may wait for its last words.
const AT_EXIT: Duration = Duration::from_millis(200);

/// Standard output, non-blocking.
pub(super) struct Console<'fd> {
    output: BorrowedFd<'fd>,
    /// Never longer than its capacity.
    waiting: Vec<u8>,
    lost_lines: u64,
    lost_octets: u64,
}

impl<'fd> Console<'fd> {
    pub(super) fn new(output: BorrowedFd<'fd>) -> Self {
        Self {
            output,
            waiting: Vec::with_capacity(CAPACITY),
            lost_lines: 0,
            lost_octets: 0,
        }
    }

    /// The descriptor, while there is something that it has not taken.
    pub(super) fn waits_for(&self) -> Option<i32> {
        (!self.waiting.is_empty()).then(|| self.output.as_raw_fd())
    }

    /// Writes what the guest gives, or keeps it, or loses it.
    pub(super) fn put(&mut self, text: &VolatileSlice<'_>) {
        let mut piece = [0; 4096];
        let mut at = 0;
        while at < text.len() {
            let len = piece.len().min(text.len() - at);
            let Ok(part) = text.subslice(at, len) else {
                return;
            };
            // A copy, as the guest's memory may change while it is looked at.
            part.copy_to(&mut piece[..len]);
            self.put_piece(&piece[..len]);
            at += len;
        }
    }

    fn put_piece(&mut self, text: &[u8]) {
        self.flush();
        // What follows something lost is lost too, until that has been said.
        if self.lost_octets > 0 {
            return self.lose(text);
        }
        let taken = match self.waiting.is_empty() {
            true => self.offer(text),
            false => Some(0),
        };
        match taken {
            Some(taken) => self.keep(&text[taken..]),
            None => self.lose(text),
        }
    }

    /// Offers again what waits.
    pub(super) fn flush(&mut self) {
        if !self.waiting.is_empty() {
            match self.offer(&self.waiting) {
                Some(taken) => drop(self.waiting.drain(..taken)),
                None => {
                    let waiting = std::mem::take(&mut self.waiting);
                    self.lose(&waiting);
                    self.waiting = waiting;
                    self.waiting.clear();
                }
            }
        }
        if self.waiting.is_empty() && self.lost_octets > 0 {
            self.report();
        }
    }

    /// Gives what waits a last chance, for a bounded time.
    pub(super) fn finish(&mut self) {
        let begin = Instant::now();
        while self.waits_for().is_some() && begin.elapsed() < AT_EXIT {
            self.flush();
        }
    }

    fn report(&mut self) {
        let mut line = Line::default();
        // It fits.
        let _ = writeln!(
            line,
            "{}: console: {} lines ({} octets) were lost here",
            crate::Tender::Hvt.program(),
            self.lost_lines,
            self.lost_octets
        );
        if let Some(taken @ 1..) = self.offer(line.as_bytes()) {
            (self.lost_lines, self.lost_octets) = (0, 0);
            self.keep(&line.as_bytes()[taken..]);
        }
    }

    /// How much of it the host takes now; `None` if it refuses.
    fn offer(&self, text: &[u8]) -> Option<usize> {
        // SAFETY: the pointer and the length are those of a live slice.
        let result =
            unsafe { libc::write(self.output.as_raw_fd(), text.as_ptr().cast(), text.len()) };
        if let Ok(taken) = usize::try_from(result) {
            return Some(taken);
        }
        match std::io::Error::last_os_error().raw_os_error() {
            Some(libc::EAGAIN | libc::EINTR) => Some(0),
            _ => None,
        }
    }

    fn keep(&mut self, text: &[u8]) {
        if text.len() <= self.waiting.capacity() - self.waiting.len() {
            self.waiting.extend_from_slice(text);
        } else {
            self.lose(text);
        }
    }

    fn lose(&mut self, text: &[u8]) {
        let lines = text.iter().filter(|&&octet| octet == b'\n').count();
        self.lost_lines += lines as u64;
        self.lost_octets += text.len() as u64;
    }
}

#[cfg(test)]
mod tests;
