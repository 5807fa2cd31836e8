//! The `hvt` tender: the unikernel runs in a virtual machine under KVM.

mod console;
mod cpu;
mod fault;
mod flush;
mod hypercall;
mod io;
mod memory;
mod paging;
mod probe;
mod ring;
mod seccomp;
mod signals;
mod vcpu;
mod watch;

use std::convert::Infallible;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::thread;

use kvm_bindings::{KVM_API_VERSION, KVM_MAX_CPUID_ENTRIES, kvm_userspace_memory_region};
use kvm_ioctls::{Cap, IoEventAddress, Kvm, NoDatamatch, VcpuFd, VmFd};
use manifest_gen::elf::LoadPlan;
use seccompiler::{BpfProgram, apply_filter};
use solo5_abi::hvt::{
    ABI_VERSION, BOOT_GDT, BOOT_INFO, BootInfo, FEATURE_NET_RING, LARGE_PAGE_SIZE, MANIFEST,
    MEM_MAX, PORT_KICK, STACK_OFFSET,
};
use solo5_abi::note::Target;

use crate::Tender;
use crate::attach::Devices;
use crate::confine::{Own, confine};
use crate::console::make_nonblocking;
use crate::error::Error;
use crate::kernel::{Kernel, command_line, own_stack};
use crate::options::Options;
use crate::process::{ignore_signals_of_writes, refuse_read_implies_exec};
use crate::shutdown::Shutdown;
use hypercall::Hypercalls;
use memory::GuestMemory;
use paging::Executable;
use ring::{Doorbell, Ring};

pub use probe::probe;

/// What the tender runs.
pub const TARGET: Target = Target::Hvt;

/// Why hvt in particular could not run a unikernel.
#[derive(Debug, thiserror::Error)]
pub enum HvtError {
    /// Too much memory asked for.
    #[error("--mem asks for {} MiB: expected at most {} MiB", .0 >> 20, MEM_MAX >> 20)]
    TooMuchMemory(u64),
    /// Guest memory cannot be had.
    #[error("cannot map {size} bytes of guest memory: {source} (see --mem)")]
    Map {
        /// Bytes asked for.
        size: u64,
        /// Why not.
        source: std::io::Error,
    },
    /// Guest memory cannot be protected.
    #[error("cannot protect guest memory from {start:#x} to {end:#x}: {source}")]
    Protect {
        /// First address.
        start: u64,
        /// End address.
        end: u64,
        /// Why not.
        source: std::io::Error,
    },
    /// `/dev/kvm` cannot be opened.
    #[error(
        "cannot open /dev/kvm: {0} (expected a machine with hardware virtualisation, and permission to use it; a unikernel built for spt needs neither)"
    )]
    OpenKvm(#[source] kvm_ioctls::Error),
    /// It is there, and no unikernel could run.
    #[error("/dev/kvm cannot execute a guest: expected KVM on hardware virtualisation")]
    Unusable,
    /// KVM is not the one that this tender knows.
    #[error("KVM has API version {found}: expected {expected}")]
    ApiVersion {
        /// The version found.
        found: i32,
        /// The one and only version.
        expected: u32,
    },
    /// KVM lacks something.
    #[error("KVM lacks the capability {0:?}")]
    Capability(Cap),
    /// CPUID has too many leaves.
    #[error("cannot make the guest's CPUID: {0}")]
    Cpuid(#[source] vmm_sys_util::fam::Error),
    /// KVM refuses something.
    #[error("KVM cannot {what}: {source}{hint}")]
    Kvm {
        /// What was asked of it.
        what: &'static str,
        /// Why not.
        source: kvm_ioctls::Error,
        /// What may help.
        hint: &'static str,
    },
    /// SIGTERM and SIGINT cannot be taken.
    #[error("cannot prepare for SIGTERM and SIGINT: {0}")]
    Signals(#[source] std::io::Error),
    /// The network thread did not come up.
    #[error("cannot start the network thread: {0}")]
    NetworkThread(#[source] std::io::Error),
    /// A thread that flushes did not come up.
    #[error("cannot start a thread that flushes: {0}")]
    FlushThread(#[source] std::io::Error),
    /// The filter cannot be built.
    #[error("cannot build the seccomp filter: {0}")]
    Filter(#[source] seccompiler::BackendError),
    /// The filter cannot be installed.
    #[error("cannot install the seccomp filter: {0}")]
    Install(#[source] seccompiler::Error),
}

/// The error of a KVM call, for `map_err`.
fn kvm_error(what: &'static str) -> impl Fn(kvm_ioctls::Error) -> HvtError {
    move |source| HvtError::Kvm {
        what,
        source,
        hint: "",
    }
}

/// How much memory there is, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    /// Bytes of all of it, a multiple of 2 MiB.
    size: u64,
    /// Bytes of it that the guest is told of.
    mem_size: u64,
    /// Address of the network ring.
    ring: Option<u64>,
}

impl Layout {
    /// `mem` bytes, rounded down to 2 MiB but never to nothing; with a network device 2 MiB more for the ring, as far
    /// as the maximum allows.
    fn new(mem: u64, net: bool) -> Result<Self, HvtError> {
        if mem > MEM_MAX {
            return Err(HvtError::TooMuchMemory(mem));
        }
        let mem = (mem & !(LARGE_PAGE_SIZE - 1)).max(LARGE_PAGE_SIZE);
        if !net {
            return Ok(Self {
                size: mem,
                mem_size: mem,
                ring: None,
            });
        }
        let size = (mem + LARGE_PAGE_SIZE).min(MEM_MAX);
        let ring = size - LARGE_PAGE_SIZE;
        Ok(Self {
            size,
            mem_size: ring,
            ring: Some(ring),
        })
    }
}

/// What lives as long as the process, since several threads use it.
struct Machine {
    memory: GuestMemory,
    devices: Devices,
}

/// Runs the unikernel that `options` name; comes back only when that is impossible.
///
/// # Errors
///
/// Whatever stands in the way. Once the unikernel runs, the process ends as the unikernel does.
pub fn run(options: &Options) -> Result<Infallible, Error> {
    refuse_read_implies_exec()?;
    ignore_signals_of_writes();
    make_nonblocking().map_err(Error::Console)?;
    let mut kernel = Kernel::open(&options.kernel, TARGET, ABI_VERSION)?;
    let mut devices = Devices::attach(&kernel.manifest(), options)?;
    let cmdline = command_line(&devices.words, &options.args)?;
    devices.start_wires(Tender::Hvt, options)?;
    let layout = Layout::new(options.mem, !devices.net.is_empty())?;
    if layout.mem_size != options.mem {
        Tender::Hvt.notice(&format!(
            "guest memory rounded from {} MiB to {} MiB",
            options.mem >> 20,
            layout.mem_size >> 20
        ));
    }
    let plan = kernel.plan(layout.mem_size)?;

    let (kvm, vm) = create_vm()?;
    let memory = load(&mut kernel, &plan, layout)?;
    let region = kvm_userspace_memory_region {
        slot: 0,
        flags: 0,
        guest_phys_addr: 0,
        memory_size: memory.size(),
        userspace_addr: memory.host_address(),
    };
    // SAFETY: the memory is leaked below, so it outlives the virtual machine.
    unsafe { vm.set_user_memory_region(region) }.map_err(kvm_error("map guest memory"))?;
    let machine: &'static Machine = Box::leak(Box::new(Machine { memory, devices }));
    let Machine { memory, devices } = machine;

    let mut vcpu = create_vcpu(&kvm, &vm, memory, &plan, layout, options.exec_heap)?;
    let doorbell = layout.ring.and_then(|_| connect_doorbell(&vm));
    let doorbell: Option<&'static Doorbell> =
        doorbell.map(|doorbell| &*Box::leak(Box::new(doorbell)));
    let ring = layout.ring.filter(|_| doorbell.is_some());
    let boot_info = BootInfo {
        mem_size: layout.mem_size,
        kernel_end: plan.kernel_end,
        cpu_cycle_freq: tsc_frequency(&vcpu)?,
        host_features: if ring.is_some() { FEATURE_NET_RING } else { 0 },
        net_ring: ring.unwrap_or(0),
        ..Default::default()
    };
    write_boot_info(memory, boot_info, devices, &cmdline);

    let filter = seccomp::vcpu_filter(&vcpu, devices, doorbell).map_err(HvtError::Filter)?;
    let shutdown = prepare_shutdown(devices)?;
    // The machine stays as long as its processor; there is nothing more to ask of it.
    drop((kvm, vm));
    let mut hypercalls = Hypercalls::new(memory, devices, shutdown);
    let own = Own {
        descriptors: descriptors(&vcpu, doorbell, shutdown),
        polled: hypercalls.polled(),
    };
    confine(Tender::Hvt, options, devices, &own)?;
    heed_signals(shutdown)?;
    flush::start(machine)?;
    if let (Some(doorbell), Some(address)) = (doorbell, ring) {
        start_ring(machine, doorbell, address)?;
    }
    apply_filter(&filter).map_err(HvtError::Install)?;
    let ran = vcpu::run(&mut vcpu, &mut hypercalls, own_stack(&plan).as_ref());
    hypercalls.finish();
    match ran {
        Ok(status) => {
            if let Some(doorbell) = doorbell {
                doorbell.finish();
            }
            fault::exit(status & 0xff)
        }
        Err(fault) => fault.die(),
    }
}

/// What it takes to tell the guest of its end, if it asks for that.
fn prepare_shutdown(devices: &Devices) -> Result<Option<&'static Shutdown>, HvtError> {
    let shutdown = devices.shutdown.map(Shutdown::new).transpose();
    let shutdown = shutdown.map_err(HvtError::Signals)?;
    Ok(shutdown.map(|shutdown| &*Box::leak(Box::new(shutdown))))
}

/// Has signals end the guest at once, or tell it first if it asks for that.
fn heed_signals(shutdown: Option<&'static Shutdown>) -> Result<(), HvtError> {
    match shutdown {
        Some(shutdown) => watch::start(shutdown),
        None => signals::install().map_err(HvtError::Signals),
    }
}

/// Those that are needed from now on, besides the devices'.
fn descriptors(
    vcpu: &VcpuFd,
    doorbell: Option<&Doorbell>,
    shutdown: Option<&Shutdown>,
) -> Vec<RawFd> {
    let told = shutdown.map(|shutdown| [shutdown.told.as_raw_fd(), shutdown.notice]);
    let doorbell =
        doorbell.map(|doorbell| [&doorbell.kick, &doorbell.done].map(AsRawFd::as_raw_fd));
    let others = told.into_iter().chain(doorbell).flatten();
    others.chain([vcpu.as_raw_fd()]).collect()
}

fn create_vm() -> Result<(Kvm, VmFd), HvtError> {
    let kvm = Kvm::new().map_err(HvtError::OpenKvm)?;
    let (found, expected) = (kvm.get_api_version(), KVM_API_VERSION);
    if u32::try_from(found) != Ok(expected) {
        return Err(HvtError::ApiVersion { found, expected });
    }
    for capability in [Cap::UserMemory, Cap::GetTscKhz] {
        if !kvm.check_extension(capability) {
            return Err(HvtError::Capability(capability));
        }
    }
    let vm = kvm
        .create_vm()
        .map_err(kvm_error("create a virtual machine"))?;
    Ok((kvm, vm))
}

/// Guest memory with the executable in it.
fn load(kernel: &mut Kernel, plan: &LoadPlan, layout: Layout) -> Result<GuestMemory, Error> {
    let Layout { size, mem_size, .. } = layout;
    let mut memory =
        GuestMemory::new(size, mem_size).map_err(|source| HvtError::Map { size, source })?;
    kernel.load(plan, |start, len| memory.slice(start, len))?;
    for segment in &plan.segments {
        let (start, end) = (segment.start, segment.end);
        memory
            .protect(segment)
            .map_err(|source| HvtError::Protect { start, end, source })?;
    }
    Ok(memory)
}

/// What is executable of guest memory.
fn executable(plan: &LoadPlan) -> Executable {
    let segments = plan.segments.iter();
    let segments = segments.filter(|segment| segment.is_executable());
    Executable::Only(segments.map(|segment| segment.start..segment.end).collect())
}

/// See [`crate::try_load`].
pub(crate) fn try_load(path: &Path, mem: u64) -> Result<(), Error> {
    let mut kernel = Kernel::open(path, TARGET, ABI_VERSION)?;
    let layout = Layout::new(mem, false)?;
    let plan = kernel.plan(layout.mem_size)?;
    let memory = load(&mut kernel, &plan, layout)?;
    for (address, entries) in paging::tables(layout.size, &executable(&plan)) {
        memory.write(address, &entries.map(u64::to_le_bytes).concat());
    }
    Ok(())
}

/// The virtual processor, ready to enter the guest, and its tables in guest memory.
fn create_vcpu(
    kvm: &Kvm,
    vm: &VmFd,
    memory: &GuestMemory,
    plan: &LoadPlan,
    layout: Layout,
    exec_heap: bool,
) -> Result<VcpuFd, HvtError> {
    let vcpu = vm
        .create_vcpu(0)
        .map_err(kvm_error("create a virtual processor"))?;
    let cpuid = kvm
        .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
        .map_err(kvm_error("tell which CPUID it supports"))?;
    let cpuid = cpu::visible(&cpuid).map_err(HvtError::Cpuid)?;
    // Before the registers: EFER.NXE needs its CPUID bit.
    vcpu.set_cpuid2(&cpuid).map_err(kvm_error("set CPUID"))?;
    let no_execute = !exec_heap && cpu::has_no_execute(&cpuid);
    if !no_execute {
        Tender::Hvt.notice("warning: all guest memory is executable");
    }
    let executable = if no_execute {
        executable(plan)
    } else {
        Executable::Everything
    };
    for (address, entries) in paging::tables(layout.size, &executable) {
        memory.write(address, &entries.map(u64::to_le_bytes).concat());
    }
    memory.write(BOOT_GDT, &cpu::GDT.map(u64::to_le_bytes).concat());
    vcpu.set_sregs(&cpu::sregs(no_execute))
        .map_err(kvm_error("set the special registers"))?;
    let regs = cpu::regs(plan.entry, layout.mem_size - STACK_OFFSET);
    vcpu.set_regs(&regs)
        .map_err(kvm_error("set the general registers"))?;
    Ok(vcpu)
}

/// Frequency of the guest's time-stamp counter in Hz.
fn tsc_frequency(vcpu: &VcpuFd) -> Result<u64, HvtError> {
    let hint = " (EIO means that the host's own is not stable, which no guest's clock can do with)";
    let khz = vcpu.get_tsc_khz().map_err(|source| HvtError::Kvm {
        what: "tell the TSC frequency",
        source,
        hint,
    })?;
    Ok(u64::from(khz) * 1000)
}

/// The kick port, connected to an eventfd; without it there is no ring, and frames go by hypercall.
fn connect_doorbell(vm: &VmFd) -> Option<Doorbell> {
    let without = |why: &dyn std::fmt::Display| {
        Tender::Hvt.notice(&format!(
            "warning: no network ring, frames go by hypercall: {why}"
        ));
    };
    if !vm.check_extension(Cap::Ioeventfd) {
        without(&HvtError::Capability(Cap::Ioeventfd));
        return None;
    }
    let doorbell = Doorbell::new().inspect_err(|error| without(error)).ok()?;
    let port = IoEventAddress::Pio(u64::from(PORT_KICK));
    let registered = vm.register_ioevent(&doorbell.kick, &port, NoDatamatch);
    registered.inspect_err(|error| without(error)).ok()?;
    Some(doorbell)
}

/// Boot information, manifest and command line, one behind the other.
fn write_boot_info(memory: &GuestMemory, boot_info: BootInfo, devices: &Devices, cmdline: &[u8]) {
    let manifest = devices.manifest(0);
    let cmdline_at = MANIFEST + manifest.len() as u64;
    let boot_info = BootInfo {
        cmdline: cmdline_at,
        mft: MANIFEST,
        ..boot_info
    };
    memory.write(BOOT_INFO, &boot_info.to_bytes());
    memory.write(MANIFEST, &manifest);
    memory.write(cmdline_at, cmdline);
}

/// Starts the thread that serves the network ring, behind a filter of its own.
fn start_ring(
    machine: &'static Machine,
    doorbell: &'static Doorbell,
    address: u64,
) -> Result<(), HvtError> {
    let filter = seccomp::ring_filter(&machine.devices, doorbell).map_err(HvtError::Filter)?;
    let thread = thread::Builder::new().name("net-ring".to_owned());
    thread
        .spawn(move || serve_ring(&filter, machine, doorbell, address))
        .map_err(HvtError::NetworkThread)?;
    doorbell.wait_ready().map_err(HvtError::NetworkThread)
}

fn serve_ring(filter: &BpfProgram, machine: &Machine, doorbell: &Doorbell, address: u64) -> ! {
    let ring = Ring::new(&machine.memory, &machine.devices, address);
    let ring = ring.expect("the layout has room for the ring, page-aligned");
    if let Err(error) = apply_filter(filter) {
        Tender::Hvt.notice(&HvtError::Install(error).to_string());
        fault::exit(1);
    }
    let served = doorbell.done.write(1).map_err(|error| fault::Fault::Io {
        what: "start the network thread",
        errno: error.raw_os_error().unwrap_or(0),
    });
    if let Err(fault) = served.and_then(|()| ring.serve(doorbell)) {
        fault.die();
    }
    let _ = doorbell.done.write(1);
    loop {
        // A thread's end would make system calls that the filter forbids; the process is about to end anyway.
        // SAFETY: the call has no precondition.
        unsafe { libc::pause() };
    }
}

#[cfg(test)]
mod tests;
