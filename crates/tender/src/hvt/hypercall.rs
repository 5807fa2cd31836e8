//! The hypercalls: what a guest asks by writing the address of an argument structure to an I/O port.

mod block;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use solo5_abi::api::SolResult;
use solo5_abi::hvt::{HALT_COOKIE_SIZE, Halt, Hypercall, NetIo, Poll, PollSet, Puts, Walltime};
use vm_memory::VolatileSlice;

use super::console::Console;
use super::fault::{Fault, notice};
use super::io as guest_io;
use super::memory::{GuestMemory, Unchecked};
use crate::attach::{Devices, NetDevice};
use crate::shutdown::Shutdown;

/// What the guest does after a hypercall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It goes on.
    Continue,
    /// It has ended with this status.
    Halt(i32),
}

/// Serves hypercalls.
pub(super) struct Hypercalls<'m> {
    memory: &'m GuestMemory,
    devices: &'m Devices,
    /// What `ppoll(2)` is asked about: the first ones stand for a handle each, as `waited` has it. The last one is the console,
    /// which is asked for only while something waits for it.
    polled: Vec<libc::pollfd>,
    /// For the guest's end, each network device, and each image that can be flushed while the guest goes on: the handle, and
    /// what can be read then.
    waited: Vec<(u32, RawFd)>,
    /// Bit *h*: a flush of the device with handle *h* was begun, and the guest does not know of its end.
    flushing: u64,
    console: Console<'m>,
}

/// The `ret` field of a structure.
fn raw(result: SolResult) -> i32 {
    result as i32
}

impl<'m> Hypercalls<'m> {
    pub(super) fn new(
        memory: &'m GuestMemory,
        devices: &'m Devices,
        shutdown: Option<&Shutdown>,
    ) -> Self {
        // A handle is an index into a manifest of 64 entries.
        let of = |handle: usize, fd: RawFd| (handle as u32, fd);
        // The index of the manifest's first entry stands for the guest's end.
        let end = shutdown.map(|shutdown| of(0, shutdown.told.as_raw_fd()));
        let frames = devices.net.iter();
        let frames = frames.map(|device| of(device.handle, device.interface.as_raw_fd()));
        let flushes = devices.block.iter().filter_map(|device| {
            let background = device.background.as_ref()?;
            Some(of(device.handle, background.end.as_raw_fd()))
        });
        let waited: Vec<_> = frames.chain(end).chain(flushes).collect();
        let polled = waited.iter().map(|_| pollfd(-1, libc::POLLIN));
        let polled = polled.chain([pollfd(-1, libc::POLLOUT)]).collect();
        // SAFETY: standard output is open for as long as the process lives: Rust's runtime opens /dev/null in place of a
        // closed one.
        let stdout = unsafe { BorrowedFd::borrow_raw(libc::STDOUT_FILENO) };
        Self {
            memory,
            devices,
            polled,
            waited,
            flushing: 0,
            console: Console::new(stdout),
        }
    }

    /// How many descriptors it waits for at once, those included that are not there at the moment.
    pub(super) fn polled(&self) -> usize {
        self.polled.len()
    }

    /// Serves an `OUT` of `data` to `port`.
    ///
    /// # Errors
    ///
    /// When the guest has done what no guest may do, or the host fails it.
    pub(super) fn serve(&mut self, port: u16, data: &[u8]) -> Result<Outcome, Fault> {
        let call = Hypercall::from_port(port).ok_or(Fault::Port { port })?;
        let &data = data.as_array().ok_or(Fault::Width {
            port,
            len: data.len(),
        })?;
        let address = u64::from(u32::from_le_bytes(data));
        match call {
            Hypercall::Walltime => self.walltime(address)?,
            Hypercall::Puts => self.puts(address)?,
            Hypercall::Poll => self.poll(address)?,
            Hypercall::PollSet => self.poll_set(address)?,
            Hypercall::BlockWrite | Hypercall::BlockRead => self.block_io(call, address)?,
            Hypercall::BlockFlush | Hypercall::FlushBegin | Hypercall::FlushEnd => {
                self.block_flush(call, address)?;
            }
            Hypercall::BlockDiscard => self.block_discard(address)?,
            Hypercall::NetWrite => self.net_write(address)?,
            Hypercall::NetRead => self.net_read(address)?,
            Hypercall::Halt => return self.halt(address).map(Outcome::Halt),
        }
        Ok(Outcome::Continue)
    }

    /// The argument structure, to read only.
    fn argument<const N: usize>(&self, address: u64) -> Result<[u8; N], Fault> {
        let slice = self.memory.readable(argument(address, N))?;
        Ok(copy(&slice))
    }

    /// The argument structure and where to write it back.
    fn argument_mut<const N: usize>(
        &self,
        address: u64,
    ) -> Result<([u8; N], VolatileSlice<'m>), Fault> {
        let slice = self.memory.writable(argument(address, N))?;
        Ok((copy(&slice), slice))
    }

    fn walltime(&self, address: u64) -> Result<(), Fault> {
        let (_, slot) = self.argument_mut::<{ Walltime::SIZE }>(address)?;
        // A clock before 1970 is no use to anyone; 64 bits of nanoseconds last until 2554.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let nsecs = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        slot.copy_from(&Walltime { nsecs }.to_bytes());
        Ok(())
    }

    fn puts(&mut self, address: u64) -> Result<(), Fault> {
        let Puts { data, len } = Puts::from_bytes(&self.argument(address)?);
        let text = self.memory.readable(Unchecked {
            what: "console output",
            address: data,
            len,
        })?;
        self.console.put(&text);
        Ok(())
    }

    /// Waits until a network device is readable or `nsecs` have passed, and writes meanwhile what the console has room for;
    /// how many devices are readable.
    fn wait(&mut self, nsecs: u64) -> Result<i32, Fault> {
        const SECOND: u64 = 1_000_000_000;
        // Neither cast changes the value: both are below 2^63.
        let mut timeout = libc::timespec {
            tv_sec: (nsecs / SECOND).cast_signed(),
            tv_nsec: (nsecs % SECOND).cast_signed(),
        };
        loop {
            self.console.flush();
            let writable = match self.polled.last_mut() {
                Some(console) => {
                    console.fd = self.console.waits_for().unwrap_or(-1);
                    console
                }
                None => return Ok(0),
            };
            writable.revents = 0;
            let ready = wait(&mut self.polled, &mut timeout)?;
            let writable = self
                .polled
                .last()
                .is_some_and(|console| console.revents != 0);
            let readable = ready - i32::from(writable);
            if readable > 0 || !writable {
                return Ok(readable);
            }
        }
    }

    fn poll(&mut self, address: u64) -> Result<(), Fault> {
        let (bytes, slot) = self.argument_mut(address)?;
        let mut poll = Poll::from_bytes(&bytes);
        let frames = self.devices.net.iter();
        let frames = frames.fold(0, |set, device| set | 1 << device.handle);
        (poll.ret, poll.ready_set) = self.wait_for(frames, poll.timeout_nsecs)?;
        slot.copy_from(&poll.to_bytes());
        Ok(())
    }

    fn poll_set(&mut self, address: u64) -> Result<(), Fault> {
        let (bytes, slot) = self.argument_mut(address)?;
        let mut poll = PollSet::from_bytes(&bytes);
        (poll.ret, poll.ready_set) = self.wait_for(poll.wanted_set, poll.timeout_nsecs)?;
        slot.copy_from(&poll.to_bytes());
        Ok(())
    }

    /// Waits for the devices whose bits are set, and for the guest's end if bit 0 is; how many are ready, and which.
    fn wait_for(&mut self, wanted: u64, nsecs: u64) -> Result<(i32, u64), Fault> {
        for (polled, &(handle, fd)) in self.polled.iter_mut().zip(&self.waited) {
            polled.fd = match wanted >> handle & 1 {
                1 => fd,
                _ => -1,
            };
        }
        let ready = self.wait(nsecs)?;
        let readable = self.polled.iter().zip(&self.waited);
        let readable = readable.filter(|(polled, _)| polled.revents != 0);
        Ok((
            ready,
            readable.fold(0, |set, (_, (handle, _))| set | 1 << handle),
        ))
    }

    fn net_write(&self, address: u64) -> Result<(), Fault> {
        if self.devices.net.is_empty() {
            return Err(Fault::Absent {
                call: Hypercall::NetWrite,
            });
        }
        let (bytes, slot) = self.argument_mut(address)?;
        let mut io = NetIo::from_bytes(&bytes);
        io.ret = raw(send(self.memory, self.devices, io.handle, io.data, io.len)?);
        slot.copy_from(&io.to_bytes());
        Ok(())
    }

    fn net_read(&self, address: u64) -> Result<(), Fault> {
        if self.devices.net.is_empty() {
            return Err(Fault::Absent {
                call: Hypercall::NetRead,
            });
        }
        let (bytes, slot) = self.argument_mut(address)?;
        let mut io = NetIo::from_bytes(&bytes);
        let received = receive(self.memory, self.devices, io.handle, io.data, io.len)?;
        io.ret = raw(match received {
            Received::Frame(len) => {
                io.len = len as u64;
                SolResult::Ok
            }
            Received::Nothing => SolResult::Again,
            Received::NoDevice => SolResult::Einval,
            Received::Error => SolResult::Eunspec,
        });
        slot.copy_from(&io.to_bytes());
        Ok(())
    }

    fn halt(&self, address: u64) -> Result<i32, Fault> {
        let halt = Halt::from_bytes(&self.argument(address)?);
        if halt.cookie != 0 {
            let len = HALT_COOKIE_SIZE;
            self.memory.readable(Unchecked {
                what: "HALT cookie",
                address: halt.cookie,
                len,
            })?;
        }
        Ok(halt.exit_status)
    }

    /// Gives the guest's last words a last chance, for a bounded time.
    pub(super) fn finish(&mut self) {
        self.console.finish();
    }
}

fn argument(address: u64, len: usize) -> Unchecked {
    Unchecked {
        what: "hypercall argument",
        address,
        len: len as u64,
    }
}

fn copy<const N: usize>(slice: &VolatileSlice<'_>) -> [u8; N] {
    let mut bytes = [0; N];
    slice.copy_to(&mut bytes);
    bytes
}

/// Writes a frame of the guest's to a network device.
///
/// What the contract allows to be lost is lost here, where Solo5's own tender ends: a frame for an interface that is
/// down or has no room.
pub(super) fn send(
    memory: &GuestMemory,
    devices: &Devices,
    handle: u64,
    data: u64,
    len: u64,
) -> Result<SolResult, Fault> {
    let device = devices
        .net
        .iter()
        .find(|device| device.handle as u64 == handle);
    let Some(device) = device else {
        return Ok(SolResult::Einval);
    };
    let frame = memory.readable(Unchecked {
        what: "frame",
        address: data,
        len,
    })?;
    match guest_io::write(device.interface.as_fd(), &frame) {
        Ok(done) if done == frame.len() => Ok(SolResult::Ok),
        Ok(done) => Err(Fault::Short {
            what: "writing a frame",
            done,
            len: frame.len(),
        }),
        Err(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM | libc::EIO) => Ok(SolResult::Ok),
        // Shorter than an Ethernet header, or longer than any frame.
        Err(libc::EINVAL | libc::EMSGSIZE) => Ok(SolResult::Einval),
        Err(errno) => {
            interface_failed(device, "write a frame", errno);
            Ok(SolResult::Eunspec)
        }
    }
}

/// Says that an interface is of no more use, as when it was deleted; once for each. The guest gets an error, and goes on
/// if it can do without.
fn interface_failed(device: &NetDevice, what: &str, errno: i32) {
    static SAID: AtomicU64 = AtomicU64::new(0);
    // A handle is an index into a manifest of 64 entries.
    let bit = 1 << device.handle;
    if SAID.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
        let interface = device.interface.name();
        notice(format_args!(
            "cannot {what}: interface {interface:?} fails (os error {errno}): was it deleted?"
        ));
    }
}

/// What came of reading a frame.
pub(super) enum Received {
    /// A frame of this length.
    Frame(usize),
    /// None is queued.
    Nothing,
    /// The handle is no network device's.
    NoDevice,
    /// The interface fails, which has been said.
    Error,
}

/// Reads a frame from a network device into memory of the guest's.
pub(super) fn receive(
    memory: &GuestMemory,
    devices: &Devices,
    handle: u64,
    data: u64,
    len: u64,
) -> Result<Received, Fault> {
    let device = devices
        .net
        .iter()
        .find(|device| device.handle as u64 == handle);
    let Some(device) = device else {
        return Ok(Received::NoDevice);
    };
    let buffer = memory.writable(Unchecked {
        what: "frame buffer",
        address: data,
        len,
    })?;
    Ok(match guest_io::read(device.interface.as_fd(), &buffer) {
        Err(libc::EAGAIN) => Received::Nothing,
        Ok(len) if len > 0 => Received::Frame(len),
        // Nothing read: what was at the other end has gone, which has been said.
        Ok(_) => Received::Error,
        Err(errno) => {
            interface_failed(device, "read a frame", errno);
            Received::Error
        }
    })
}

fn pollfd(fd: i32, events: libc::c_short) -> libc::pollfd {
    libc::pollfd {
        fd,
        events,
        revents: 0,
    }
}

/// Waits until a descriptor is ready or the time is over, and leaves in `timeout` what is left of it; how many are ready.
fn wait(polled: &mut [libc::pollfd], timeout: &mut libc::timespec) -> Result<i32, Fault> {
    loop {
        // The system call itself, for it says what is left, so that neither a signal nor the console prolongs anything.
        // SAFETY: `polled` is a live slice of this length and `timeout` a live structure; there is no signal mask.
        let ready = unsafe {
            let no_mask = std::ptr::null::<libc::sigset_t>();
            libc::syscall(
                libc::SYS_ppoll,
                polled.as_mut_ptr(),
                polled.len(),
                std::ptr::from_mut(timeout),
                no_mask,
                8,
            )
        };
        if ready >= 0 {
            return Ok(i32::try_from(ready).unwrap_or(i32::MAX));
        }
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        if errno != libc::EINTR {
            return Err(Fault::Io {
                what: "wait for network devices",
                errno,
            });
        }
    }
}

#[cfg(test)]
mod tests;
