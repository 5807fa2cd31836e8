//! The `spt` tender: the unikernel runs in this very process, behind a seccomp filter.

mod enter;
mod flush;
mod memory;
mod overflow;
mod rseq;
mod seccomp;
mod trampoline;
mod watch;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use manifest_gen::elf::LoadPlan;
use solo5_abi::manifest::TENDER_WRFSBASE;
use solo5_abi::note::Target;
use solo5_abi::spt::{ABI_VERSION, BOOT_INFO, BootInfo, EPOLL_TIMER, MANIFEST, STACK_OFFSET};

use crate::Tender;
use crate::attach::Devices;
use crate::confine::{Own, confine};
use crate::console::make_nonblocking;
use crate::error::Error;
use crate::kernel::{Kernel, command_line, own_stack};
use crate::options::Options;
use crate::polling::{epoll_add, epoll_add_once, epoll_create, timerfd_create};
use crate::process::{ignore_signals_of_writes, refuse_read_implies_exec};
use crate::shutdown::Shutdown;
use flush::Flusher;
use memory::Memory;
use trampoline::{Resident, Start};
use watch::Watch;

/// The index of the manifest's first entry, under which the guest is told of its end.
const FIRST_ENTRY: u64 = 0;

/// What the tender runs.
pub const TARGET: Target = Target::Spt;

/// Why spt in particular could not run a unikernel.
#[derive(Debug, thiserror::Error)]
pub enum SptError {
    /// Guest memory cannot be mapped.
    #[error("cannot map guest memory from {start:#x} to {end:#x}: {source}{hint}")]
    Map {
        /// First address.
        start: u64,
        /// End address.
        end: u64,
        /// Why not.
        source: io::Error,
        /// What may help.
        hint: &'static str,
    },
    /// Memory cannot be protected.
    #[error("cannot protect guest memory from {start:#x} to {end:#x}: {source}")]
    Protect {
        /// First address.
        start: u64,
        /// End address.
        end: u64,
        /// Why not.
        source: io::Error,
    },
    /// The descriptors for waiting cannot be made.
    #[error("cannot set up epoll and timer descriptors: {0}")]
    Polling(#[source] io::Error),
    /// What it takes to tell the guest of its end cannot be had.
    #[error("cannot prepare for SIGTERM and SIGINT: {0}")]
    Shutdown(#[source] io::Error),
    /// The filter cannot be built.
    #[error("cannot build the seccomp filter: {0}")]
    Filter(#[source] seccompiler::BackendError),
    /// The tender cannot leave its own address space to the guest.
    #[error("cannot leave the process to the unikernel: {0}")]
    Leave(#[source] io::Error),
}

/// [`TENDER_WRFSBASE`], if the kernel has turned that instruction on.
fn wrfsbase() -> u16 {
    /// `HWCAP2_FSGSBASE` of Linux' asm/hwcap2.h.
    const FSGSBASE: libc::c_ulong = 1 << 1;
    // SAFETY: it reads a table that the kernel has left to the process.
    let features = unsafe { libc::getauxval(libc::AT_HWCAP2) };
    if features & FSGSBASE != 0 {
        TENDER_WRFSBASE
    } else {
        0
    }
}

/// Runs the unikernel that `options` name; comes back only when that is impossible.
///
/// # Errors
///
/// Whatever stands in the way. Once the unikernel runs, the process ends as the unikernel does.
pub fn run(options: &Options) -> Result<std::convert::Infallible, Error> {
    refuse_read_implies_exec()?;
    ignore_signals_of_writes();
    make_nonblocking().map_err(Error::Console)?;
    let mut kernel = Kernel::open(&options.kernel, TARGET, ABI_VERSION)?;
    let mut devices = Devices::attach(&kernel.manifest(), options)?;
    let cmdline = command_line(&devices.words, &options.args)?;
    devices.start_wires(Tender::Spt, options)?;
    let plan = kernel.plan(options.mem)?;

    if options.exec_heap {
        Tender::Spt.notice("warning: guest memory outside the loaded segments is executable");
    }
    let memory = load(&mut kernel, &plan, options.mem, options.exec_heap)?;

    let (epoll, timer) = polling(&devices).map_err(SptError::Polling)?;
    let shutdown = shutdown(&devices, &epoll).map_err(SptError::Shutdown)?;
    let manifest = devices.manifest(wrfsbase());
    let cmdline_at = MANIFEST + manifest.len() as u64;
    let boot_info = BootInfo {
        mem_size: options.mem,
        kernel_end: plan.kernel_end,
        cmdline: cmdline_at,
        mft: MANIFEST,
        epollfd: epoll.as_raw_fd(),
        timerfd: timer.as_raw_fd(),
    };
    memory.write(BOOT_INFO, &boot_info.to_bytes());
    memory.write(MANIFEST, &manifest);
    memory.write(cmdline_at, &cmdline);

    let filter = seccomp::filter(&devices, epoll.as_raw_fd(), timer.as_raw_fd())
        .map_err(SptError::Filter)?;
    let start = Start {
        entry: plan.entry,
        stack: options.mem - STACK_OFFSET,
        boot_info: BOOT_INFO,
        own_stack: own_stack(&plan),
    };
    let watch = shutdown.as_ref().map(Watch::new).transpose();
    let watch = watch.map_err(SptError::Filter)?;
    let flushers = Flusher::of(&devices).map_err(SptError::Filter)?;
    let mut residents: Vec<&dyn Resident> = flushers.iter().map(|it| it as _).collect();
    residents.extend(watch.as_ref().map(|watch| watch as &dyn Resident));
    drop(kernel);
    enter::reset_signals();
    if let Some(shutdown) = &shutdown {
        shutdown.block_signals().map_err(SptError::Shutdown)?;
    }
    let streams = shutdown.iter();
    let streams = streams.flat_map(|shutdown| [shutdown.told.as_raw_fd(), shutdown.notice]);
    let own = Own {
        descriptors: streams
            .chain([epoll.as_raw_fd(), timer.as_raw_fd()])
            .collect(),
        polled: 0,
    };
    let confine = || confine(Tender::Spt, options, &devices, &own);
    // SAFETY: the plan has checked that `entry` is in guest memory, which is mapped; the stack pointer is in its
    // writable top; nothing of this process is needed after the jump but the descriptors, which stay open because
    // `devices`, `epoll`, `timer` and `shutdown` are never dropped; this program has started no thread.
    Err(unsafe { enter::enter(&filter, options.mem, start, &residents, confine) })
}

/// Guest memory with the executable in it.
fn load(kernel: &mut Kernel, plan: &LoadPlan, mem: u64, exec_heap: bool) -> Result<Memory, Error> {
    let memory = Memory::map(mem, exec_heap)?;
    kernel.load(plan, |start, len| memory.slice(start, len))?;
    for segment in &plan.segments {
        memory.protect(segment)?;
    }
    Ok(memory)
}

/// See [`crate::try_load`].
pub(crate) fn try_load(path: &Path, mem: u64) -> Result<(), Error> {
    let mut kernel = Kernel::open(path, TARGET, ABI_VERSION)?;
    let plan = kernel.plan(mem)?;
    load(&mut kernel, &plan, mem, false).map(drop)
}

/// What it takes to tell the guest of its end, if it asks for that; the epoll set then tells once.
fn shutdown(devices: &Devices, epoll: &OwnedFd) -> io::Result<Option<Shutdown>> {
    let Some(seconds) = devices.shutdown else {
        return Ok(None);
    };
    let shutdown = Shutdown::new(seconds)?;
    epoll_add_once(epoll, &shutdown.told, FIRST_ENTRY)?;
    Ok(Some(shutdown))
}

/// The epoll set that the unikernel waits on: every network device by its handle, and so the ends of flushes, and the timer.
fn polling(devices: &Devices) -> io::Result<(OwnedFd, OwnedFd)> {
    let epoll = epoll_create()?;
    let timer = timerfd_create()?;
    epoll_add(&epoll, &timer, EPOLL_TIMER)?;
    for device in &devices.net {
        epoll_add(&epoll, &device.interface, device.handle as u64)?;
    }
    for device in &devices.block {
        if let Some(background) = &device.background {
            epoll_add(&epoll, &background.end, device.handle as u64)?;
        }
    }
    Ok((epoll, timer))
}
