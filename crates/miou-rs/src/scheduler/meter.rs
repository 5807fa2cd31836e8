//! How long tasks run, measured as cheaply as the machine allows.
//!
//! After each poll the scheduler asks whether the quantum has passed. Reading the
//! event source's clock for that would cost more than the poll of a task that
//! yields (a system call, under Solo5's spt tender). So on x86_64, where the
//! time-stamp counter runs at a constant rate, the counter is read, and its rate
//! is learnt from the event source's clock, which is read at each tick anyway.
//! Elsewhere, and in virtual time, the clock itself is read.

use core::cell::Cell;

use crate::Instant;

/// Before the rate is known one tick is taken to be a nanosecond. Every CPU's
/// counter is faster than that, so the quantum is at first too short, never
/// too long.
pub(crate) struct Meter {
    counter: bool,
    /// Nanoseconds per tick, as a 32.32 fixed-point number.
    rate: Cell<u64>,
    quantum_nanos: u64,
    quantum_ticks: Cell<u64>,
    origin: Cell<(u64, Instant)>,
    calibrate_after: Cell<u64>,
}

/// The first calibration needs that much time to be exact within a percent or
/// so; later ones, each after twice the time, refine it.
const FIRST_CALIBRATION_NANOS: u64 = 20_000;

impl Meter {
    pub(crate) fn new(quantum_nanos: u64, real_time: bool, now: Instant) -> Self {
        let counter = real_time && counter::is_steady();
        let ticks = if counter {
            counter::read()
        } else {
            now.as_nanos()
        };
        Self {
            counter,
            rate: Cell::new(1 << 32),
            quantum_nanos,
            quantum_ticks: Cell::new(quantum_nanos),
            origin: Cell::new((ticks, now)),
            calibrate_after: Cell::new(FIRST_CALIBRATION_NANOS),
        }
    }

    /// The counter, or else the clock.
    #[inline]
    pub(crate) fn ticks(&self, now: impl FnOnce() -> Instant) -> u64 {
        if self.counter {
            counter::read()
        } else {
            now().as_nanos()
        }
    }

    /// The quantum, in ticks.
    #[inline]
    pub(crate) fn quantum(&self) -> u64 {
        self.quantum_ticks.get()
    }

    pub(crate) fn nanos(&self, ticks: u64) -> u64 {
        ((u128::from(ticks) * u128::from(self.rate.get())) >> 32) as u64
    }

    /// The number of ticks in that time, at least 1.
    pub(crate) fn ticks_in(&self, nanos: u64) -> u64 {
        let ticks = (u128::from(nanos) << 32) / u128::from(self.rate.get());
        u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
    }

    /// Compares counter and clock, both just read.
    pub(crate) fn calibrate(&self, ticks: u64, now: Instant) {
        let (first, start) = self.origin.get();
        let nanos = now.as_nanos().saturating_sub(start.as_nanos());
        if !self.counter || nanos < self.calibrate_after.get() {
            return;
        }
        self.calibrate_after.set(nanos.saturating_mul(2));
        let ticks = ticks.wrapping_sub(first).max(1);
        let rate = ((u128::from(nanos) << 32) / u128::from(ticks)) as u64;
        // Never slower than assumed at first: see `Meter`.
        let rate = rate.clamp(1, 1 << 32);
        self.rate.set(rate);
        if self.quantum_nanos != 0 {
            self.quantum_ticks.set(self.ticks_in(self.quantum_nanos));
        }
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod counter {
    use core::arch::x86_64::{__cpuid, _rdtsc};

    /// Whether the counter runs at a constant rate whatever the CPU does
    /// ("invariant TSC", AMD64 manual volume 3, CPUID 8000_0007h EDX bit 8).
    pub(super) fn is_steady() -> bool {
        const POWER_MANAGEMENT: u32 = 0x8000_0007;
        const INVARIANT: u32 = 1 << 8;
        __cpuid(0x8000_0000).eax >= POWER_MANAGEMENT
            && __cpuid(POWER_MANAGEMENT).edx & INVARIANT != 0
    }

    #[inline]
    pub(super) fn read() -> u64 {
        // SAFETY: every x86_64 CPU has the instruction.
        unsafe { _rdtsc() }
    }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
mod counter {
    pub(super) fn is_steady() -> bool {
        false
    }

    pub(super) fn read() -> u64 {
        0
    }
}
