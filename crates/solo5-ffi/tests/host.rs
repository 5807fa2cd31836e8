//! The backend of a host: each test runs one of the cases below in a process of its own, which is this program again,
//! because a device can be acquired once in the life of a program.
#![cfg(not(any(solo5 = "hvt", solo5 = "spt")))]

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use solo5_ffi::{AcquireError, Block, BlockError, Net, NetError};

/// The environment variable that says which case a child is to run.
const CASE: &str = "SOLO5_FFI_CASE";

fn disk() -> Result<Block, AcquireError> {
    solo5_ffi::block!("disk")
}

fn service() -> Result<Net, AcquireError> {
    solo5_ffi::net!("service", offload)
}

/// Declares a device that nothing reaches.
#[expect(dead_code)]
fn unreachable() -> bool {
    solo5_ffi::net!("unreachable").is_ok()
}

/// What a child runs; in the parent it does nothing.
#[test]
fn child() {
    match env::var(CASE).as_deref() {
        Ok("start") => solo5_ffi::start(),
        Ok("size") => {
            let disk = disk().unwrap();
            println!("{} {}", disk.block_size(), disk.capacity());
        }
        Ok("acquire disk") => println!("{}", disk().unwrap_err()),
        Ok("acquire service") => println!("{}", service().unwrap_err()),
        Ok("block") => block(),
        Ok("net") => net(),
        Ok("exit") => solo5_ffi::exit(7),
        Ok("abort") => solo5_ffi::abort(),
        Ok(case) => panic!("no case {case:?}"),
        Err(_) => {}
    }
}

fn block() {
    let device = disk().unwrap();
    assert!(matches!(
        disk(),
        Err(AcquireError::Unavailable { name: "disk", .. })
    ));
    assert_eq!((device.block_size(), device.capacity()), (1024, 4096));
    let mut block = [0; 1024];
    for offset in (0..4096).step_by(1024) {
        device
            .write(offset, &[offset as u8 >> 2 | 1; 1024])
            .unwrap();
    }
    device.read(2048, &mut block).unwrap();
    assert_eq!(block, [1; 1024]);
    assert_eq!(device.max_transfer(), 1 << 20);
    let offset_error = |offset, length| BlockError::Offset {
        offset,
        length,
        block_size: 1024,
        capacity: 4096,
    };
    for offset in [1, 512, 3073, 4096, u64::MAX, u64::MAX - 1023] {
        let error = Err(offset_error(offset, 1024));
        assert_eq!(device.read(offset, &mut block), error);
        assert_eq!(device.write(offset, &block), error);
    }
    let error = Err(offset_error(3072, 2048));
    assert_eq!(device.write(3072, &[0; 2048]), error);
    let length_error = |length| BlockError::Length {
        length,
        block_size: 1024,
        max: 1 << 20,
    };
    assert_eq!(device.read(0, &mut []), Err(length_error(0)));
    assert_eq!(device.write(0, &[0; 2047]), Err(length_error(2047)));
    let too_long = (1 << 20) + 1024;
    let error = Err(length_error(too_long));
    assert_eq!(device.write(0, &vec![0; too_long]), error);
    device.write(1024, &[1; 3072]).unwrap();
    device.read(0, &mut [0; 4096]).unwrap();

    assert!(device.can_discard());
    device.discard(1024, 2048).unwrap();
    let mut blocks = [9; 4096];
    device.read(0, &mut blocks).unwrap();
    for (offset, octet) in [(0, 1), (1024, 0), (2048, 0), (3072, 1)] {
        assert_eq!(blocks[offset], octet);
    }
    for (offset, length) in [
        (0, 0),
        (0, 1023),
        (512, 1024),
        (4096, 1024),
        (0, u64::MAX - 1023),
    ] {
        let error = Err(offset_error(offset, length));
        assert_eq!(device.discard(offset, length), error);
    }

    assert!(device.can_flush());
    device.flush().unwrap();
    let image = env::var("MIOU_PROFILING").unwrap();
    let image = Path::new(&image).with_file_name("disk.img");
    let file = fs::File::options().write(true).open(image).unwrap();
    file.set_len(512).unwrap();
    assert_eq!(device.read(0, &mut block), Err(BlockError::Shrunk));
    assert_eq!(device.write(0, &block), Err(BlockError::Shrunk));
    assert_eq!(device.flush(), Err(BlockError::Shrunk));
    file.set_len(4096).unwrap();
    assert_eq!(device.flush(), Err(BlockError::Host));
    for offset in (0..4096).step_by(1024) {
        device.write(offset, &[1; 1024]).unwrap();
    }
}

fn net() {
    let device = service().unwrap();
    assert!(service().is_err());
    assert_eq!(device.mac_address(), [2, 0, 0, 0x12, 0x34, 0x56]);
    assert_eq!((device.mtu(), device.max_frame()), (1400, 1414));
    // Asked for, and not to be had on a host.
    assert!(!device.has_offload());
    assert_eq!(device.read_size(), 1414);
    let (min, max) = (14, 1414);
    for length in [0, 13, 1415] {
        let error = NetError::FrameLength { length, min, max };
        assert_eq!(device.write(&vec![0; length]), Err(error));
    }
    let (length, min) = (1413, 1414);
    let error = NetError::BufferLength { length, min };
    assert_eq!(device.read(&mut vec![0; length]), Err(error));

    // An ARP request for the host's address, which its kernel answers.
    let mut request = vec![0xff; 6];
    request.extend(device.mac_address());
    request.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    request.extend(device.mac_address());
    request.extend([10, 9, 0, 2, 0, 0, 0, 0, 0, 0, 10, 9, 0, 1]);
    let mut frame = vec![0; device.max_frame()];
    let started = solo5_ffi::clock_monotonic();
    loop {
        device.write(&request).unwrap();
        let ready = solo5_ffi::yield_until(solo5_ffi::clock_monotonic() + 100_000_000);
        if !ready.is_empty() {
            assert!(ready.contains(device.handle()));
        }
        while let Some(length) = device.read(&mut frame).unwrap() {
            if frame[12..14] == [8, 6] && frame[21] == 2 && length >= 42 {
                assert_eq!(frame[28..32], [10, 9, 0, 1]);
                assert_eq!(frame[..6], device.mac_address());
                return;
            }
        }
        let waited = solo5_ffi::clock_monotonic() - started;
        assert!(waited < 60_000_000_000, "no answer to ARP");
    }
}

/// This program with `case`, and with the profile if there is one, started by `program` if there is one.
fn run(case: &str, profile: Option<&Path>, launcher: &[&str]) -> Output {
    let this = env::current_exe().unwrap();
    let mut command = match launcher {
        [] => Command::new(this),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(this);
            command
        }
    };
    command.args(["--exact", "child", "--nocapture"]);
    command.env(CASE, case).env_remove("MIOU_PROFILING");
    if let Some(profile) = profile {
        command.env("MIOU_PROFILING", profile);
    }
    command.output().expect("the program can be run")
}

#[track_caller]
fn assert_success(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

/// A folder of the test's own with the profile, and an image of four KiB in it.
fn profile(test: &str, text: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("disk.img"), [0; 4096]).unwrap();
    let path = folder.join("profiling.json");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn without_a_profile_the_manifest_is_printed() {
    let manifest = concat!(
        "{\n  \"type\": \"solo5.manifest\",\n  \"version\": 1,\n  \"devices\": [\n",
        "    { \"name\": \"disk\", \"type\": \"BLOCK_BASIC\" },\n",
        "    { \"name\": \"service\", \"type\": \"NET_BASIC\" }\n",
        "  ]\n}\n",
    );
    for case in ["start", "acquire disk"] {
        let output = run(case, None, &[]);
        assert_success(&output);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.ends_with(manifest), "{stdout}");
    }
}

#[test]
fn blocks_are_those_of_the_image() {
    let text = r#"{ "disk": { "block": "disk.img", "block-sector-size": 1024 } }"#;
    let path = profile("blocks", text);
    assert_success(&run("block", Some(&path), &[]));
    let image = fs::read(path.with_file_name("disk.img")).unwrap();
    assert_eq!(image.len(), 4096);
    assert!(image.iter().all(|&byte| byte == 1));
}

#[test]
fn frames_are_those_of_the_interface() {
    let text = r#"{ "service": { "net": "ffihost0", "net-mac": "02:00:00:12:34:56" } }"#;
    let path = profile("frames", text);
    let setup = "ip tuntap add ffihost0 mode tap && ip link set ffihost0 mtu 1400 up \
                 && ip address add 10.9.0.1/24 dev ffihost0 && exec \"$0\" \"$@\"";
    let unshare = [
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "sh",
        "-c",
        setup,
    ];
    assert_success(&run("net", Some(&path), &unshare));
}

/// The form of OCaml's `mkernel`, in which a block has 512 octets.
#[test]
fn devices_may_be_listed() {
    let list = |devices: &str| {
        format!(r#"{{"type": "miou.solo5.profiling", "version": 1, "devices": [{devices}]}}"#)
    };
    let disk = r#"{"name": "disk", "type": "BLOCK_BASIC", "path": "disk.img"}"#;
    let service = r#"{"name": "service", "type": "NET_BASIC", "interface": "none0"}"#;
    let path = profile("listed", &list(&format!("{service}, {disk}")));
    let output = run("size", Some(&path), &[]);
    assert_success(&output);
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("512 4096"),
        "{output:?}"
    );
    let cases = [
        (list(service), "disk", "no device \"disk\""),
        (
            list(&format!("{disk}, {disk}")),
            "disk",
            "expected one such device",
        ),
        (
            list(service),
            "service",
            "interface \"none0\" does not exist",
        ),
        (
            list(r#"{"name": "disk", "type": "TAPE"}"#),
            "disk",
            "unknown variant `TAPE`",
        ),
        (
            list("").replace("1,", "2,"),
            "disk",
            "version 2: expected \"miou.solo5.profiling\", version 1",
        ),
        (
            list("").replace("miou", "other"),
            "disk",
            "type \"other.solo5.profiling\"",
        ),
    ];
    for (index, (text, device, message)) in cases.iter().enumerate() {
        let path = profile(&format!("listed{index}"), text);
        let output = run(&format!("acquire {device}"), Some(&path), &[]);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains(message), "{message:?} is not in {stdout}");
    }
}

/// Started by the dynamic linker, `/proc/self/exe` is the linker.
#[test]
fn the_manifest_is_found_when_the_dynamic_linker_starts_the_program() {
    let linker = Path::new("/lib64/ld-linux-x86-64.so.2");
    assert!(linker.exists(), "no dynamic linker");
    let output = run("start", None, &[linker.to_str().unwrap()]);
    assert_success(&output);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains("\"service\"") && stdout.contains("\"disk\""),
        "{stdout}"
    );
}

#[test]
fn a_bad_profile_is_an_error_that_says_why() {
    let cases = [
        (
            "",
            "disk",
            "expected an object with a member for each device",
        ),
        ("{}", "disk", "no member \"disk\""),
        (
            r#"{"disk": {}}"#,
            "disk",
            "expected \"net\" with perhaps \"net-mac\"",
        ),
        (
            r#"{"disk": {"net": "tap0"}}"#,
            "disk",
            "expected \"block\" in it",
        ),
        (
            r#"{"service": {"block": "x"}}"#,
            "service",
            "expected \"net\" in it",
        ),
        (
            r#"{"disk": {"block": "none.img"}}"#,
            "disk",
            "none.img\" for reading and writing: No such file",
        ),
        (
            r#"{"disk": {"block": "disk.img", "block-sector-size": 500}}"#,
            "disk",
            "invalid block size 500",
        ),
        (
            r#"{"service": {"net": "none0"}}"#,
            "service",
            "interface \"none0\" does not exist",
        ),
        (
            r#"{"service": {"net": "none0", "net-mac": "2"}}"#,
            "service",
            "malformed MAC address \"2\"",
        ),
    ];
    for (index, (text, device, message)) in cases.into_iter().enumerate() {
        let path = profile(&format!("bad{index}"), text);
        let output = run(&format!("acquire {device}"), Some(&path), &[]);
        assert_success(&output);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains(message), "{message:?} is not in {stdout}");
        assert!(stdout.contains(&format!("device {device:?}: ")), "{stdout}");
    }
    let output = run("acquire disk", Some(Path::new("/no/such/file")), &[]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains("cannot read MIOU_PROFILING=/no/such/file"),
        "{stdout}"
    );
}

#[test]
fn exit_statuses_are_those_of_a_guest() {
    assert_eq!(run("exit", None, &[]).status.code(), Some(7));
    assert_eq!(run("abort", None, &[]).status.code(), Some(255));
}

#[test]
fn waiting_ends_at_the_deadline_and_not_before() {
    let started = solo5_ffi::clock_monotonic();
    assert!(solo5_ffi::yield_until(started + 20_000_000).is_empty());
    let ended = solo5_ffi::clock_monotonic();
    assert!(ended >= started + 20_000_000);
    assert!(solo5_ffi::yield_until(0).is_empty());
    // After this line was written.
    assert!(solo5_ffi::clock_wall() > 1_700_000_000_000_000_000);
}
