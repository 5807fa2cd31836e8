//! Moves frames between a guest's descriptor, where each message is a frame, and a stream of frames, each behind its length.
//!
//! That stream is what passt and QEMU's `-netdev stream` speak: four octets of length in network order, then the frame.

mod guest;
mod socket;
mod stream;

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use guest::Outgoing;
use socket::{accept, connect};
use stream::Frames;

pub use socket::{JoinError, Joint};

/// Octets of the longest frame that a stream may carry: passt takes no longer one.
pub const MAX_STREAM_FRAME: usize = 65_535;
/// Milliseconds that the stream has to take what the guest had sent before it ended.
const LAST_WORDS: libc::c_int = 1000;
/// Milliseconds until somebody is looked for again.
const BETWEEN_ATTEMPTS: libc::c_int = 100;

/// Why a relay has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The guest's end has been closed.
    Guest,
    /// The stream has.
    Stream,
}

/// The guest's side of a relay, and the frames on their way.
///
/// What it holds is bounded: where one side takes nothing, nothing more is read from the other.
#[derive(Debug)]
pub struct Relay {
    guest: OwnedFd,
    inward: Frames,
    outward: Outgoing,
}

/// What a direction waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// That there is something to read.
    Source,
    /// That there is room to write.
    Sink,
    /// Nothing any more: its source or its sink has been closed.
    Closed,
}

impl Relay {
    /// A relay of frames of up to `max` octets, the Ethernet header included.
    #[must_use]
    pub fn new(guest: OwnedFd, max: usize) -> Self {
        Self {
            guest,
            inward: Frames::new(max),
            outward: Outgoing::new(max),
        }
    }

    /// Relays until one side ends. Frames that the guest had sent before it ended are still delivered, if the stream takes
    /// them within a second.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait for the two.
    pub fn run(&mut self, stream: BorrowedFd<'_>) -> io::Result<End> {
        let (mut inward, mut outward) = (Wait::Source, Wait::Source);
        loop {
            let [at_guest, at_stream] = wait(
                [
                    (self.guest.as_fd(), events(outward, inward)),
                    (stream, events(inward, outward)),
                ],
                -1,
            )?;
            if at_guest & libc::POLLHUP != 0 {
                self.last_words(stream)?;
                return Ok(End::Guest);
            }
            if ready(inward, at_stream, at_guest) {
                inward = self.inward.advance(stream, self.guest.as_fd());
            }
            if ready(outward, at_guest, at_stream) {
                outward = self.outward.advance(self.guest.as_fd(), stream);
            }
            if inward == Wait::Closed || outward == Wait::Closed {
                return Ok(End::Stream);
            }
        }
    }

    /// Waits for who connects to `listener`, while frames of the guest's are lost, as on a wire that nobody is at the other
    /// end of; `None` when the guest's end has been closed.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait, or to accept.
    pub fn accept(&mut self, listener: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
        self.inward.forget();
        loop {
            let on = [(self.guest.as_fd(), libc::POLLIN), (listener, libc::POLLIN)];
            let [at_guest, at_listener] = wait(on, -1)?;
            if at_guest & libc::POLLHUP != 0 {
                return Ok(None);
            }
            self.outward.lose(self.guest.as_fd());
            if at_listener & libc::POLLIN != 0 {
                return accept(listener).map(Some);
            }
        }
    }

    /// Tries to connect to who will listen at `path`, ten times a second, while frames of the guest's are lost; `None` when
    /// the guest's end has been closed.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait.
    pub fn reconnect(&mut self, path: &Path) -> io::Result<Option<OwnedFd>> {
        self.inward.forget();
        loop {
            let [at_guest] = wait([(self.guest.as_fd(), 0)], BETWEEN_ATTEMPTS)?;
            if at_guest & libc::POLLHUP != 0 {
                return Ok(None);
            }
            self.outward.lose(self.guest.as_fd());
            if let Ok(stream) = connect(path) {
                return Ok(Some(stream));
            }
        }
    }

    /// Delivers what the guest has sent before it ended, if the stream takes it in time.
    fn last_words(&mut self, stream: BorrowedFd<'_>) -> io::Result<()> {
        loop {
            match self.outward.advance(self.guest.as_fd(), stream) {
                Wait::Source if self.outward.has_read() => {}
                Wait::Source | Wait::Closed => return Ok(()),
                Wait::Sink => {
                    let [ready] = wait([(stream, libc::POLLOUT)], LAST_WORDS)?;
                    if ready & libc::POLLOUT == 0 {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// What a descriptor is waited for that is the source of one direction and the sink of the other.
fn events(source_of: Wait, sink_of: Wait) -> libc::c_short {
    let source = if source_of == Wait::Source {
        libc::POLLIN
    } else {
        0
    };
    let sink = if sink_of == Wait::Sink {
        libc::POLLOUT
    } else {
        0
    };
    source | sink
}

/// Whether what a direction waits for has come, or its end has.
fn ready(direction: Wait, source: libc::c_short, sink: libc::c_short) -> bool {
    const END: libc::c_short = libc::POLLHUP | libc::POLLERR;
    match direction {
        Wait::Source => source & (libc::POLLIN | END) != 0,
        Wait::Sink => sink & (libc::POLLOUT | END) != 0,
        Wait::Closed => false,
    }
}

/// `poll(2)`, called again when a signal has interrupted it: what has happened on each.
fn wait<const N: usize>(
    on: [(BorrowedFd<'_>, libc::c_short); N],
    milliseconds: libc::c_int,
) -> io::Result<[libc::c_short; N]> {
    let mut polled = on.map(|(fd, events)| libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    });
    retry(|| {
        // SAFETY: `polled` is a live array of this length.
        let ready = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, milliseconds) };
        ready as isize
    })?;
    Ok(polled.map(|polled| polled.revents))
}

/// Calls again what a signal has interrupted.
fn retry(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        if let Ok(done) = usize::try_from(call()) {
            return Ok(done);
        }
        let error = io::Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// What comes of a call that has failed: a full buffer passes, anything else is the end.
fn after(error: &io::Error, wait: Wait) -> Wait {
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => wait,
        _ => Wait::Closed,
    }
}

#[cfg(test)]
mod tests;
