//! Namespaces of the process's own, with nothing in them: the network is the TAP's descriptor, which stays what it is.
//!
//! Not one of processes: only children would be in it, so that a process of the tender's would have to stay outside and
//! wait, and it, not the guest, would be the one that a supervisor knows.

use std::io;
use std::ptr;

use super::{Lacking, done};
use crate::options::Options;

/// Each, by its name for the reader.
const NAMESPACES: [(libc::c_int, &str); 4] = [
    (libc::CLONE_NEWNS, "mount"),
    (libc::CLONE_NEWIPC, "ipc"),
    (libc::CLONE_NEWUTS, "uts"),
    (libc::CLONE_NEWNET, "net"),
];

/// Leaves the host's namespaces, and its files unless another root directory is asked for.
pub(super) fn leave(options: &Options, lacking: &mut Lacking) {
    let own_root = options.chroot.is_none();
    let namespaces = NAMESPACES.iter();
    // A mount namespace whose root stays would keep the host from unmounting what it has mounted.
    let wanted = namespaces.filter(|&&(flag, _)| own_root || flag != libc::CLONE_NEWNS);
    let all = wanted.clone().fold(0, |all, (flag, _)| all | flag);
    let left = unshare(all).or_else(|error| match options.user {
        // In a user namespace there is no other user to become.
        Some(_) => Err(error),
        None => unshare(all | libc::CLONE_NEWUSER),
    });
    let mut has_mount = own_root;
    if left.is_err() {
        // One by one, what there is.
        for &(flag, name) in wanted {
            let left = unshare(flag);
            has_mount &= flag != libc::CLONE_NEWNS || left.is_ok();
            lacking.note(&format!("{name} namespace"), left);
        }
    }
    if has_mount {
        lacking.note("an empty root directory", leave_files());
    }
}

fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: the call takes no pointer and has no effect on memory.
    done(unsafe { libc::unshare(flags) }.into())
}

/// Makes the root an empty directory, and lets go of all that was mounted.
fn leave_files() -> io::Result<()> {
    /// A directory that any system has, which nobody sees any more.
    const PLACE: &std::ffi::CStr = c"/proc";
    // SAFETY: all paths are C strings, and no call has an effect on memory.
    unsafe {
        // What is mounted here is to be seen nowhere else.
        let private = libc::MS_REC | libc::MS_PRIVATE;
        let none = ptr::null();
        done(libc::mount(none, c"/".as_ptr(), none, private, none.cast()).into())?;
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        let (tmpfs, options) = (c"tmpfs".as_ptr(), c"size=4k,mode=0555".as_ptr());
        done(libc::mount(tmpfs, PLACE.as_ptr(), tmpfs, flags, options.cast()).into())?;
        done(libc::chdir(PLACE.as_ptr()).into())?;
        let here = c".".as_ptr();
        match done(libc::syscall(libc::SYS_pivot_root, here, here)) {
            Ok(()) => done(libc::umount2(here, libc::MNT_DETACH).into())?,
            // An initial RAM file system cannot be let go of.
            Err(_) => done(libc::chroot(here).into())?,
        }
        done(libc::chdir(c"/".as_ptr()).into())
    }
}
