//! The guest's console: what the host does not take at once is kept, and offered again; what finds no room, or what the
//! host refuses, is lost, and how much that was is said as soon as there is somebody to say it to, or a little later.
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
/// How long a host that has refused is left alone: a full disk takes its time to.
const RETRY: Duration = Duration::from_millis(100);
/// How long the end of the guest may wait for its last words.
const AT_EXIT: Duration = Duration::from_millis(200);

/// Standard output, non-blocking.
pub(super) struct Console<'fd> {
    output: BorrowedFd<'fd>,
    /// Never longer than its capacity.
    waiting: Vec<u8>,
    lost_lines: u64,
    lost_octets: u64,
    /// What the host has taken ends within a line.
    mid_line: bool,
    /// When the host refused, if it did the last time.
    refused: Option<Instant>,
}

impl<'fd> Console<'fd> {
    pub(super) fn new(output: BorrowedFd<'fd>) -> Self {
        Self {
            output,
            waiting: Vec::with_capacity(CAPACITY),
            lost_lines: 0,
            lost_octets: 0,
            mid_line: false,
            refused: None,
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
            let mut waiting = std::mem::take(&mut self.waiting);
            match self.offer(&waiting) {
                Some(taken) => drop(waiting.drain(..taken)),
                None => {
                    self.lose(&waiting);
                    waiting.clear();
                }
            }
            self.waiting = waiting;
        }
        if self.waiting.is_empty() && self.lost_octets > 0 {
            self.report();
        }
    }

    /// Gives what waits a last chance, for a bounded time.
    pub(super) fn finish(&mut self) {
        let begin = Instant::now();
        self.refused = None;
        loop {
            self.flush();
            if self.waits_for().is_none() || begin.elapsed() >= AT_EXIT {
                return;
            }
        }
    }

    fn report(&mut self) {
        let mut line = Line::default();
        // It fits.
        let _ = writeln!(
            line,
            "{}{}: console: {} lines ({} octets) were lost here",
            if self.mid_line { "\n" } else { "" },
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
    fn offer(&mut self, text: &[u8]) -> Option<usize> {
        if self
            .refused
            .is_some_and(|refused| refused.elapsed() < RETRY)
        {
            return None;
        }
        self.refused = None;
        // SAFETY: the pointer and the length are those of a live slice.
        let result =
            unsafe { libc::write(self.output.as_raw_fd(), text.as_ptr().cast(), text.len()) };
        if let Ok(taken) = usize::try_from(result) {
            if let Some(last) = text[..taken].last() {
                self.mid_line = *last != b'\n';
            }
            return Some(taken);
        }
        match std::io::Error::last_os_error().raw_os_error() {
            Some(libc::EAGAIN | libc::EINTR) => Some(0),
            _ => {
                self.refused = Some(Instant::now());
                None
            }
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
