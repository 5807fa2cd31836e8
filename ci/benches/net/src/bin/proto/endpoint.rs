//! What the simulations need of a stack.

use anyhow::{Result, bail};

use crate::{ours::Ours, theirs::Theirs};

/// A host with one TCP connection.
pub trait Endpoint {
    /// Takes the frames that arrive at `now`, in nanoseconds.
    fn receive(&mut self, now: u64, frames: &Frames);

    /// Runs what is due and puts the frames that come of it into `sent`.
    fn poll(&mut self, now: u64, sent: &mut Frames);

    /// When `poll` is due next.
    fn poll_at(&mut self, now: u64) -> Option<u64>;

    /// Queues octets until the send buffer is full.
    fn write(&mut self, now: u64);

    /// Reads all that has arrived; how many octets.
    fn read(&mut self, now: u64) -> usize;
}

/// A list of frames whose memory is used again, so that the allocator stays out of what is counted.
#[derive(Default)]
pub struct Frames {
    buffers: Vec<Vec<u8>>,
    len: usize,
}

impl Frames {
    /// Adds a frame of `len` octets, to be written by the caller.
    pub fn add(&mut self, len: usize) -> &mut [u8] {
        if self.len == self.buffers.len() {
            self.buffers.push(Vec::with_capacity(MTU + 14));
        }
        let buffer = &mut self.buffers[self.len];
        buffer.resize(len, 0);
        self.len += 1;
        buffer
    }

    pub fn push(&mut self, frame: &[u8]) {
        self.add(frame.len()).copy_from_slice(frame);
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.buffers[..self.len].get(index).map(Vec::as_slice)
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.buffers[..self.len].iter().map(Vec::as_slice)
    }
}

/// One of the two ends of a link: 0 connects to 1.
#[derive(Clone, Copy)]
pub struct Role(pub usize);

impl Role {
    pub fn address(self) -> [u8; 4] {
        [10, 0, 0, 1 + self.0 as u8]
    }

    pub fn peer(self) -> Role {
        Role(1 - self.0)
    }

    pub fn mac(self) -> [u8; 6] {
        [2, 0, 0, 0, 0, 1 + self.0 as u8]
    }
}

pub const PORT: u16 = 7;
pub const MTU: usize = 1500;
/// Octets that are read or written at once. Small enough that they are not copied by `rep movsb`, of
/// which callgrind counts each octet as an instruction.
pub const PIECE: usize = 1460;

pub fn make(subject: &str, role: Role) -> Result<Box<dyn Endpoint>> {
    Ok(match subject {
        "netstack" => Box::new(Ours::new(role)),
        "smoltcp" => Box::new(Theirs::new(role, None)),
        "smoltcp-cubic" => Box::new(Theirs::new(role, Some(1 << 20))),
        _ => bail!("{subject}: expected netstack, smoltcp or smoltcp-cubic"),
    })
}
