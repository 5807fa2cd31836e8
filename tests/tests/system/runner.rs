//! What `solo5-run` adds to what it is told, in a terminal as in `cargo run`.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use system_tests::{Guest, Network, Outcome, Running, Target, host_program};

/// How long a boot may take.
const BOOT: Duration = Duration::from_secs(60);

fn solo5_run(guest: &Guest) -> Command {
    let mut command = Command::new(host_program("cargo-mkernel", "solo5-run"));
    command.arg(guest.path()).env("RUST_BACKTRACE", "0");
    command
}

fn outcome(command: Command) -> Outcome {
    Running::start(command, BOOT).wait()
}

/// The frames are known to the unikernel by their addresses alone.
#[test]
fn spt_a_backtrace_has_names_and_lines() {
    let guest = Guest::build("std-exercise", Target::Spt);
    let run = |style| {
        let mut command = solo5_run(&guest);
        command.arg("panic").env("RUST_BACKTRACE", style);
        outcome(command)
    };
    let short = run("1");
    assert_eq!(short.status, 101, "{short}");
    let place = "   2: std_exercise::cases::ends::panic\n             at ";
    assert!(short.stdout.contains(place), "{short}");
    assert!(short.stdout.contains("cases/ends.rs:"), "{short}");
    assert!(!short.stdout.contains("<unknown>"), "{short}");
    assert!(!short.stdout.contains("lang_start"), "{short}");
    let full = run("full");
    assert!(full.stdout.contains("lang_start"), "{full}");
    let none = run("0");
    assert_eq!(none.status, 101, "{none}");
    assert!(!none.stdout.contains("stack backtrace"), "{none}");
}

#[test]
fn spt_the_interface_of_a_devices_name_is_attached() {
    let guest = Guest::build("echo", Target::Spt);
    Network::with(|network| {
        network.add_tap("service", "10.9.8.1/24");
        let mut running = Running::start(solo5_run(&guest), BOOT);
        let address: SocketAddr = "10.9.8.2:3000".parse().unwrap();
        drop(running.connect(address, BOOT));
        let ended = running.stop();
        let told = "service: the TAP interface service, which is there, with --ipv4=10.9.8.2/24 --ipv4-gateway=10.9.8.1 (";
        assert!(ended.stderr.contains(told), "{ended}");
    });
}

#[test]
fn spt_an_interface_that_is_down_is_told_of() {
    let guest = Guest::build("echo", Target::Spt);
    Network::with(|network| {
        network.add_tap("service", "10.9.8.1/24");
        let mut down = Command::new("ip");
        down.args(["link", "set", "service", "down"]);
        assert!(down.status().unwrap().success());
        let mut command = solo5_run(&guest);
        command.env("PATH", "/nonexistent");
        let ended = outcome(command);
        assert_eq!(ended.status, 1, "{ended}");
        let told = "network device service: interface \"service\" is down (ip link set service up); or install passt (";
        assert!(ended.stderr.contains(told), "{ended}");
    });
}

/// Nothing to attach is one error with everything there is to type.
#[test]
fn spt_what_cannot_be_attached_is_told_with_what_to_type() {
    let guest = Guest::build("device-names", Target::Spt);
    let mut command = solo5_run(&guest);
    command.env("PATH", "/nonexistent");
    let ended = outcome(command);
    assert_eq!(ended.status, 1, "{ended}");
    for expected in [
        "solo5-run: nothing to attach to network device service: install passt (on Debian: sudo apt-get install passt), or make an \
         interface: sudo ip tuntap add dev service mode tap user \"$USER\" && sudo ip address add 10.0.0.1/24 dev service && sudo ip \
         link set service up\n",
        "solo5-run: nothing to attach to block device disk: truncate -s 64M disk.img, and add --block:disk=disk.img behind cargo's",
    ] {
        assert!(ended.stderr.contains(expected), "{ended}");
    }
}
