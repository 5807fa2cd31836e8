//! The workloads. Each is the same sequence of requests for each allocator.

use crate::subjects::Subject;

/// xorshift64*: the same numbers each time.
pub struct Numbers(u64);

impl Numbers {
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % below
    }
    /// As likely between 16 and 32 as between 32 and 64, and so on.
    fn next_size(&mut self, largest_power: usize) -> usize {
        let power = 4 + self.next(largest_power - 4);
        (1 << power) + self.next(1 << power)
    }
}

/// Touches an allocation as its owner would; panics if there is none.
fn touch(allocation: *mut u8, size: usize) -> Option<*mut u8> {
    if allocation.is_null() {
        return None;
    }
    // SAFETY: the allocation has `size` bytes, at least one.
    unsafe {
        allocation.write(1);
        allocation.add(size - 1).write(2);
    }
    Some(allocation)
}

/// Replaces one of `slots` allocations at random, `rounds` times. `None` if memory runs out.
fn churn(
    subject: &mut impl Subject,
    slots: usize,
    rounds: usize,
    size: impl Fn(&mut Numbers) -> usize,
) -> Option<usize> {
    let mut numbers = Numbers::new();
    let mut live = vec![(std::ptr::null_mut::<u8>(), 0); slots];
    let (mut bytes, mut peak) = (0, 0);
    for _ in 0..rounds {
        let slot = &mut live[numbers.next(slots)];
        if !slot.0.is_null() {
            // SAFETY: it comes from this subject.
            unsafe { subject.free(slot.0) };
        }
        bytes -= slot.1;
        let size = size(&mut numbers);
        *slot = (touch(subject.malloc(size), size)?, size);
        bytes += size;
        peak = peak.max(bytes);
    }
    for (allocation, _) in live.into_iter().filter(|slot| !slot.0.is_null()) {
        // SAFETY: it comes from this subject.
        unsafe { subject.free(allocation) };
    }
    Some(peak)
}

/// Small objects, as of a parser: 8 to 511 bytes, 10,000 of them live.
pub fn small(subject: &mut impl Subject) -> Option<usize> {
    churn(subject, 10_000, 300_000, |numbers| 8 + numbers.next(504))
}

/// All sizes from 16 bytes to 256 KiB, 2,000 of them live.
pub fn mixed(subject: &mut impl Subject) -> Option<usize> {
    churn(subject, 2_000, 200_000, |numbers| numbers.next_size(18))
}

/// Buffers for frames, first in first out, 256 of them live.
pub fn frames(subject: &mut impl Subject) -> Option<usize> {
    let mut live = std::collections::VecDeque::new();
    for round in 0..300_000_usize {
        let size = if round % 3 == 0 { 66 } else { 1_514 };
        live.push_back(touch(subject.malloc(size), size)?);
        if live.len() > 256 {
            // SAFETY: it comes from this subject.
            unsafe { subject.free(live.pop_front()?) };
        }
    }
    for allocation in live {
        // SAFETY: it comes from this subject.
        unsafe { subject.free(allocation) };
    }
    Some(256 * 1_514)
}

/// Four vectors that double in turns from 16 bytes to 32 MiB, then shrink to a third, ten times.
pub fn grow(subject: &mut impl Subject) -> Option<usize> {
    for _ in 0..10 {
        let mut vectors = [std::ptr::null_mut(); 4];
        for vector in &mut vectors {
            *vector = touch(subject.malloc(16), 16)?;
        }
        for power in 5..=25 {
            for vector in &mut vectors {
                // SAFETY: it comes from this subject.
                *vector = touch(unsafe { subject.realloc(*vector, 1 << power) }, 1 << power)?;
            }
        }
        for vector in vectors {
            // SAFETY: it comes from this subject.
            unsafe {
                let vector = touch(subject.realloc(vector, (1 << 25) / 3), (1 << 25) / 3)?;
                subject.free(vector);
            }
        }
    }
    Some(4 << 25)
}

/// 200 MB, allocated and freed, 1,000 times.
pub fn large(subject: &mut impl Subject) -> Option<usize> {
    for _ in 0..1_000 {
        let allocation = touch(subject.malloc(200_000_000), 200_000_000)?;
        // SAFETY: it comes from this subject.
        unsafe { subject.free(allocation) };
    }
    Some(200_000_000)
}
