//! Devices declared where they are used.
//!
//! A declaration is 104 bytes in a section `.solo5.manifest.device.NAME`, which the linker scripts
//! gather into the manifest, unless `--gc-sections` has found that nothing refers to it. It is
//! written in assembly because only there can a section belong to a COMDAT group: of all
//! declarations with the same name and type, in whatever crates and monomorphizations, the linker
//! keeps one. Within one object, where a group may be given only once, `.ifndef` does the same.
//!
//! A second, untyped symbol makes a name that is declared as two different things (net and block, or
//! net with and without offload) an error of the assembler or of the linker, which names the symbol
//! `solo5_device_NAME_is_declared_in_two_ways`.

use solo5_abi::manifest::{
    BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY, NET_OFFLOAD, NET_OFFLOAD_UDP, NET_OFFLOAD_V6,
};

use crate::{DeviceType, Entry};

/// The manifest entry as the numbers that the assembler is given.
///
/// # Panics
///
/// At compile time, when the name is not 1 to 67 ASCII letters and digits.
pub const fn entry_words(name: &str, device_type: DeviceType, offload: bool) -> [u64; 13] {
    let wanted = match device_type {
        DeviceType::NetBasic if offload => NET_OFFLOAD | NET_OFFLOAD_V6 | NET_OFFLOAD_UDP,
        DeviceType::NetBasic => 0,
        DeviceType::BlockBasic => BLOCK_FLUSH | BLOCK_MANY | BLOCK_DISCARD,
    };
    let mut entry = Entry::new(name, device_type);
    // Upstream's bindings do not tell a program what the tender grants, as that its frames carry headers: it must not ask.
    if cfg!(not(solo5_upstream_bindings)) {
        entry = entry.wanting(wanted);
    }
    // SAFETY: both types have 104 bytes, and an entry has no byte of padding.
    unsafe { core::mem::transmute::<Entry, [u64; 13]>(entry) }
}

/// Declares the network device `"name"` and acquires it: an expression of type
/// `Result<Net, AcquireError>`.
///
/// The name is a literal of 1 to 67 ASCII letters and digits; anything else does not compile. A
/// library may declare a device: it is in the manifest of those programs that can reach the
/// expression. Used twice, the name means one device, of which the second use gets
/// [`AcquireError`](crate::AcquireError); used with [`block!`](crate::block!) too, it is an error at
/// link time.
///
/// `net!("name", offload)` also asks the tender for network offload, for a program that can do with
/// or without it: [`Net::has_offload`](crate::Net::has_offload) tells whether each frame now has a
/// [`NetHeader`](crate::NetHeader), [`Net::has_offload_v6`](crate::Net::has_offload_v6) whether
/// that goes for TCP over IPv6 as for TCP over IPv4, and [`Net::has_offload_udp`](crate::Net::has_offload_udp)
/// whether for UDP. The same name with and without `offload` is an error at link
/// time.
///
/// ```no_run
/// let net = solo5_ffi::net!("service")?;
/// println!("MTU {}", net.mtu());
/// # Ok::<(), solo5_ffi::AcquireError>(())
/// ```
///
/// ```no_run
/// let uplink = solo5_ffi::net!("uplink", offload)?;
/// let mut frame = vec![0; uplink.read_size()];
/// # Ok::<(), solo5_ffi::AcquireError>(())
/// ```
///
/// ```compile_fail
/// let net = solo5_ffi::net!("my service");
/// ```
#[macro_export]
macro_rules! net {
    ($name:literal) => {
        $crate::Net::acquire($crate::__device_entry!($name, "net", NetBasic, false))
    };
    ($name:literal, offload) => {
        $crate::Net::acquire($crate::__device_entry!(
            $name,
            "offload_net",
            NetBasic,
            true
        ))
    };
}

/// Declares the block device `"name"` and acquires it: an expression of type
/// `Result<Block, AcquireError>`.
///
/// As [`net!`](crate::net!) otherwise.
///
/// ```no_run
/// let disk = solo5_ffi::block!("disk")?;
/// let mut sector = vec![0; disk.block_size()];
/// disk.read(0, &mut sector)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
macro_rules! block {
    ($name:literal) => {
        $crate::Block::acquire($crate::__device_entry!($name, "block", BlockBasic, false))
    };
}

/// The entry of a device: a `&'static Entry`. Not for direct use.
#[doc(hidden)]
#[macro_export]
macro_rules! __device_entry {
    ($name:literal, $kind:literal, $device_type:ident, $offload:literal) => {{
        mod entry {
            const WORDS: [u64; 13] =
                $crate::entry_words($name, $crate::DeviceType::$device_type, $offload);
            ::core::arch::global_asm!(
                concat!(".ifndef solo5_", $kind, "_device_", $name),
                concat!(
                    ".pushsection .solo5.manifest.device.", $name,
                    ", \"aG\", %progbits, solo5_", $kind, "_device_", $name, ", comdat"
                ),
                ".p2align 3",
                concat!(".globl solo5_", $kind, "_device_", $name),
                concat!(".hidden solo5_", $kind, "_device_", $name),
                concat!(".type solo5_", $kind, "_device_", $name, ", %object"),
                concat!(".size solo5_", $kind, "_device_", $name, ", 104"),
                concat!("solo5_", $kind, "_device_", $name, ":"),
                concat!(".globl solo5_device_", $name, "_is_declared_in_two_ways"),
                concat!(".hidden solo5_device_", $name, "_is_declared_in_two_ways"),
                concat!("solo5_device_", $name, "_is_declared_in_two_ways:"),
                ".quad {0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}, {11}, {12}",
                ".popsection",
                ".endif",
                const WORDS[0], const WORDS[1], const WORDS[2], const WORDS[3], const WORDS[4],
                const WORDS[5], const WORDS[6], const WORDS[7], const WORDS[8], const WORDS[9],
                const WORDS[10], const WORDS[11], const WORDS[12],
            );
        }
        // The symbol is the one defined above, which holds a valid entry, and is never written.
        unsafe extern "C" {
            #[link_name = concat!("solo5_", $kind, "_device_", $name)]
            safe static ENTRY: $crate::Entry;
        }
        &ENTRY
    }};
}
