//! What libgcc's unwinder asks: where the tables of the (one) object with a given address are.

use super::hypercall::script;
use core::ffi::{c_int, c_void};
use core::mem;
use libc::{Elf64_Phdr, PF_R, PF_X, PT_GNU_EH_FRAME, PT_LOAD, dl_phdr_info, size_t};

/// glibc's `struct dl_find_object` (dlfcn.h).
#[repr(C)]
struct FoundObject {
    flags: u64,
    map_start: *const c_void,
    map_end: *const c_void,
    link_map: *const c_void,
    eh_frame_header: *const c_void,
    reserved: [u64; 7],
}

fn image() -> (*const c_void, *const c_void) {
    (&raw const script::TEXT_START, &raw const script::IMAGE_END)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn _dl_find_object(address: *const c_void, found: *mut FoundObject) -> c_int {
    let (map_start, map_end) = image();
    if !(map_start..map_end).contains(&address) {
        return -1;
    }
    // SAFETY: the caller gives a place for the structure.
    unsafe {
        found.write(FoundObject {
            flags: 0,
            map_start,
            map_end,
            link_map: core::ptr::null(),
            eh_frame_header: &raw const script::EH_FRAME_HDR_START,
            reserved: [0; 7],
        });
    }
    0
}

fn header(kind: u32, flags: u32, start: *const c_void, end: *const c_void) -> Elf64_Phdr {
    let size = (end.addr() - start.addr()) as u64;
    Elf64_Phdr {
        p_type: kind,
        p_flags: flags,
        p_offset: 0,
        p_vaddr: start.addr() as u64,
        p_paddr: start.addr() as u64,
        p_filesz: size,
        p_memsz: size,
        p_align: 4096,
    }
}

type Callback = unsafe extern "C" fn(*mut dl_phdr_info, size_t, *mut c_void) -> c_int;

/// The executable's own program headers are not loaded; these two say the same about it.
#[unsafe(no_mangle)]
unsafe extern "C" fn dl_iterate_phdr(callback: Callback, data: *mut c_void) -> c_int {
    let (start, end) = image();
    let headers = [
        header(PT_LOAD, PF_R | PF_X, start, end),
        header(
            PT_GNU_EH_FRAME,
            PF_R,
            &raw const script::EH_FRAME_HDR_START,
            &raw const script::EH_FRAME_HDR_END,
        ),
    ];
    // SAFETY: all zeros is a valid value; the callback takes what glibc passes.
    unsafe {
        let mut info: dl_phdr_info = mem::zeroed();
        info.dlpi_name = c"".as_ptr();
        info.dlpi_phdr = headers.as_ptr();
        info.dlpi_phnum = headers.len() as u16;
        callback(&raw mut info, size_of::<dl_phdr_info>(), data)
    }
}
