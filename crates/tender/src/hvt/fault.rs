//! What ends a guest against its will.

use std::io::Write as _;

use solo5_abi::hvt::Hypercall;

use crate::kernel::{MORE_STACK, THREADS};

/// Something that a guest did, or that befell the tender while serving it, after which there is no going on.
///
/// Printing one allocates nothing: it happens behind the seccomp filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error(
        "guest wrote to I/O port {port:#x}: expected a hypercall, 0x501 to 0x508 or 0x580 to 0x584"
    )]
    Port { port: u16 },
    #[error("guest wrote {len} bytes to I/O port {port:#x}: expected 4")]
    Width { port: u16, len: usize },
    #[error("guest read {len} bytes from I/O port {port:#x}: expected no such access")]
    In { port: u16, len: usize },
    #[error("guest made hypercall {call:?}: expected none, since no such device is attached")]
    Absent { call: Hypercall },
    #[error("guest gave {len} bytes at {address:#x} as {what}: expected an end below {limit:#x}")]
    Pointer {
        what: &'static str,
        address: u64,
        len: u64,
        limit: u64,
    },
    #[error("guest gave {len} bytes at {address:#x} as {what}: expected memory that it may write")]
    ReadOnly {
        what: &'static str,
        address: u64,
        len: u64,
    },
    #[error(
        "guest set the network ring's ent_tail to {tail}: expected {head} to {head} + 1024 (modulo 2^32)"
    )]
    RingIndex { head: u32, tail: u32 },
    #[error(
        "host/guest translation fault: guest touched memory against its protection, rip={rip:#x}"
    )]
    Translation { rip: u64 },
    #[error(
        "stack overflow: the unikernel's {kib} KiB are full ({MORE_STACK}), or {THREADS}",
        kib = size >> 10
    )]
    Overflow { size: u64 },
    #[error(
        "guest touched {address:#x}, where there is no memory to touch (translation fault), rip={rip:#x}"
    )]
    NoMemory { address: u64, rip: u64 },
    #[error("guest executed HLT: expected hypercall HALT, rip={rip:#x}")]
    Hlt { rip: u64 },
    /// Some processors reset the registers on the way, so there is no telling where.
    #[error(
        "guest triple-faulted: expected an interrupt descriptor table that handles its exceptions"
    )]
    Shutdown,
    #[error(
        "this machine's /dev/kvm cannot execute the unikernel (KVM exit {reason}), rip={rip:#x}: expected KVM on \
         hardware virtualisation; build for spt and run it with solo5-spt instead"
    )]
    Unusable { reason: u32, rip: u64 },
    #[error(
        "virtual processor stopped for reason {reason} that no guest should give, rip={rip:#x}"
    )]
    Exit { reason: u32, rip: u64 },
    #[error("virtual processor cannot run: {what} (os error {errno})")]
    Run { what: &'static str, errno: i32 },
    #[error("host cannot {what}: os error {errno}")]
    Io { what: &'static str, errno: i32 },
    #[error("host transferred {done} bytes of {len} in {what}: expected all of them")]
    Short {
        what: &'static str,
        done: usize,
        len: usize,
    },
}

impl Fault {
    /// Prints the fault as one line and ends the process, whatever its other threads do.
    pub(super) fn die(self) -> ! {
        notice(format_args!("{self}"));
        exit(1)
    }
}

/// Prints one line, behind the seccomp filter too; one that does not fit is cut.
pub(super) fn notice(text: std::fmt::Arguments<'_>) {
    let mut line = Line::default();
    let _ = writeln!(line, "{}: {text}", crate::Tender::Hvt.program());
    line.print();
}

/// Ends the process at once, running no handlers: nothing here needs tidying up.
pub(super) fn exit(status: i32) -> ! {
    // SAFETY: the call has no precondition.
    unsafe { libc::_exit(status) }
}

/// A line of text that takes no memory but its own.
pub(super) struct Line {
    bytes: [u8; 256],
    len: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            bytes: [0; 256],
            len: 0,
        }
    }
}

impl std::io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = &mut self.bytes[self.len..];
        let len = bytes.len().min(room.len());
        room[..len].copy_from_slice(&bytes[..len]);
        self.len += len;
        Ok(len)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Line {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn print(&self) {
        let text = self.as_bytes();
        // SAFETY: the pointer and the length are those of a live slice. A failure to print is nobody's loss.
        unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }
}
