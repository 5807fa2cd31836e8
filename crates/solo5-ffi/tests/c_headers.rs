//! The Rust layouts and numbers of `solo5-abi` are those of the C headers in `vendor/solo5`: a C
//! program prints what the compiler makes of the headers, and each line is compared.
#![cfg(not(any(solo5 = "hvt", solo5 = "spt")))]

use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use manifest_gen::{DeviceType, Manifest, query_abi, query_manifest};
use solo5_abi::manifest::{self, BlockProperties, Entry, NetProperties, TenderProperties};
use solo5_abi::net::{self, NetHeader};
use solo5_abi::{CMDLINE_SIZE, api, elf, hvt, note, spt};

const INCLUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vendor/solo5/include");

/// Compiles `source` to `output`, and says which warnings or errors there were.
fn compile(source: &str, output: &Path, options: &[&str]) {
    let file = output.with_extension("c");
    fs::write(&file, source).unwrap();
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let result = Command::new(&compiler)
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I", INCLUDE])
        .args(options)
        .arg(&file)
        .arg("-o")
        .arg(output)
        .output()
        .unwrap_or_else(|error| panic!("cannot run the C compiler {compiler:?}: {error}"));
    assert!(
        result.status.success(),
        "{}: {}",
        file.display(),
        String::from_utf8_lossy(&result.stderr)
    );
}

fn in_target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// What the headers should say: C expressions, with the values that Rust has for them.
struct Expected {
    expressions: Vec<(String, u64)>,
}

impl Expected {
    fn number(&mut self, expression: &str, value: u64) {
        self.expressions.push((expression.to_owned(), value));
    }

    fn size(&mut self, c_type: &str, value: usize) {
        self.number(&format!("sizeof({c_type})"), value as u64);
    }

    fn field(&mut self, c_type: &str, field: &str, offset: usize, size: usize) {
        self.number(&format!("offsetof({c_type}, {field})"), offset as u64);
        self.number(&format!("sizeof((({c_type} *)0)->{field})"), size as u64);
    }

    /// Runs the expressions through the C compiler and compares.
    fn check(&self, name: &str) {
        let mut source = String::from(
            "#include <stddef.h>\n#include <stdio.h>\n\
             #include \"solo5.h\"\n#include \"elf_abi.h\"\n#include \"mft_abi.h\"\n\
             #include \"hvt_abi.h\"\n#include \"spt_abi.h\"\n\
             int main(void) {\n",
        );
        for (expression, _) in &self.expressions {
            writeln!(
                source,
                "printf(\"%llu\\n\", (unsigned long long)({expression}));"
            )
            .unwrap();
        }
        source.push_str("return 0;\n}\n");
        let program = in_target(name);
        compile(&source, &program, &[]);
        let output = Command::new(&program).output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let found: Vec<u64> = output.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(found.len(), self.expressions.len());
        for ((expression, expected), found) in self.expressions.iter().zip(found) {
            assert_eq!(found, *expected, "{expression}, C against Rust");
        }
    }
}

/// Bytes of a field, told from a function that would select it.
fn size_of_field<T, F>(_select: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// A structure's size, and each field's offset and size.
macro_rules! structure {
    ($expected:ident, $rust:ty, $c:literal, { $($field:ident: $c_field:literal),* $(,)? }) => {
        $expected.size($c, size_of::<$rust>());
        $( $expected.field(
            $c,
            $c_field,
            offset_of!($rust, $field),
            size_of_field(|value: &$rust| &value.$field),
        ); )*
    };
}

/// Numbers of both sides.
macro_rules! numbers {
    ($expected:ident, { $($c:literal: $rust:expr),* $(,)? }) => {
        $( $expected.number($c, $rust as u64); )*
    };
}

fn expected() -> Expected {
    Expected {
        expressions: Vec::new(),
    }
}

#[test]
fn the_application_interface_is_the_same() {
    let mut expected = expected();
    structure!(expected, api::StartInfo, "struct solo5_start_info", {
        cmdline: "cmdline", heap_start: "heap_start", heap_size: "heap_size",
    });
    structure!(expected, api::NetInfo, "struct solo5_net_info", {
        mac_address: "mac_address", features: "features", mtu: "mtu",
    });
    structure!(expected, NetHeader, "struct solo5_net_header", {
        flags: "flags", gso_type: "gso_type", hdr_len: "hdr_len", gso_size: "gso_size",
        csum_start: "csum_start", csum_offset: "csum_offset",
    });
    structure!(expected, api::BlockInfo, "struct solo5_block_info", {
        capacity: "capacity", block_size: "block_size",
    });
    expected.size("solo5_result_t", size_of::<api::SolResult>());
    for name in [
        "solo5_time_t",
        "solo5_off_t",
        "solo5_handle_t",
        "solo5_handle_set_t",
    ] {
        expected.size(name, size_of::<u64>());
    }
    numbers!(expected, {
        "SOLO5_R_OK": api::SolResult::Ok,
        "SOLO5_R_AGAIN": api::SolResult::Again,
        "SOLO5_R_EINVAL": api::SolResult::Einval,
        "SOLO5_R_EUNSPEC": api::SolResult::Eunspec,
        "SOLO5_R_ESHRUNK": api::SolResult::Eshrunk,
        "SOLO5_R_ENOSPC": api::SolResult::Enospc,
        "SOLO5_EXIT_SUCCESS": api::EXIT_SUCCESS,
        "SOLO5_EXIT_FAILURE": api::EXIT_FAILURE,
        "SOLO5_EXIT_ABORT": api::EXIT_ABORT,
        "SOLO5_NET_ALEN": api::NET_ALEN,
        "SOLO5_NET_HLEN": api::NET_HLEN,
        "SOLO5_NET_OFFLOAD": manifest::NET_OFFLOAD,
        "SOLO5_NET_OFFLOAD_V6": manifest::NET_OFFLOAD_V6,
        "SOLO5_NET_OFFLOAD_UDP": manifest::NET_OFFLOAD_UDP,
        "SOLO5_BLOCK_FLUSH": manifest::BLOCK_FLUSH,
        "SOLO5_BLOCK_FLUSH_BEGIN": manifest::TENDER_FLUSH,
        "SOLO5_BLOCK_MANY": manifest::BLOCK_MANY,
        "SOLO5_BLOCK_DISCARD": manifest::BLOCK_DISCARD,
        "SOLO5_BLOCK_MANY_MAX": api::BLOCK_MANY_MAX,
        "SOLO5_NET_OFFLOAD_MIN": net::MIN_FRAME,
        "SOLO5_NET_OFFLOAD_MAX": net::MAX_FRAME,
        "SOLO5_NET_HEADER_NEEDS_CSUM": NetHeader::NEEDS_CSUM,
        "SOLO5_NET_HEADER_DATA_VALID": NetHeader::DATA_VALID,
        "SOLO5_NET_HEADER_GSO_NONE": NetHeader::GSO_NONE,
        "SOLO5_NET_HEADER_GSO_TCPV4": NetHeader::GSO_TCPV4,
        "SOLO5_NET_HEADER_GSO_TCPV6": NetHeader::GSO_TCPV6,
        "SOLO5_NET_HEADER_GSO_UDP": NetHeader::GSO_UDP,
        "SOLO5_NET_HEADER_GSO_ECN": NetHeader::GSO_ECN,
    });
    expected.check("api");
}

#[test]
fn hvt_is_the_same() {
    let mut expected = expected();
    structure!(expected, hvt::BootInfo, "struct hvt_boot_info", {
        mem_size: "mem_size", kernel_end: "kernel_end", cpu_cycle_freq: "cpu_cycle_freq",
        cmdline: "cmdline", mft: "mft", host_features: "host_features",
        guest_features: "guest_features", net_ring: "net_ring",
    });
    structure!(expected, hvt::Walltime, "struct hvt_hc_walltime", { nsecs: "nsecs" });
    structure!(expected, hvt::Puts, "struct hvt_hc_puts", { data: "data", len: "len" });
    structure!(expected, hvt::Poll, "struct hvt_hc_poll", {
        timeout_nsecs: "timeout_nsecs", ready_set: "ready_set", ret: "ret",
    });
    structure!(expected, hvt::PollSet, "struct hvt_hc_poll_set", {
        timeout_nsecs: "timeout_nsecs", wanted_set: "wanted_set", ready_set: "ready_set", ret: "ret",
    });
    structure!(expected, hvt::BlockIo, "struct hvt_hc_block_io", {
        handle: "handle", offset: "offset", data: "data", len: "len", ret: "ret",
    });
    structure!(expected, hvt::BlockFlush, "struct hvt_hc_block_flush", {
        handle: "handle", ret: "ret",
    });
    structure!(expected, hvt::BlockDiscard, "struct hvt_hc_block_discard", {
        handle: "handle", offset: "offset", len: "len", ret: "ret",
    });
    structure!(expected, hvt::NetIo, "struct hvt_hc_net_io", {
        handle: "handle", data: "data", len: "len", ret: "ret",
    });
    structure!(expected, hvt::Halt, "struct hvt_hc_halt", {
        cookie: "cookie", exit_status: "exit_status",
    });
    structure!(expected, hvt::TrapFrame, "struct hvt_trap_regs", {
        cr2: "cr2", ec: "ec", rip: "rip", cs: "cs", rflags: "rflags", rsp: "rsp", ss: "ss",
    });
    numbers!(expected, {
        "HVT_ABI_VERSION": hvt::ABI_VERSION,
        "HVT_BOOT_INFO_BASE": hvt::BOOT_INFO,
        "HVT_GUEST_MIN_BASE": elf::MIN_ADDRESS,
        "HVT_CMDLINE_SIZE": CMDLINE_SIZE,
        "HVT_FEATURE_NET_RING": hvt::FEATURE_NET_RING,
        "HVT_HALT_COOKIE_MAX": hvt::HALT_COOKIE_SIZE,
        "HVT_HYPERCALL_PIO_BASE": hvt::PORT_BASE,
        "HVT_HYPERCALL_WALLTIME": hvt::Hypercall::Walltime,
        "HVT_HYPERCALL_PUTS": hvt::Hypercall::Puts,
        "HVT_HYPERCALL_POLL": hvt::Hypercall::Poll,
        "HVT_HYPERCALL_BLOCK_WRITE": hvt::Hypercall::BlockWrite,
        "HVT_HYPERCALL_BLOCK_READ": hvt::Hypercall::BlockRead,
        "HVT_HYPERCALL_NET_WRITE": hvt::Hypercall::NetWrite,
        "HVT_HYPERCALL_NET_READ": hvt::Hypercall::NetRead,
        "HVT_HYPERCALL_HALT": hvt::Hypercall::Halt,
        "HVT_HYPERCALL_POLL_SET": hvt::Hypercall::PollSet,
        "HVT_HYPERCALL_BLOCK_FLUSH": hvt::Hypercall::BlockFlush,
        "HVT_HYPERCALL_BLOCK_DISCARD": hvt::Hypercall::BlockDiscard,
        "HVT_HYPERCALL_FLUSH_BEGIN": hvt::Hypercall::FlushBegin,
        "HVT_HYPERCALL_FLUSH_END": hvt::Hypercall::FlushEnd,
    });
    expected.check("hvt");
}

#[test]
fn the_network_ring_is_the_same() {
    use hvt::ring;
    let mut expected = expected();
    structure!(expected, ring::Entry, "struct hvt_net_ring_entry", {
        operation: "operation", handle: "handle", data: "data", len: "len", id: "id",
        reserved: "reserved",
    });
    structure!(expected, ring::Commit, "struct hvt_net_ring_commit", {
        id: "id", ret: "ret", len: "len", reserved: "reserved",
    });
    let ring_type = "struct hvt_net_ring";
    expected.size(ring_type, ring::SIZE as usize);
    for (field, offset, size) in [
        ("ent_tail", ring::ENT_TAIL, 4),
        ("com_head", ring::COM_HEAD, 4),
        ("ent_head", ring::ENT_HEAD, 4),
        ("com_tail", ring::COM_TAIL, 4),
        ("needs_kick", ring::NEEDS_KICK, 4),
        ("entries[0]", ring::ENTRIES, ring::Entry::SIZE),
        ("entries[1023]", ring::entry_offset(1023), ring::Entry::SIZE),
        ("commits[0]", ring::COMMITS, ring::Commit::SIZE),
        (
            "commits[1023]",
            ring::commit_offset(1023),
            ring::Commit::SIZE,
        ),
    ] {
        expected.field(ring_type, field, offset as usize, size);
    }
    numbers!(expected, {
        "HVT_NET_RING_SIZE": ring::SLOTS,
        "HVT_NET_RING_KICK_PIO": hvt::PORT_KICK,
        "HVT_NET_RING_WRITE": ring::OPERATION_WRITE,
        "HVT_NET_RING_READ": ring::OPERATION_READ,
    });
    expected.check("ring");
}

#[test]
fn spt_is_the_same() {
    let mut expected = expected();
    structure!(expected, spt::BootInfo, "struct spt_boot_info", {
        mem_size: "mem_size", kernel_end: "kernel_end", cmdline: "cmdline", mft: "mft",
        epollfd: "epollfd", timerfd: "timerfd",
    });
    numbers!(expected, {
        "SPT_ABI_VERSION": spt::ABI_VERSION,
        "SPT_HOST_MEM_BASE": spt::MEM_BASE,
        "SPT_BOOT_INFO_BASE": spt::BOOT_INFO,
        "SPT_GUEST_MIN_BASE": elf::MIN_ADDRESS,
        "SPT_CMDLINE_SIZE": CMDLINE_SIZE,
        "SPT_INTERNAL_TIMERFD": spt::EPOLL_TIMER,
    });
    expected.check("spt");
}

#[test]
fn notes_and_manifest_are_the_same() {
    let mut expected = expected();
    structure!(expected, note::Abi, "struct abi1_info", {
        target: "abi_target", version: "abi_version", reserved0: "reserved0",
        reserved1: "reserved1",
    });
    let header = "struct solo5_note_header";
    expected.size(header, note::DESCRIPTOR_OFFSET);
    let word = size_of::<u32>();
    expected.field(header, "n_namesz", offset_of!(note::Header, namesz), word);
    expected.field(header, "n_descsz", offset_of!(note::Header, descsz), word);
    expected.field(header, "n_type", offset_of!(note::Header, kind), word);
    expected.field(header, "name", note::Header::SIZE, note::NAME.len());
    structure!(expected, manifest::Header, "struct mft", {
        version: "version", entries: "entries",
    });
    expected.number("offsetof(struct mft, e)", manifest::Header::SIZE as u64);
    expected.size("struct mft_entry", Entry::SIZE);
    structure!(expected, BlockProperties, "struct mft_block_basic", {
        capacity: "capacity", block_size: "block_size", wanted: "wanted", granted: "granted",
    });
    structure!(expected, NetProperties, "struct mft_net_basic", {
        mac: "mac", mtu: "mtu", wanted: "wanted", granted: "granted",
    });
    structure!(expected, TenderProperties, "struct mft_tender", {
        reserved: "reserved", wanted: "wanted", granted: "granted",
    });
    numbers!(expected, {
        "ABI1_NOTE_TYPE": note::TYPE_ABI1,
        "MFT1_NOTE_TYPE": note::TYPE_MFT1,
        "MFT1_NOTE_PAD": note::MFT1_PAD,
        "sizeof SOLO5_NOTE_NAME": note::NAME_SIZE,
        "HVT_ABI_TARGET": note::Target::Hvt,
        "SPT_ABI_TARGET": note::Target::Spt,
        "VIRTIO_ABI_TARGET": note::Target::Virtio,
        "MUEN_ABI_TARGET": note::Target::Muen,
        "GENODE_ABI_TARGET": note::Target::Genode,
        "XEN_ABI_TARGET": note::Target::Xen,
        "MFT_VERSION": manifest::VERSION,
        "MFT_MAX_ENTRIES": manifest::MAX_ENTRIES,
        "MFT_NAME_SIZE": manifest::NAME_FIELD,
        "MFT_DEV_BLOCK_BASIC": DeviceType::BlockBasic,
        "MFT_DEV_NET_BASIC": DeviceType::NetBasic,
        "MFT_BLOCK_WHOLE": manifest::BLOCK_WHOLE,
        "MFT_BLOCK_FLUSH": manifest::BLOCK_FLUSH,
        "MFT_BLOCK_MANY": manifest::BLOCK_MANY,
        "MFT_BLOCK_DISCARD": manifest::BLOCK_DISCARD,
        "MFT_NET_OFFLOAD": manifest::NET_OFFLOAD,
        "MFT_NET_OFFLOAD_V6": manifest::NET_OFFLOAD_V6,
        "MFT_NET_OFFLOAD_UDP": manifest::NET_OFFLOAD_UDP,
        "MFT_TENDER_POLL_SET": manifest::TENDER_POLL_SET,
        "MFT_TENDER_SHUTDOWN": manifest::TENDER_SHUTDOWN,
        "MFT_TENDER_WRFSBASE": manifest::TENDER_WRFSBASE,
        "MFT_TENDER_FLUSH": manifest::TENDER_FLUSH,
        "MFT_RESERVED_FIRST": manifest::TYPE_RESERVED_FIRST,
    });
    expected.check("notes");
}

/// Field by field through values: C writes an entry, Rust reads it.
#[test]
fn a_manifest_entry_filled_in_by_c_reads_the_same_in_rust() {
    let source = r#"
        #include <stdio.h>
        #include "mft_abi.h"
        int main(void) {
            struct mft_entry e[2] = {
                { .name = "disk", .type = MFT_DEV_BLOCK_BASIC,
                  .u.block_basic = { .capacity = 0x123456789000, .block_size = 4096,
                                     .wanted = 0x5678, .granted = MFT_BLOCK_WHOLE },
                  .b.block = { .hostfd = 5, .flush_begin = 0x1234, .flush_end = 0x5678 },
                  .attached = true },
                { .name = "net", .type = MFT_DEV_NET_BASIC,
                  .u.net_basic = { .mac = { 2, 3, 4, 5, 6, 7 }, .mtu = 1500,
                                   .wanted = MFT_NET_OFFLOAD, .granted = 0x1234 },
                  .b.hostfd = -1, .attached = true },
            };
            return fwrite(e, sizeof e, 1, stdout) != 1;
        }"#;
    let program = in_target("entries");
    compile(source, &program, &[]);
    let output = Command::new(&program).output().unwrap().stdout;
    let (entries, rest) = output.as_chunks();
    assert!(rest.is_empty());
    let block = BlockProperties {
        capacity: 0x1234_5678_9000,
        block_size: 4096,
        wanted: 0x5678,
        granted: manifest::BLOCK_WHOLE,
    };
    let net = NetProperties {
        mac: [2, 3, 4, 5, 6, 7],
        mtu: 1500,
        wanted: manifest::NET_OFFLOAD,
        granted: 0x1234,
    };
    let expected = [
        Entry::new("disk", DeviceType::BlockBasic)
            .with_block(5, block)
            .with_flush_fds([0x1234, 0x5678]),
        Entry::new("net", DeviceType::NetBasic).with_net(-1, net),
    ];
    assert_eq!(entries.len(), 2);
    for (bytes, expected) in entries.iter().zip(expected) {
        assert_eq!(Entry::from_bytes(bytes), expected);
    }
}

/// What `solo5-elftool gen-manifest` writes, compiled and linked, is the manifest again.
#[test]
fn generated_c_source_compiles_to_the_manifest() {
    let mut full = Manifest::new();
    for i in 0..63 {
        let device_type = [DeviceType::NetBasic, DeviceType::BlockBasic][i % 2];
        full.push(&format!("device{i}"), device_type).unwrap();
    }
    let mut long = Manifest::new();
    long.push(&"z".repeat(67), DeviceType::NetBasic).unwrap();
    for (name, manifest) in [("empty", Manifest::new()), ("long", long), ("full", full)] {
        let program = in_target(&format!("manifest_{name}"));
        // A start address, which upstream's header and ours leave to the bindings, and a target.
        let source = format!(
            "{}\nABI1_NOTE_DECLARE(SPT_ABI_TARGET, 2)\nchar start[4096] = {{ 1 }};\n",
            manifest.to_c()
        );
        // Each note a section and, with a segment for each, a program header of its own.
        let script = in_target(&format!("manifest_{name}.lds"));
        fs::write(&script, SCRIPT).unwrap();
        let script = format!("-Wl,-T,{}", script.display());
        let options = [
            "-ffreestanding",
            "-nostdlib",
            "-static",
            "-no-pie",
            "-Wl,--build-id=none",
            &script,
        ];
        compile(&source, &program, &options);
        let bytes = fs::read(&program).unwrap();
        let mut cursor = std::io::Cursor::new(&bytes);
        assert_eq!(query_manifest(&mut cursor).unwrap(), manifest.to_json());
        assert!(query_abi(&mut cursor).unwrap().contains("\"spt\""));
        let note = manifest.to_note();
        assert!(bytes.windows(note.len()).any(|window| window == note));
    }
}

const SCRIPT: &str = "
ENTRY(start)
PHDRS { data PT_LOAD FLAGS(6); abi PT_NOTE FLAGS(4); manifest PT_NOTE FLAGS(4); }
SECTIONS {
    . = 0x100000;
    .note.solo5.abi : { *(.note.solo5.abi) } :data :abi
    .note.solo5.manifest : { *(.note.solo5.manifest) } :data :manifest
    .data : { *(.data) } :data
    /DISCARD/ : { *(*) }
}
";
