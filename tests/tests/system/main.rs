//! Whole-unikernel tests, all of them on spt, and on hvt some of them; in `ci/long hvt` all of them there too.
//!
//! - [`console`]: a service whose log is not taken.
//! - [`datagrams`]: many UDP datagrams in one frame, with the Linux kernel as peer.
//! - [`disk`]: a block device, in every way that there is to use one.
//! - [`examples`]: what the five examples print and do.
//! - [`executables`]: manifest, W^X segments and interpreter of what the toolchain builds.
//! - [`fetch`]: the example of that name, which is an HTTP client.
//! - [`http`]: the example of that name, with curl as client.
//! - [`https`]: the same with TLS.
//! - [`http_shutdown`]: how it ends when its tender is told to.
//! - [`bad_input`]: what the tenders say about files, options and devices that are no good.
//! - [`kv`]: the example of that name: what it answers, and what it has kept when it was killed.
//! - [`kv_cuts`]: the example `kv` when the power is cut.
//! - [`load`]: many connections at once, with the Linux kernel as client.
//! - [`runner`]: what `solo5-run` adds to what it is told.
//! - [`site`]: the example of that name, on images of each kind, with curl as client.
//! - [`std_exercise`]: the standard library in a unikernel; how programs end, overflow and run out of memory.
//! - [`std_files`], [`std_storage`]: its files with the feature `posix`, in memory and on a disk, kills and cuts among them.
//! - [`std_signals`]: signals as programs handle them, and how programs end.
//! - [`std_sockets`], [`std_ipv6`]: its sockets, and those of tokio, axum and smol.
//! - [`std_stress`]: all of it at its limits.
//! - [`std_threads`]: its threads, and those of crates.
//! - [`tls_compiled_in`]: a certificate that is part of the program.
//! - [`tls_disk`]: certificates on a block device.
//! - [`todo`]: the example of that name, and what it has acknowledged when its database was ended under load.
//! - [`toolchain`]: `cargo run` and `cargo test` with `--target`, crates from crates.io, linkers, missing symbols.
//! - [`unread`]: a network device whose frames nobody reads.
//! - [`user_network`]: networks without root and TAP interfaces.
//!
//! `cargo test -p system-tests spt` runs the tests that need neither KVM nor QEMU.

/// Makes a test for each target out of functions that take one. On hvt, which is emulated as a rule, those behind `long:`
/// are left to `ci/long hvt`: others show there what the target does, and on spt they show the rest.
macro_rules! on_each_target {
    (long: $($long:ident),* $(,)?) => { on_each_target! { ; long: $($long),* } };
    ($($test:ident),* $(,)?) => { on_each_target! { $($test),*; long: } };
    ($($test:ident),*; long: $($long:ident),* $(,)?) => {
        mod spt {
            $(#[test] fn $test() { super::$test(system_tests::Target::Spt) })*
            $(#[test] fn $long() { super::$long(system_tests::Target::Spt) })*
        }
        mod hvt {
            $(#[test] fn $test() { super::$test(system_tests::Target::Hvt) })*
            $(
                #[test]
                #[cfg_attr(not(feature = "long"), ignore = "on hvt for ci/long")]
                fn $long() { super::$long(system_tests::Target::Hvt) }
            )*
        }
    };
}

mod bad_input;
mod console;
mod datagrams;
mod disk;
mod examples;
mod executables;
mod fetch;
mod http;
mod http_shutdown;
mod https;
mod kv;
mod kv_cuts;
mod load;
mod runner;
mod site;
mod std_exercise;
mod std_files;
mod std_ipv6;
mod std_signals;
mod std_sockets;
mod std_storage;
mod std_stress;
mod std_threads;
mod tls_compiled_in;
mod tls_disk;
mod todo;
mod toolchain;
mod unread;
mod user_network;
