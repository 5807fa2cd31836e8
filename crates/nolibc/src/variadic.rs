//! Arguments of C's variadic functions, after the System V ABI for x86_64 (section 3.5.7). Rust defines no such functions,
//! so each is a few instructions that store the registers and call a function which takes a `va_list`.

use core::ffi::c_void;

/// `va_list`: an array of one of these, so that a C function which takes one gets its address.
#[repr(C)]
#[derive(Debug)]
pub struct VaList {
    /// Where, in the saved registers, the next integer is; all are used at 48.
    integers: u32,
    /// Where the next floating-point number is; all are used at 176.
    floats: u32,
    /// The next argument on the stack.
    stack: *const c_void,
    saved: *const c_void,
}

impl VaList {
    /// The next integer or pointer, in the lower bits as far as it is narrower.
    ///
    /// # Safety
    ///
    /// The caller has passed one.
    pub(crate) unsafe fn integer(&mut self) -> u64 {
        // SAFETY: the register, or the place on the stack, holds the argument that the caller has passed.
        unsafe {
            if self.integers >= 48 {
                return self.on_stack();
            }
            let place = self.saved.byte_add(self.integers as usize);
            self.integers += 8;
            place.cast::<u64>().read()
        }
    }

    /// The next pointer.
    ///
    /// # Safety
    ///
    /// The caller has passed one.
    pub(crate) unsafe fn pointer<T>(&mut self) -> *mut T {
        // SAFETY: the caller's promise is the same.
        core::ptr::with_exposed_provenance_mut(unsafe { self.integer() } as usize)
    }

    /// The next `double`.
    ///
    /// # Safety
    ///
    /// The caller has passed one.
    pub(crate) unsafe fn float(&mut self) -> f64 {
        // SAFETY: as in `integer`; a register's place has 16 bytes, of which a number has the lower ones.
        unsafe {
            if self.floats >= 176 {
                return f64::from_bits(self.on_stack());
            }
            let place = self.saved.byte_add(self.floats as usize);
            self.floats += 16;
            place.cast::<f64>().read()
        }
    }

    /// The next `long double`, as the nearest `double`.
    ///
    /// # Safety
    ///
    /// The caller has passed one.
    pub(crate) unsafe fn long_float(&mut self) -> f64 {
        let place = self.stack.map_addr(|stack| stack.next_multiple_of(16));
        self.stack = place.wrapping_byte_add(16);
        // SAFETY: all are on the stack, aligned, with ten bytes of sixteen.
        unsafe {
            let significand = place.cast::<u64>().read();
            nearest(significand, place.cast::<u16>().add(4).read())
        }
    }

    /// # Safety
    ///
    /// There is another argument on the stack.
    unsafe fn on_stack(&mut self) -> u64 {
        // SAFETY: see above.
        let argument = unsafe { self.stack.cast::<u64>().read() };
        self.stack = self.stack.wrapping_byte_add(8);
        argument
    }
}

/// The `double` nearest to a number of 80 bits, of which `head` has the sign and the exponent.
fn nearest(significand: u64, head: u16) -> f64 {
    const EXPONENT: u16 = 0x7fff;
    let magnitude = match head & EXPONENT {
        EXPONENT if significand << 1 == 0 => f64::INFINITY,
        EXPONENT => f64::NAN,
        exponent => {
            let mut exponent = i32::from(exponent.max(1)) - 16_383 - 63;
            let mut magnitude = significand as f64;
            while exponent != 0 {
                let step = exponent.clamp(-1_000, 1_000);
                // 2 to the power of `step`.
                magnitude *= f64::from_bits(((1_023 + step).unsigned_abs() as u64) << 52);
                exponent -= step;
            }
            magnitude
        }
    };
    if head > EXPONENT {
        -magnitude
    } else {
        magnitude
    }
}

/// Defines C functions with a variable number of arguments. `NAME(FIXED, REGISTER) = TARGET` has `FIXED` arguments before
/// them and calls `TARGET` with these and, in `REGISTER`, which is that of the next argument, the address of a
/// [`VaList`] of the rest.
macro_rules! variadic {
    ($($(#[$doc:meta])* $visible:vis $name:ident($fixed:literal, $register:literal) = $target:path;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            ///
            /// To be called as C declares it.
            #[unsafe(naked)]
            #[cfg_attr(nolibc_archive, unsafe(no_mangle))]
            $visible unsafe extern "C" fn $name() {
                // A VaList of 24 bytes, 8 to align what follows, 48 bytes of integers, 128 of floats, 8 to align the stack.
                core::arch::naked_asm!(
                    "sub rsp, 216",
                    "mov [rsp + 32], rdi",
                    "mov [rsp + 40], rsi",
                    "mov [rsp + 48], rdx",
                    "mov [rsp + 56], rcx",
                    "mov [rsp + 64], r8",
                    "mov [rsp + 72], r9",
                    "test al, al",
                    "je 2f",
                    "movaps [rsp + 80], xmm0",
                    "movaps [rsp + 96], xmm1",
                    "movaps [rsp + 112], xmm2",
                    "movaps [rsp + 128], xmm3",
                    "movaps [rsp + 144], xmm4",
                    "movaps [rsp + 160], xmm5",
                    "movaps [rsp + 176], xmm6",
                    "movaps [rsp + 192], xmm7",
                    "2:",
                    "mov dword ptr [rsp], {used}",
                    "mov dword ptr [rsp + 4], 48",
                    "lea rax, [rsp + 224]",
                    "mov [rsp + 8], rax",
                    "lea rax, [rsp + 32]",
                    "mov [rsp + 16], rax",
                    concat!("mov ", $register, ", rsp"),
                    "call {target}",
                    "add rsp, 216",
                    "ret",
                    used = const 8 * $fixed,
                    target = sym $target,
                )
            }
        )*
    };
}
pub(crate) use variadic;
