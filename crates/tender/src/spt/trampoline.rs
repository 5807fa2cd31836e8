//! The last code of the tender to run: it takes the tender out of the address space, installs the filter, clears
//! every register that a guest can read, and jumps.
//!
//! It runs from two places of its own behind guest memory, code and data, since all else goes. What stays readable for
//! the guest is that code and [`Data`]: numbers that the guest has anyway, and the filter. A page between that memory and
//! the code stays unmapped, so that running over the end is a fault.

use std::arch::global_asm;
use std::io;
use std::mem::offset_of;
use std::ptr;

use seccompiler::BpfProgramRef;
use solo5_abi::manifest::MAX_DEVICES;
use solo5_abi::spt::MEM_BASE;

use super::overflow;

/// Ends of the user half of the address space (four-level paging): nobody is given more unless they ask.
const USER_END: u64 = 0x7fff_ffff_f000;
const PAGE: u64 = 4096;
/// Ranges to unmap: the tender's own, and the kernel's special mappings between them.
const RANGES: usize = 16;

/// A range of addresses to unmap.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Range {
    start: u64,
    len: u64,
    /// 0 if the kernel may refuse: it can seal its own mappings, which hold nothing of ours.
    must: u64,
}

/// `struct sock_fprog`.
#[repr(C)]
pub(super) struct Program {
    pub(super) len: u16,
    pub(super) filter: u64,
}

/// What the code is told.
#[repr(C, align(64))]
struct Data {
    /// The area of XRSTOR or FXRSTOR: all components in their initial state, MXCSR in its default.
    vectors: [u8; 576],
    has_xsave: u64,
    entry: u64,
    stack: u64,
    boot_info: u64,
    program: Program,
    /// `struct rlimit64`: none, now and later.
    no_processes: [u64; 2],
    ranges: [Range; RANGES],
    /// Behind the last one, zeros.
    threads: [Thread; THREADS + 1],
}

/// A thread to start.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Thread {
    /// Addresses of its code, and of what it is told.
    code: u64,
    data: u64,
}

/// The most threads: one that takes the signals, and one for each device.
const THREADS: usize = 1 + MAX_DEVICES;

/// What runs beside the guest, as a thread without a stack, and is nowhere yet.
pub(super) trait Resident {
    /// Its code and what it is told, from `address` on, a multiple of 16.
    ///
    /// It starts with the address of what it is told in R15, and in RBX that of eight octets which the kernel may write to: so
    /// may the guest, and nothing depends on what they hold.
    fn placed(&self, address: u64) -> io::Result<Placed>;
}

/// A thread's code, and where what it is told lies behind it.
pub(super) struct Placed {
    pub(super) bytes: Vec<u8>,
    pub(super) data: u64,
}

/// Where a restored MXCSR lies, and its default: all exceptions masked (Intel SDM volume 1, 10.5.1 and 11.6.4).
const MXCSR_AT: usize = 24;
const MXCSR: u32 = 0x1f80;
/// The x87 control word lies first, for FXRSTOR; its initial value.
const FCW: u16 = 0x37f;

global_asm!(
    ".pushsection .rodata.spt_trampoline, \"a\", @progbits",
    ".globl spt_trampoline_start, spt_trampoline_end",
    ".hidden spt_trampoline_start, spt_trampoline_end",
    // RBX: the data.
    "spt_trampoline_start:",
    "lea r12, [rbx + {ranges}]",
    "mov r13d, {count}",
    "2:",
    "mov rdi, [r12]",
    "mov rsi, [r12 + 8]",
    "test rsi, rsi",
    "jz 3f",
    "mov eax, {munmap}",
    "syscall",
    "test rax, rax",
    "jz 3f",
    "cmp qword ptr [r12 + 16], 0",
    "jne 9f",
    "3:",
    "add r12, {range_size}",
    "dec r13d",
    "jnz 2b",
    // The ranges tell where the kernel's mappings are.
    "lea rdi, [rbx + {ranges}]",
    "mov ecx, {count} * {range_size} / 8",
    "xor eax, eax",
    "rep stosq",
    "mov eax, {arch_prctl}",
    "mov edi, {set_fs}",
    "xor esi, esi",
    "syscall",
    "mov eax, {arch_prctl}",
    "mov edi, {set_gs}",
    "xor esi, esi",
    "syscall",
    // Threads without a stack.
    "lea r12, [rbx + {threads}]",
    "7:",
    "mov r14, [r12]",
    "mov r15, [r12 + 8]",
    "test r14, r14",
    "jz 6f",
    "add r12, 16",
    "mov eax, {clone}",
    "mov edi, {thread}",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "syscall",
    "test rax, rax",
    "js 9f",
    "jnz 7b",
    "jmp r14",
    "6:",
    // The last thread is there. It may be refused: a root's processes are without limit anyway.
    "mov eax, {prlimit}",
    "xor edi, edi",
    "mov esi, {processes}",
    "lea rdx, [rbx + {none}]",
    "xor r10d, r10d",
    "syscall",
    "mov eax, {seccomp}",
    "mov edi, {set_mode_filter}",
    "xor esi, esi",
    "lea rdx, [rbx + {program}]",
    "syscall",
    "test rax, rax",
    "jnz 9f",
    // From here on only what the filter lets through.
    "cmp qword ptr [rbx + {has_xsave}], 0",
    "je 4f",
    "mov eax, -1",
    "mov edx, -1",
    "xrstor64 [rbx]",
    "jmp 5f",
    "4:",
    "fxrstor64 [rbx]",
    "5:",
    "mov rsp, [rbx + {stack}]",
    "mov rdi, [rbx + {boot_info}]",
    "push qword ptr [rbx + {entry}]",
    "xor eax, eax",
    "xor ebx, ebx",
    "xor ecx, ecx",
    "xor edx, edx",
    "xor esi, esi",
    "xor ebp, ebp",
    "xor r8d, r8d",
    "xor r9d, r9d",
    "xor r10d, r10d",
    "xor r11d, r11d",
    "xor r12d, r12d",
    "xor r13d, r13d",
    "xor r14d, r14d",
    "xor r15d, r15d",
    "cld",
    "ret",
    // Nothing is left to go back to.
    "9:",
    "mov eax, {write}",
    "mov edi, 2",
    "lea rsi, [rip + 8f]",
    "mov edx, {refused_len}",
    "syscall",
    "mov eax, {exit_group}",
    "mov edi, 1",
    "syscall",
    "ud2",
    "8: .ascii \"solo5-spt: the kernel refuses to unmap the tender, its filter, or a thread\\n\"",
    "spt_trampoline_end:",
    ".popsection",
    ranges = const offset_of!(Data, ranges),
    count = const RANGES,
    range_size = const size_of::<Range>(),
    program = const offset_of!(Data, program),
    has_xsave = const offset_of!(Data, has_xsave),
    stack = const offset_of!(Data, stack),
    boot_info = const offset_of!(Data, boot_info),
    entry = const offset_of!(Data, entry),
    munmap = const libc::SYS_munmap,
    threads = const offset_of!(Data, threads),
    clone = const libc::SYS_clone,
    // With descriptors of its own: those that two threads share cost each of their calls something.
    thread = const libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD,
    prlimit = const libc::SYS_prlimit64,
    processes = const libc::RLIMIT_NPROC,
    none = const offset_of!(Data, no_processes),
    arch_prctl = const libc::SYS_arch_prctl,
    set_fs = const 0x1002,
    set_gs = const 0x1001,
    seccomp = const libc::SYS_seccomp,
    set_mode_filter = const libc::SECCOMP_SET_MODE_FILTER,
    write = const libc::SYS_write,
    exit_group = const libc::SYS_exit_group,
    refused_len = const 75,
);

unsafe extern "C" {
    static spt_trampoline_start: u8;
    static spt_trampoline_end: u8;
}

/// The code, as it stands in this program.
fn code() -> &'static [u8] {
    // SAFETY: both symbols are labels of the same section above, the second behind the first; what lies between them is
    // never written.
    unsafe {
        between(
            &raw const spt_trampoline_start,
            &raw const spt_trampoline_end,
        )
    }
}

/// Code and data in place, ready to run.
pub(super) struct Trampoline {
    code: u64,
    data: u64,
}

/// Where the guest begins.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) entry: u64,
    pub(super) stack: u64,
    pub(super) boot_info: u64,
    /// The guest's own stack, if it has one.
    pub(super) own_stack: Option<std::ops::Range<u64>>,
}

impl Trampoline {
    /// Puts code and data behind guest memory, which ends at `memory_end`, and what is to run beside the guest.
    pub(super) fn place(
        memory_end: u64,
        start: Start,
        filter: BpfProgramRef<'_>,
        residents: &[&dyn Resident],
    ) -> io::Result<Self> {
        let gap = memory_end.next_multiple_of(PAGE);
        let code_at = gap + PAGE;
        let mut code = code().to_vec();
        let mut threads = [Thread::default(); THREADS + 1];
        for (thread, resident) in threads[..THREADS].iter_mut().zip(residents) {
            code.resize(code.len().next_multiple_of(16), 0);
            thread.code = code_at + code.len() as u64;
            // Where the guest cannot write, as it may run before the thread does.
            let placed = resident.placed(thread.code)?;
            thread.data = placed.data;
            code.extend(placed.bytes);
        }
        let mut overflow_at = None;
        if let Some(stack) = &start.own_stack {
            code.resize(code.len().next_multiple_of(16), 0);
            overflow_at = Some(code_at + code.len() as u64);
            code.extend(overflow::code(stack));
        }
        let code_end = (code_at + code.len() as u64).next_multiple_of(PAGE);
        // The instructions of the filter follow the data.
        let filter_at = code_end + size_of::<Data>() as u64;
        let end = (filter_at + 8 * filter.len() as u64).next_multiple_of(PAGE);
        let base = map(code_at, end - code_at)?;
        let instructions = octets(filter);
        let data = Data {
            vectors: initial_vectors(),
            has_xsave: std::arch::is_x86_feature_detected!("xsave").into(),
            entry: start.entry,
            stack: start.stack,
            boot_info: start.boot_info,
            program: Program {
                len: u16::try_from(filter.len()).map_err(io::Error::other)?,
                filter: filter_at,
            },
            no_processes: [0, 0],
            ranges: ranges(gap..code_at, end, &special_mappings()),
            threads,
        };
        // SAFETY: the fresh mapping is writable, `code`, `Data` and the instructions lie in it one behind the other by the
        // computation above, and its pages are aligned for `Data`.
        unsafe {
            ptr::copy_nonoverlapping(code.as_ptr(), base, code.len());
            let to = base.add((code_end - code_at) as usize);
            to.cast::<Data>().write(data);
            ptr::copy_nonoverlapping(
                instructions.as_ptr(),
                to.add(size_of::<Data>()),
                instructions.len(),
            );
        }
        protect(base, code_end - code_at, libc::PROT_READ | libc::PROT_EXEC)?;
        if let Some(address) = overflow_at {
            overflow::install(address, memory_end)?;
        }
        Ok(Self {
            code: code_at,
            data: code_end,
        })
    }

    /// Leaves the tender for the guest.
    ///
    /// # Safety
    ///
    /// The addresses given to [`Trampoline::place`] must be those of guest memory that is mapped, and no other thread may
    /// exist: everything else of this process is unmapped.
    pub(super) unsafe fn jump(self) -> ! {
        // SAFETY: the code is position-independent, uses no stack, and reads nothing but the data in RBX; it never comes
        // back, so that no state of the compiler's has to be kept.
        unsafe {
            std::arch::asm!(
                "mov rbx, rax",
                "jmp rdx",
                in("rax") self.data,
                in("rdx") self.code,
                options(noreturn)
            )
        }
    }
}

/// What lies between two labels.
///
/// # Safety
///
/// Both must be of one section that is never written, `end` not before `start`.
pub(super) unsafe fn between(start: *const u8, end: *const u8) -> &'static [u8] {
    // SAFETY: the caller's promise: one section, in this order, of which nobody writes.
    unsafe { std::slice::from_raw_parts(start, end.offset_from_unsigned(start)) }
}

/// The instructions of a filter as they lie in memory: code, two counts of a jump, a constant.
pub(super) fn octets(filter: BpfProgramRef<'_>) -> Vec<u8> {
    let instructions = filter.iter().flat_map(|instruction| {
        let [c0, c1] = instruction.code.to_ne_bytes();
        let [k0, k1, k2, k3] = instruction.k.to_ne_bytes();
        [c0, c1, instruction.jt, instruction.jf, k0, k1, k2, k3]
    });
    instructions.collect()
}

fn initial_vectors() -> [u8; 576] {
    let mut area = [0; 576];
    area[..2].copy_from_slice(&FCW.to_ne_bytes());
    area[MXCSR_AT..MXCSR_AT + 4].copy_from_slice(&MXCSR.to_ne_bytes());
    area
}

fn map(start: u64, len: u64) -> io::Result<*mut u8> {
    let wanted = ptr::with_exposed_provenance_mut::<libc::c_void>(start as usize);
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: MAP_FIXED_NOREPLACE leaves existing mappings alone, so nothing of this process can be overwritten.
    let mapped = unsafe { libc::mmap(wanted, len as usize, protection, flags, -1, 0) };
    if mapped != wanted {
        return Err(io::Error::last_os_error());
    }
    Ok(mapped.cast())
}

fn protect(start: *mut u8, len: u64, protection: libc::c_int) -> io::Result<()> {
    // SAFETY: the pages are the trampoline's own, in which no Rust object lives that is used again.
    match unsafe { libc::mprotect(start.cast(), len as usize, protection) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The kernel's own mappings, in order: it may refuse to unmap them. None where `/proc` is not mounted.
fn special_mappings() -> Vec<(u64, u64)> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let special = maps.lines().filter(|line| {
        ["[vdso]", "[vvar]", "[vvar_vclock]", "[uprobes]"]
            .iter()
            .any(|name| line.ends_with(name))
    });
    special
        .filter_map(|line| {
            let (start, rest) = line.split_once('-')?;
            let (end, _) = rest.split_once(' ')?;
            let start = u64::from_str_radix(start, 16).ok()?;
            Some((start, u64::from_str_radix(end, 16).ok()?))
        })
        .collect()
}

/// What lies below guest memory, where nothing should, and in the gap behind it; and all from `start` to the end of user
/// memory, with the special mappings as ranges of their own.
fn ranges(gap: std::ops::Range<u64>, start: u64, special: &[(u64, u64)]) -> [Range; RANGES] {
    let mut ranges = [Range::default(); RANGES];
    let mut at = start;
    let mut next = ranges.iter_mut();
    let mut push = |start: u64, end: u64, must: u64| {
        if let Some(range) = next.next()
            && start < end
        {
            *range = Range {
                start,
                len: end - start,
                must,
            };
        }
    };
    push(0, MEM_BASE, 1);
    push(gap.start, gap.end, 1);
    // Each takes two; the last range is kept for the rest.
    for &(from, to) in special.iter().take((RANGES - 3) / 2) {
        if from >= at && to <= USER_END {
            push(at, from, 1);
            push(from, to, 0);
            at = to;
        }
    }
    push(at, USER_END, 1);
    ranges
}

#[cfg(test)]
mod tests;
