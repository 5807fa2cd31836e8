//! Random bytes: ChaCha20 keyed by the processor's random number instructions.
//!
//! After each request the generator takes a new key from its own output, so that what was given out
//! cannot be computed from the state found later; every [`RESEED_INTERVAL`] requests the processor's
//! randomness is mixed in again.

use super::hypercall::fatal;
use super::single_thread::SingleThread;
use crate::chacha20::{Key, Stream};
use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count};
use core::ffi::{c_int, c_uint, c_void};
use core::{hint, slice};
use libc::{size_t, ssize_t};

/// In requests.
const RESEED_INTERVAL: u32 = 1024;

struct Generator {
    stream: Stream,
    requests: u32,
}

static GENERATOR: SingleThread<Option<Generator>> = SingleThread::new(None);

impl Generator {
    fn new() -> Self {
        Self {
            stream: Stream::new(processor_randomness()),
            requests: 0,
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        self.stream.fill(bytes);
        let mut key = self.stream.key();
        self.requests = self.requests.wrapping_add(1);
        if self.requests.is_multiple_of(RESEED_INTERVAL) {
            for (word, fresh) in key.iter_mut().zip(processor_randomness()) {
                *word ^= fresh;
            }
        }
        self.stream = Stream::new(key);
    }
}

/// How often an instruction that has nothing to give is tried again. RDRAND fails at most a few times
/// in a row; RDSEED may be drained by other users of the processor, and is then replaced by RDRAND.
const TRIES: u32 = 128;

fn processor_randomness() -> Key {
    let has_rdrand = __cpuid(1).ecx & (1 << 30) != 0;
    let has_rdseed = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx & (1 << 18) != 0;
    if !has_rdrand && !has_rdseed {
        fatal(
            "random numbers are needed, but the processor has neither RDSEED nor RDRAND \
             (under QEMU: choose a -cpu that has them)",
        );
    }
    let words = [0; size_of::<Key>() / size_of::<u64>()].map(|_: u64| {
        let seed = if has_rdseed { retry(rdseed) } else { None };
        seed.or_else(|| if has_rdrand { retry(rdrand) } else { None })
            .unwrap_or_else(|| fatal("the processor's random number instructions keep failing"))
    });
    // Some processors are known to give all ones for ever while they claim success.
    if words.iter().all(|&word| word == words[0]) {
        fatal("the processor's random number instructions always give the same number");
    }
    let mut key = Key::default();
    for (halves, word) in key.chunks_exact_mut(2).zip(words) {
        halves.copy_from_slice(&[word as u32, (word >> 32) as u32]);
    }
    key
}

fn retry(instruction: fn() -> Option<u64>) -> Option<u64> {
    (0..TRIES).find_map(|_| {
        let word = instruction();
        if word.is_none() {
            hint::spin_loop();
        }
        word
    })
}

fn rdseed() -> Option<u64> {
    let (word, success): (u64, u8);
    // SAFETY: called if CPUID says that the processor has RDSEED, which changes registers only.
    unsafe {
        asm!("rdseed {}", "setc {}", out(reg) word, out(reg_byte) success, options(nomem, nostack));
    }
    (success != 0).then_some(word)
}

fn rdrand() -> Option<u64> {
    let (word, success): (u64, u8);
    // SAFETY: called if CPUID says that the processor has RDRAND, which changes registers only.
    unsafe {
        asm!("rdrand {}", "setc {}", out(reg) word, out(reg_byte) success, options(nomem, nostack));
    }
    (success != 0).then_some(word)
}

/// Fills a buffer with random bytes.
///
/// # Safety
///
/// `buffer` has `size` writable bytes.
pub(super) unsafe fn fill(buffer: *mut u8, size: usize) {
    if size == 0 {
        return;
    }
    // SAFETY: see above. Nothing else refers to GENERATOR while this function runs.
    unsafe {
        let bytes = slice::from_raw_parts_mut(buffer, size);
        (*GENERATOR.get())
            .get_or_insert_with(Generator::new)
            .fill(bytes);
    }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getrandom(
    buffer: *mut c_void,
    size: size_t,
    _flags: c_uint,
) -> ssize_t {
    // SAFETY: the caller's promise is the same.
    unsafe { fill(buffer.cast(), size) };
    size.cast_signed()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(buffer: *mut c_void, size: size_t) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { fill(buffer.cast(), size) };
    0
}
