//! `memcpy` and its family.
//!
//! They are in assembly because compilers turn loops that copy or fill into calls of these very
//! functions. Blocks of up to 128 bytes are done with overlapping unaligned loads, all before the
//! first store, so that the copies need not know which way the blocks overlap; larger ones with an
//! aligned loop of SSE2, which every x86_64 has, or with `rep movsb` and `rep stosb` from the size on
//! at which they win, if the processor has the fast ones (ERMS, FSRM). AVX is not used: hvt guests
//! start with it off.

use core::arch::naked_asm;
use core::arch::x86_64::{__cpuid, __cpuid_count};
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

/// From how many bytes on `rep movsb` and `rep stosb` are used; out of reach until
/// [`detect_processor`] says otherwise.
static REPEAT_FROM: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The size from which the string instructions' start-up cost is made up for (see the README).
const ENHANCED_FROM: usize = 2048;

/// Looks whether the processor's string instructions are fast (CPUID's "enhanced rep movsb and
/// stosb").
pub fn detect_processor() {
    if __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx & (1 << 9) != 0 {
        REPEAT_FROM.store(ENHANCED_FROM, Ordering::Relaxed);
    }
}

/// Copies `size` bytes, which may overlap; gives `to`.
///
/// One routine, long as it is: a call to another one would cost as much as copying 16 bytes.
///
/// # Safety
///
/// `from` is valid for reads and `to` for writes of `size` bytes.
#[unsafe(naked)]
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn memmove(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
    naked_asm!(
        "mov rax, rdi",
        "cmp rdx, 16",
        "jb 20f",
        "cmp rdx, 32",
        "ja 2f",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [rdi + rdx - 16], xmm1",
        "ret",
        // 33..=64
        "2:",
        "cmp rdx, 64",
        "ja 3f",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + rdx - 32]",
        "movups xmm3, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "movups [rdi + rdx - 32], xmm2",
        "movups [rdi + rdx - 16], xmm3",
        "ret",
        // 65..=128
        "3:",
        "cmp rdx, 128",
        "ja 4f",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + 32]",
        "movups xmm3, [rsi + 48]",
        "movups xmm4, [rsi + rdx - 64]",
        "movups xmm5, [rsi + rdx - 48]",
        "movups xmm6, [rsi + rdx - 32]",
        "movups xmm7, [rsi + rdx - 16]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm1",
        "movups [rdi + 32], xmm2",
        "movups [rdi + 48], xmm3",
        "movups [rdi + rdx - 64], xmm4",
        "movups [rdi + rdx - 48], xmm5",
        "movups [rdi + rdx - 32], xmm6",
        "movups [rdi + rdx - 16], xmm7",
        "ret",
        // More: backward if `to` lies within the block to be read, else forward.
        "4:",
        "mov rcx, rdi",
        "sub rcx, rsi",
        "cmp rcx, rdx",
        "jb 7f",
        "cmp rdx, [rip + {repeat_from}]",
        "jb 5f",
        // rep movsb is slow where `to` lies shortly before `from`.
        "neg rcx",
        "cmp rcx, 64",
        "jb 5f",
        "mov rcx, rdx",
        "rep movsb",
        "ret",
        // Forward: the last 64 bytes and the first 16 are read before anything is written, and are
        // written last; between them the loop writes aligned blocks.
        "5:",
        "movups xmm4, [rsi + rdx - 64]",
        "movups xmm5, [rsi + rdx - 48]",
        "movups xmm6, [rsi + rdx - 32]",
        "movups xmm7, [rsi + rdx - 16]",
        "movups xmm8, [rsi]",
        "lea r8, [rdi + rdx]",   // the end of the block to be written
        "lea rcx, [rdi + 16]",
        "and rcx, -16",          // the first aligned address after the beginning
        "sub rsi, rdi",
        "add rsi, rcx",          // what belongs there
        "lea r9, [r8 - 64]",
        "6:",
        "movups xmm0, [rsi]",
        "movups xmm1, [rsi + 16]",
        "movups xmm2, [rsi + 32]",
        "movups xmm3, [rsi + 48]",
        "add rsi, 64",
        "movaps [rcx], xmm0",
        "movaps [rcx + 16], xmm1",
        "movaps [rcx + 32], xmm2",
        "movaps [rcx + 48], xmm3",
        "add rcx, 64",
        "cmp rcx, r9",
        "jb 6b",
        "movups [r8 - 64], xmm4",
        "movups [r8 - 48], xmm5",
        "movups [r8 - 32], xmm6",
        "movups [r8 - 16], xmm7",
        "movups [rdi], xmm8",
        "ret",
        // Backward, the same from the other end: the first 64 bytes and the last 16 are read first.
        "7:",
        "movups xmm4, [rsi]",
        "movups xmm5, [rsi + 16]",
        "movups xmm6, [rsi + 32]",
        "movups xmm7, [rsi + 48]",
        "movups xmm8, [rsi + rdx - 16]",
        "lea r8, [rdi + rdx]",
        "lea rcx, [r8 - 1]",
        "and rcx, -16",          // the last aligned address before the end
        "sub rsi, rdi",
        "add rsi, rcx",
        "lea r9, [rdi + 64]",
        "8:",
        "movups xmm0, [rsi - 16]",
        "movups xmm1, [rsi - 32]",
        "movups xmm2, [rsi - 48]",
        "movups xmm3, [rsi - 64]",
        "sub rsi, 64",
        "movaps [rcx - 16], xmm0",
        "movaps [rcx - 32], xmm1",
        "movaps [rcx - 48], xmm2",
        "movaps [rcx - 64], xmm3",
        "sub rcx, 64",
        "cmp rcx, r9",
        "ja 8b",
        "movups [rdi], xmm4",
        "movups [rdi + 16], xmm5",
        "movups [rdi + 32], xmm6",
        "movups [rdi + 48], xmm7",
        "movups [r8 - 16], xmm8",
        "ret",
        // 8..=15
        "20:",
        "cmp edx, 8",
        "jb 21f",
        "mov rcx, [rsi]",
        "mov r8, [rsi + rdx - 8]",
        "mov [rdi], rcx",
        "mov [rdi + rdx - 8], r8",
        "ret",
        // 4..=7
        "21:",
        "cmp edx, 4",
        "jb 22f",
        "mov ecx, [rsi]",
        "mov r8d, [rsi + rdx - 4]",
        "mov [rdi], ecx",
        "mov [rdi + rdx - 4], r8d",
        "ret",
        // 0..=3
        "22:",
        "test edx, edx",
        "jz 23f",
        "movzx ecx, byte ptr [rsi]",
        "movzx r8d, byte ptr [rsi + rdx - 1]",
        "shr edx, 1",
        "movzx r9d, byte ptr [rsi + rdx]",
        "mov [rdi + rdx], r9b",
        "mov [rdi], cl",
        "jc 24f",
        "mov [rdi + 1], r8b",    // two bytes
        "23:",
        "ret",
        "24:",
        "mov [rdi + rdx*2], r8b", // one or three
        "ret",
        repeat_from = sym REPEAT_FROM,
    )
}

/// Copies `size` bytes; gives `to`. It is [`memmove`]: rustc itself relies on `memcpy` of a block onto
/// itself.
///
/// # Safety
///
/// `from` is valid for reads and `to` for writes of `size` bytes.
#[unsafe(naked)]
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn memcpy(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
    naked_asm!("jmp {memmove}", memmove = sym memmove)
}

/// Fills `size` bytes with the lowest eight bits of `byte`; gives `to`.
///
/// # Safety
///
/// `to` is valid for writes of `size` bytes.
#[unsafe(naked)]
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn memset(to: *mut c_void, byte: c_int, size: usize) -> *mut c_void {
    naked_asm!(
        "mov rax, rdi",
        "cmp rdx, [rip + {repeat_from}]",
        "jae 9f",
        "movzx esi, sil",
        "mov rcx, 0x0101010101010101",
        "imul rsi, rcx",
        "cmp rdx, 16",
        "jb 20f",
        "movq xmm0, rsi",
        "punpcklqdq xmm0, xmm0",
        "movups [rdi], xmm0",
        "movups [rdi + rdx - 16], xmm0",
        "cmp rdx, 32",
        "jbe 3f",
        "movups [rdi + 16], xmm0",
        "movups [rdi + rdx - 32], xmm0",
        "cmp rdx, 64",
        "jbe 3f",
        "movups [rdi + 32], xmm0",
        "movups [rdi + 48], xmm0",
        "movups [rdi + rdx - 64], xmm0",
        "movups [rdi + rdx - 48], xmm0",
        "cmp rdx, 128",
        "jbe 3f",
        // The first 64 and the last 64 bytes are done: aligned blocks between them.
        "lea rcx, [rdi + rdx - 64]",
        "add rdi, 64",
        "and rdi, -16",
        "2:",
        "movaps [rdi], xmm0",
        "movaps [rdi + 16], xmm0",
        "movaps [rdi + 32], xmm0",
        "movaps [rdi + 48], xmm0",
        "add rdi, 64",
        "cmp rdi, rcx",
        "jb 2b",
        "3:",
        "ret",
        "9:",
        "mov r8, rax",
        "mov eax, esi",
        "mov rcx, rdx",
        "rep stosb",
        "mov rax, r8",
        "ret",
        "20:",
        "cmp edx, 8",
        "jb 21f",
        "mov [rdi], rsi",
        "mov [rdi + rdx - 8], rsi",
        "ret",
        "21:",
        "cmp edx, 4",
        "jb 22f",
        "mov [rdi], esi",
        "mov [rdi + rdx - 4], esi",
        "ret",
        "22:",
        "test edx, edx",
        "jz 23f",
        "mov [rdi], sil",
        "mov [rdi + rdx - 1], sil",
        "shr edx, 1",
        "mov [rdi + rdx], sil",
        "23:",
        "ret",
        repeat_from = sym REPEAT_FROM,
    )
}

/// Compares `size` bytes: negative, zero or positive as the first that differs is less in `left`,
/// none differs, or it is greater.
///
/// # Safety
///
/// Both are valid for reads of `size` bytes.
#[unsafe(naked)]
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn memcmp(left: *const c_void, right: *const c_void, size: usize) -> c_int {
    naked_asm!(
        "cmp rdx, 16",
        "jb 20f",
        // Blocks of 16 from the beginning; r8 is the offset of the last one, which may overlap.
        "lea r8, [rdx - 16]",
        "xor ecx, ecx",
        "2:",
        "movups xmm0, [rdi + rcx]",
        "movups xmm1, [rsi + rcx]",
        "pcmpeqb xmm0, xmm1",
        "pmovmskb eax, xmm0",
        "xor eax, 0xffff",
        "jnz 4f",
        "cmp rcx, r8",
        "jae 3f",
        "add rcx, 16",
        "cmp rcx, r8",
        "cmova rcx, r8",
        "jmp 2b",
        "3:",
        "xor eax, eax",
        "ret",
        "4:",
        "bsf eax, eax",
        "add rcx, rax",
        "movzx eax, byte ptr [rdi + rcx]",
        "movzx ecx, byte ptr [rsi + rcx]",
        "sub eax, ecx",
        "ret",
        // 8..=15: two numbers whose order is that of their bytes
        "20:",
        "cmp edx, 8",
        "jb 21f",
        "mov rax, [rdi]",
        "mov rcx, [rsi]",
        "cmp rax, rcx",
        "jne 24f",
        "mov rax, [rdi + rdx - 8]",
        "mov rcx, [rsi + rdx - 8]",
        "jmp 24f",
        // 4..=7
        "21:",
        "cmp edx, 4",
        "jb 22f",
        "mov eax, [rdi]",
        "mov ecx, [rsi]",
        "cmp eax, ecx",
        "jne 24f",
        "mov eax, [rdi + rdx - 4]",
        "mov ecx, [rsi + rdx - 4]",
        "24:",
        "bswap rax",
        "bswap rcx",
        "cmp rax, rcx",
        "seta al",
        "setb cl",
        "movzx eax, al",
        "movzx ecx, cl",
        "sub eax, ecx",
        "ret",
        // 0..=3
        "22:",
        "test edx, edx",
        "jz 3b",
        "xor ecx, ecx",
        "23:",
        "movzx eax, byte ptr [rdi + rcx]",
        "movzx r8d, byte ptr [rsi + rcx]",
        "sub eax, r8d",
        "jnz 25f",
        "inc ecx",
        "cmp ecx, edx",
        "jb 23b",
        "25:",
        "ret",
    )
}

/// Zero if and only if the `size` bytes are equal.
///
/// # Safety
///
/// Both are valid for reads of `size` bytes.
#[unsafe(naked)]
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn bcmp(left: *const c_void, right: *const c_void, size: usize) -> c_int {
    naked_asm!("jmp {memcmp}", memcmp = sym memcmp)
}
