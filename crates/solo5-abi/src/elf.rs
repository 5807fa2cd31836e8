//! What a Solo5 executable must be, beyond being an ELF file: the numbers that linker scripts,
//! loaders and tools share.

/// Lowest address at which a segment or the entry point may lie; everything below belongs to the
/// tender.
pub const MIN_ADDRESS: u64 = 0x10_0000;

/// Unit of memory protection: every loaded segment starts and ends at a multiple of it.
pub const PAGE_SIZE: u64 = 0x1000;

/// Path that a unikernel's `PT_INTERP` names, so that the host's kernel refuses to run the file.
pub const INTERPRETER: &str = "/nonexistent/solo5/";

/// `e_ehsize`, bytes of the ELF header.
pub const HEADER_SIZE: u16 = 64;
/// `e_phentsize`, bytes of one program header.
pub const PROGRAM_HEADER_SIZE: u16 = 56;
/// `e_version` and the version byte of `e_ident`: `EV_CURRENT`.
pub const VERSION: u32 = 1;
/// `e_type` of the only kind of file that is loaded: `ET_EXEC`, statically linked at its address.
pub const TYPE_EXEC: u16 = 2;
/// `e_machine`: `EM_X86_64`.
pub const MACHINE_X86_64: u16 = 62;

/// `p_type` of a segment that is loaded.
pub const PT_LOAD: u32 = 1;
/// `p_type` of the interpreter's path.
pub const PT_INTERP: u32 = 3;
/// `p_type` of a segment of notes.
pub const PT_NOTE: u32 = 4;
/// `p_type` of the initial image of thread-local storage.
pub const PT_TLS: u32 = 7;

/// `p_flags`: executable.
pub const PF_X: u32 = 1;
/// `p_flags`: writable.
pub const PF_W: u32 = 2;
/// `p_flags`: readable.
pub const PF_R: u32 = 4;
