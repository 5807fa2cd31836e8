//! An assembler for the few instructions that the guests need.

/// A 64-bit register, by its number in the encoding.
#[derive(Clone, Copy)]
pub(crate) enum Reg {
    Rax = 0,
    Rdx = 2,
    Rsp = 4,
    Rsi = 6,
    Rdi = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
}

/// Machine code in the making.
#[derive(Clone, Default)]
pub(crate) struct Code(pub(crate) Vec<u8>);

impl Code {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Any bytes.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// `mov reg, value`.
    pub(crate) fn set(self, reg: Reg, value: u64) -> Self {
        let (high, low) = (reg as u8 >> 3, reg as u8 & 7);
        self.bytes(&[0x48 | high, 0xb8 | low])
            .bytes(&value.to_le_bytes())
    }

    /// `mov to, from`.
    pub(crate) fn copy(self, to: Reg, from: Reg) -> Self {
        let (to, from) = (to as u8, from as u8);
        self.bytes(&[
            0x48 | from >> 3 << 2 | to >> 3,
            0x89,
            0xc0 | (from & 7) << 3 | to & 7,
        ])
    }

    /// `mov eax, [address]`.
    pub(crate) fn load(self, address: u64) -> Self {
        self.set(Reg::R8, address).bytes(&[0x41, 0x8b, 0x00])
    }

    /// `mov dword [address], value`.
    pub(crate) fn store(self, address: u64, value: u32) -> Self {
        self.set(Reg::R8, address)
            .bytes(&[0x41, 0xc7, 0x00])
            .bytes(&value.to_le_bytes())
    }

    /// `jmp address`.
    pub(crate) fn jump(self, address: u64) -> Self {
        self.set(Reg::R8, address).bytes(&[0x41, 0xff, 0xe0])
    }

    /// `shr rdi, count`.
    pub(crate) fn shift_rdi(self, count: u8) -> Self {
        self.bytes(&[0x48, 0xc1, 0xef, count])
    }

    /// A system call with its arguments.
    pub(crate) fn syscall(mut self, number: u64, arguments: &[u64]) -> Self {
        let registers = [Reg::Rdi, Reg::Rsi, Reg::Rdx, Reg::R10, Reg::R8, Reg::R9];
        for (&register, &argument) in registers.iter().zip(arguments) {
            self = self.set(register, argument);
        }
        self.set(Reg::Rax, number).bytes(&[0x0f, 0x05])
    }

    /// `exit_group(status)`.
    pub(crate) fn exit(self, status: u64) -> Self {
        self.syscall(231, &[status])
    }

    /// `exit_group(rdi)`.
    pub(crate) fn exit_rdi(self) -> Self {
        self.set(Reg::Rax, 231).bytes(&[0x0f, 0x05])
    }

    /// A 32-bit `OUT` of `value` to `port`.
    pub(crate) fn out(self, port: u16, value: u32) -> Self {
        self.set(Reg::Rax, value.into())
            .set(Reg::Rdx, port.into())
            .bytes(&[0xef])
    }

    /// `hlt`.
    pub(crate) fn hlt(self) -> Self {
        self.bytes(&[0xf4])
    }
}
