//! Directories that are being read.

use core::cell::{Cell, RefCell};
use core::ffi::{c_char, c_int};

use libc::dirent64;

use super::node::Node;

/// What `opendir` gives: the entries as they were then.
pub(super) struct Directory {
    pub(super) fd: c_int,
    entries: Vec<(u64, u8, Vec<u8>)>,
    next: Cell<usize>,
    told: RefCell<Box<dirent64>>,
}

/// The type of an entry: the type bits of a mode, where `dirent` has them.
fn kind(node: &Node) -> u8 {
    (node.kind() >> 12) as u8
}

impl Directory {
    pub(super) fn new(fd: c_int, node: &Node) -> Self {
        let this = |name: &[u8]| (node.number, kind(node), name.to_vec());
        let mut entries = vec![this(b"."), this(b"..")];
        if let Some(inside) = node.entries() {
            let inside = inside.borrow();
            let inside = inside.iter();
            entries.extend(inside.map(|(name, node)| (node.number, kind(node), name.clone())));
        }
        // SAFETY: all zeros is a valid value.
        let told = Box::new(unsafe { core::mem::zeroed() });
        Self {
            fd,
            entries,
            next: Cell::new(0),
            told: RefCell::new(told),
        }
    }

    /// The next entry, valid until this is called again; null at the end.
    pub(super) fn next(&self) -> *mut dirent64 {
        let index = self.next.get();
        let Some((number, kind, name)) = self.entries.get(index) else {
            return core::ptr::null_mut();
        };
        self.next.set(index + 1);
        let told = &mut **self.told.borrow_mut();
        told.d_ino = *number;
        told.d_off = (index + 1) as i64;
        told.d_reclen = size_of::<dirent64>() as u16;
        told.d_type = *kind;
        told.d_name.fill(0);
        // A name has 255 octets at the most, and there is room for a zero more.
        for (place, octet) in told.d_name.iter_mut().zip(name) {
            *place = *octet as c_char;
        }
        &raw mut *told
    }

    pub(super) fn rewind(&self) {
        self.next.set(0);
    }
}
