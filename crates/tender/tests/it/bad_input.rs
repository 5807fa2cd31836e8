//! Executables, devices and memory sizes that must be refused. None of it needs KVM: it is refused before.

use std::fs;

use solo5_abi::manifest::DeviceType;
use solo5_abi::note::Target;

use crate::support::{Code, Guest, Scratch, Tender};

fn guest(tender: Tender) -> Guest {
    match tender {
        Tender::Spt => Guest::spt(Code::new().exit(0)),
        Tender::Hvt => Guest::hvt(Code::new().hlt()),
    }
}

#[test]
fn another_abi_is_refused() {
    let scratch = Scratch::new();
    let cases = [
        (
            Tender::Hvt,
            Target::Spt as u32,
            2,
            "built for Solo5 ABI spt version 2: expected hvt version 2",
        ),
        (
            Tender::Spt,
            Target::Hvt as u32,
            2,
            "built for Solo5 ABI hvt version 2: expected spt version 2",
        ),
        (
            Tender::Spt,
            Target::Muen as u32,
            2,
            "built for Solo5 ABI muen version 2",
        ),
        (
            Tender::Spt,
            Target::Spt as u32,
            1,
            "built for Solo5 ABI spt version 1: expected spt version 2",
        ),
        (
            Tender::Hvt,
            Target::Hvt as u32,
            3,
            "built for Solo5 ABI hvt version 3",
        ),
        (
            Tender::Hvt,
            77,
            2,
            "built for Solo5 ABI of unknown target 77 version 2",
        ),
    ];
    for (tender, target, version, what) in cases {
        let path = Guest {
            target,
            version,
            ..guest(tender)
        }
        .write(&scratch);
        tender.run([path]).refused(tender, what, false);
    }
}

#[test]
fn files_that_are_no_unikernels_are_refused() {
    let scratch = Scratch::new();
    for tender in Tender::BOTH {
        tender
            .run([scratch.image("empty", 0, 0)])
            .refused(tender, "truncated", false);
        tender
            .run([scratch.image("zeros", 4096, 0)])
            .refused(tender, "not an ELF file", false);
        tender
            .run([scratch.path("")])
            .refused(tender, "not a regular file", false);
        tender
            .run([tender.path()])
            .refused(tender, "e_type is 3", false);
    }
}

/// At whatever byte an executable is cut off, the tender says so.
#[test]
fn truncated_executables_are_refused() {
    let scratch = Scratch::new();
    for tender in Tender::BOTH {
        let elf = guest(tender).elf();
        for len in (0..elf.len()).step_by(7).chain([elf.len() - 1]) {
            let path = scratch.path("truncated");
            fs::write(&path, &elf[..len]).unwrap();
            tender.run([path]).refused(tender, "truncated", false);
        }
    }
}

#[test]
fn writable_code_is_refused() {
    let scratch = Scratch::new();
    for tender in Tender::BOTH {
        let path = Guest {
            text_flags: 7,
            ..guest(tender)
        }
        .write(&scratch);
        tender
            .run([path])
            .refused(tender, "writable and executable", false);
    }
}

#[test]
fn undeclared_devices_are_refused() {
    let scratch = Scratch::new();
    for tender in Tender::BOTH {
        let plain = guest(tender).write(&scratch);
        let ended = tender.run(["--net:service=tap0".as_ref(), plain.as_os_str()]);
        ended.refused(
            tender,
            "--net:service names no device of this unikernel: its manifest declares no device",
            true,
        );
        let path = guest(tender)
            .device("disk", DeviceType::BlockBasic)
            .write(&scratch);
        for option in [
            "--net:disk=tap0",
            "--block:other=/dev/null",
            "--net-mac:disk=2:0:0:0:0:1",
            "--block-sector-size:x=512",
        ] {
            let ended = tender.run([option.as_ref(), path.as_os_str()]);
            ended.refused(
                tender,
                "names no device of this unikernel: its manifest declares disk (BLOCK_BASIC)",
                true,
            );
        }
    }
}

#[test]
fn unattached_devices_are_refused() {
    let scratch = Scratch::new();
    for tender in Tender::BOTH {
        let guest = guest(tender)
            .device("disk", DeviceType::BlockBasic)
            .device("service", DeviceType::NetBasic);
        let ended = tender.run([guest.write(&scratch)]);
        ended.refused(
            tender,
            "2 devices declared by the unikernel not attached: --block:disk=PATH (BLOCK_BASIC), --net:service=IFACE",
            true,
        );
        let image = scratch.image("disk.img", 512, 0);
        let ended = tender.run([
            &format!("--block:disk={}", image.display()).into(),
            &guest.write(&scratch),
        ]);
        ended.refused(
            tender,
            "1 device declared by the unikernel not attached: --net:service=IFACE",
            true,
        );
    }
}

/// The second of two devices of one name can never be found by that name.
#[test]
fn a_device_declared_twice_is_attached_once() {
    let scratch = Scratch::new();
    let image = scratch.image("disk.img", 512, 0);
    for tender in Tender::BOTH {
        let guest = guest(tender)
            .device("disk", DeviceType::BlockBasic)
            .device("disk", DeviceType::BlockBasic);
        let ended = tender.run([
            &format!("--block:disk={}", image.display()).into(),
            &guest.write(&scratch),
        ]);
        ended.refused(tender, "disk (declared twice)", true);
    }
}

#[test]
fn bad_disk_images_are_refused() {
    let scratch = Scratch::new();
    let cases = [
        (
            scratch.image("odd.img", 1000, 0),
            "odd.img\" is 1000 bytes long: Backing storage size must be block aligned",
        ),
        (scratch.image("empty.img", 0, 0), "empty.img\" is empty"),
        (scratch.path("missing.img"), "No such file or directory"),
        ("/dev/null".into(), "\"/dev/null\" is empty"),
    ];
    for tender in Tender::BOTH {
        let path = guest(tender)
            .device("disk", DeviceType::BlockBasic)
            .write(&scratch);
        for (image, what) in &cases {
            let ended = tender.run([&format!("--block:disk={}", image.display()).into(), &path]);
            ended.refused(tender, what, false);
            assert!(
                ended.stderr.contains("cannot attach block device \"disk\""),
                "{ended:?}"
            );
        }
        let sector = "--block-sector-size:disk=4096".into();
        let image = scratch.image("2048.img", 2048, 0);
        let ended = tender.run([
            &format!("--block:disk={}", image.display()).into(),
            &sector,
            &path,
        ]);
        ended.refused(
            tender,
            "Backing storage size must be block aligned, to 4096 bytes",
            false,
        );
    }
}

#[test]
fn bad_interfaces_are_refused() {
    let scratch = Scratch::new();
    let cases = [
        ("nosuchtap0", "interface \"nosuchtap0\" does not exist"),
        ("tap%d", "interface \"tap%d\" does not exist"),
        (
            "a-name-too-long-for-linux",
            "is 25 bytes long: expected 1 to 15",
        ),
        ("@77", "descriptor 77 cannot be used"),
        ("@0", "descriptor 0 is not a TAP"),
    ];
    for tender in Tender::BOTH {
        let path = guest(tender)
            .device("service", DeviceType::NetBasic)
            .write(&scratch);
        for (interface, what) in cases {
            let ended = tender.run([&format!("--net:service={interface}").into(), &path]);
            ended.refused(tender, what, false);
            assert!(
                ended
                    .stderr
                    .contains("cannot attach network device \"service\""),
                "{ended:?}"
            );
        }
    }
}

#[test]
fn bad_memory_sizes_are_refused() {
    let scratch = Scratch::new();
    for tender in Tender::BOTH {
        let path = guest(tender).write(&scratch);
        let run = |option: &str| tender.run([option.as_ref(), path.as_os_str()]);
        run("--mem=0").refused(
            tender,
            "\"--mem=0\": expected --mem=N with N a whole number of MiB from 1 on",
            true,
        );
    }
    let path = guest(Tender::Hvt).write(&scratch);
    for (option, asked) in [("--mem=5120", 5120), ("--mem=4097", 4097)] {
        let ended = Tender::Hvt.run([option.as_ref(), path.as_os_str()]);
        let what = format!("--mem asks for {asked} MiB: expected at most 4096 MiB");
        ended.refused(Tender::Hvt, &what, false);
    }
    // spt has no such limit: what ends it is the address space.
    let path = guest(Tender::Spt).write(&scratch);
    assert_eq!(
        Tender::Spt
            .run(["--mem=5120".as_ref(), path.as_os_str()])
            .code,
        Some(0)
    );
    let ended = Tender::Spt.run(["--mem=200000000".as_ref(), path.as_os_str()]);
    ended.refused(
        Tender::Spt,
        "cannot map guest memory from 0x10000 to 0xbebc20000000: ",
        false,
    );
    let ended = Tender::Spt.run(["--mem=1".as_ref(), path.as_os_str()]);
    ended.refused(
        Tender::Spt,
        "is outside of memory, expected 0x100000 to 0x100000 (--mem=N gives it more: 2 hold its image, and the program needs",
        false,
    );
}

#[test]
fn the_command_line_has_room_for_8191_bytes() {
    let scratch = Scratch::new();
    let path = guest(Tender::Spt).write(&scratch);
    let run = |arg: &str| Tender::Spt.run([path.as_os_str(), "x".as_ref(), arg.as_ref()]);
    assert_eq!(run(&"y".repeat(8189)).code, Some(0));
    run(&"y".repeat(8190)).refused(
        Tender::Spt,
        "arguments of 8192 bytes, joined by spaces: expected at most 8191",
        false,
    );
}
