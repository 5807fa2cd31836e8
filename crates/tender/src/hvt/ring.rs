//! The network ring: frames go through memory that the guest and a thread of the tender share.
//!
//! The guest's indices and entries are read once, checked, and acted upon; the tender's own indices are kept outside
//! guest memory and only published there.

use std::hint::spin_loop;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

use solo5_abi::api::SolResult;
use solo5_abi::hvt::ring::{self, Commit, Entry};
use vm_memory::{VolatileMemory, VolatileMemoryError, VolatileSlice};
use vmm_sys_util::eventfd::EventFd;

use super::fault::Fault;
use super::hypercall::{Received, receive, send};
use super::memory::GuestMemory;
use crate::attach::Devices;

/// How often an idle ring is looked at before its thread sleeps.
const SPINS: u32 = 4096;

/// How the virtual processor's thread and the ring's speak to each other.
pub(super) struct Doorbell {
    /// Written by KVM when the guest writes to the kick port, and by [`Doorbell::finish`].
    pub(super) kick: EventFd,
    /// Written by the ring's thread when it is ready to serve, and when it has finished.
    pub(super) done: EventFd,
    halted: AtomicBool,
}

impl Doorbell {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            kick: EventFd::new(libc::EFD_CLOEXEC)?,
            done: EventFd::new(libc::EFD_CLOEXEC)?,
            halted: AtomicBool::new(false),
        })
    }

    /// Waits until the ring's thread is ready to serve.
    pub(super) fn wait_ready(&self) -> io::Result<()> {
        self.done.read().map(drop)
    }

    /// After the guest's end: waits until every frame that it has submitted is written.
    pub(super) fn finish(&self) {
        self.halted.store(true, Ordering::SeqCst);
        // Should either fail, frames are lost, as the ABI allows.
        let _ = self.kick.write(1).and_then(|()| self.done.read());
    }
}

/// The ring in guest memory.
pub(super) struct Ring<'m> {
    memory: &'m GuestMemory,
    devices: &'m Devices,
    area: VolatileSlice<'m>,
    ent_tail: &'m AtomicU32,
    published_ent_head: &'m AtomicU32,
    published_com_tail: &'m AtomicU32,
    needs_kick: &'m AtomicU32,
    /// Submissions consumed.
    ent_head: u32,
    /// Completions produced.
    com_tail: u32,
}

impl<'m> Ring<'m> {
    /// The ring at `address`, which must lie in fresh, zeroed memory of the guest's.
    pub(super) fn new(
        memory: &'m GuestMemory,
        devices: &'m Devices,
        address: u64,
    ) -> Result<Self, VolatileMemoryError> {
        let word = |offset| memory.atomic(address + offset);
        Ok(Self {
            memory,
            devices,
            area: memory.slice(address, ring::SIZE)?,
            ent_tail: word(ring::ENT_TAIL)?,
            published_ent_head: word(ring::ENT_HEAD)?,
            published_com_tail: word(ring::COM_TAIL)?,
            needs_kick: word(ring::NEEDS_KICK)?,
            ent_head: 0,
            com_tail: 0,
        })
    }

    /// Serves the ring until the guest has halted and its last submission is done.
    ///
    /// # Errors
    ///
    /// When the guest has done what no guest may do, or the host fails it.
    pub(super) fn serve(mut self, doorbell: &Doorbell) -> Result<(), Fault> {
        loop {
            // Read before the ring is: what was submitted before the guest halted is then seen below.
            let halted = doorbell.halted.load(Ordering::SeqCst);
            let tail = self.ent_tail.load(Ordering::Acquire);
            if tail != self.ent_head {
                self.consume(tail)?;
            } else if halted {
                return Ok(());
            } else {
                self.idle(doorbell)?;
            }
        }
    }

    /// Waits for a submission: for a while looking, then asleep until the guest kicks.
    fn idle(&self, doorbell: &Doorbell) -> Result<(), Fault> {
        for _ in 0..SPINS {
            if self.ent_tail.load(Ordering::Relaxed) != self.ent_head {
                return Ok(());
            }
            spin_loop();
        }
        self.needs_kick.store(1, Ordering::Relaxed);
        // With the guest's barrier between publishing `ent_tail` and reading `needs_kick`: either it sees the request,
        // or the next line sees the submission.
        fence(Ordering::SeqCst);
        if self.ent_tail.load(Ordering::Relaxed) == self.ent_head {
            doorbell.kick.read().map_err(|error| Fault::Io {
                what: "wait for the network ring",
                errno: error.raw_os_error().unwrap_or(0),
            })?;
        }
        self.needs_kick.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Serves the submissions up to `tail`, at most a ring full.
    fn consume(&mut self, tail: u32) -> Result<(), Fault> {
        if tail.wrapping_sub(self.ent_head) > ring::SLOTS {
            return Err(Fault::RingIndex {
                head: self.ent_head,
                tail,
            });
        }
        while self.ent_head != tail {
            let mut bytes = [0; Entry::SIZE];
            self.slot(ring::entry_offset(self.ent_head), Entry::SIZE)
                .copy_to(&mut bytes);
            self.submission(&Entry::from_bytes(&bytes))?;
            self.ent_head = self.ent_head.wrapping_add(1);
            self.published_ent_head
                .store(self.ent_head, Ordering::Release);
        }
        Ok(())
    }

    fn submission(&mut self, entry: &Entry) -> Result<(), Fault> {
        let &Entry {
            operation,
            handle,
            data,
            len,
            id,
            ..
        } = entry;
        let (handle, len) = (u64::from(handle), u64::from(len));
        match operation {
            // A write has no completion to tell of a failure.
            ring::OPERATION_WRITE => send(self.memory, self.devices, handle, data, len).map(drop),
            ring::OPERATION_READ => {
                let (ret, len) = match receive(self.memory, self.devices, handle, data, len)? {
                    Received::Frame(len) => (SolResult::Ok, len),
                    Received::Nothing => (SolResult::Again, 0),
                    Received::NoDevice => (SolResult::Einval, 0),
                    Received::Error => (SolResult::Eunspec, 0),
                };
                // The buffer's length was 32 bits wide, so the frame's is.
                self.complete(&Commit {
                    id,
                    ret: ret as i32,
                    len: len as u32,
                    ..Default::default()
                });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn complete(&mut self, commit: &Commit) {
        self.slot(ring::commit_offset(self.com_tail), Commit::SIZE)
            .copy_from(&commit.to_bytes());
        self.com_tail = self.com_tail.wrapping_add(1);
        self.published_com_tail
            .store(self.com_tail, Ordering::Release);
    }

    fn slot(&self, offset: u64, len: usize) -> VolatileSlice<'_> {
        // The offset is below 49280.
        self.area
            .get_slice(offset as usize, len)
            .expect("slots lie inside the ring")
    }
}

#[cfg(test)]
mod tests;
