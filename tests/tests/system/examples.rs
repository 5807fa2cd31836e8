//! The five examples.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use manifest_gen::elf::Executable;
use nix::sys::signal::Signal;
use solo5_abi::manifest::{Manifest, TENDER_FLUSH, TENDER_SHUTDOWN};
use system_tests::{Guest, Network, Target, cargo};
use tempfile::TempDir;

on_each_target! {
    hello, block, echo;
    long: sleep, cmdline_values, echo_lets_clients_finish_when_it_is_told_to_end, hello_release, a_program_asks_for_what_it_can_reach_and_nothing_else, cmdline_defaults, cmdline_help,
    cmdline_refuses_what_is_no_number, echo_tells_a_supervisor_what_is_wrong, echo_serves_two_connections_at_once,
}

fn hello(target: Target) {
    Guest::build("hello", target)
        .run()
        .assert_printed("Hello World!\n");
}

fn hello_release(target: Target) {
    Guest::build_release("hello", target)
        .run()
        .assert_printed("Hello World!\n");
}

fn sleep(target: Target) {
    Guest::build("sleep", target)
        .run()
        .assert_printed("Hello\nWorld\n");
}

fn block(target: Target) {
    let folder = TempDir::new().unwrap();
    let image = folder.path().join("disk.img");
    let content: Vec<u8> = (0..4096_u32).map(|i| (i * 7 + 3) as u8).collect();
    fs::write(&image, &content).unwrap();

    let outcome = Guest::build("block", target)
        .option(format!("--block:disk={}", image.display()))
        .run();

    assert_eq!(outcome.status, 0, "{outcome}");
    assert_eq!(dumped_bytes(&outcome.stdout), content[..512], "{outcome}");
    assert_eq!(fs::read(&image).unwrap(), content);
}

/// The bytes in a hex dump whose lines are an offset, the bytes, and possibly text behind a `|`.
fn dumped_bytes(dump: &str) -> Vec<u8> {
    let lines = dump
        .lines()
        .map(|line| line.split('|').next().unwrap_or_default());
    let words = lines.flat_map(|line| line.split_whitespace().skip(1));
    words
        .filter(|word| word.len() == 2)
        .map(|word| u8::from_str_radix(word, 16).unwrap())
        .collect()
}

fn cmdline_defaults(target: Target) {
    Guest::build("cmdline", target)
        .run()
        .assert_printed("foo: 42\nbar: \"Hello World!\"\n");
}

fn cmdline_values(target: Target) {
    let guest = Guest::build("cmdline", target)
        .argument("--foo=-7")
        .argument("--bar")
        .argument("two  words, 'quoted'");
    guest
        .run()
        .assert_printed("foo: -7\nbar: \"two  words, 'quoted'\"\n");
}

fn cmdline_help(target: Target) {
    let outcome = Guest::build("cmdline", target).argument("--help").run();
    assert_eq!(outcome.status, 0, "{outcome}");
    for text in ["Usage: ", "--foo <", "42", "--bar <", "Hello World!"] {
        assert!(outcome.stdout.contains(text), "no {text:?}\n{outcome}");
    }
}

fn cmdline_refuses_what_is_no_number(target: Target) {
    let outcome = Guest::build("cmdline", target).argument("--foo=many").run();
    // Standard error is the console, which is the tender's standard output.
    assert_eq!(outcome.status, 64, "{outcome}");
    assert!(
        outcome.stdout.contains("invalid value 'many' for '--foo"),
        "{outcome}"
    );
}

/// The command line of the README.
#[test]
fn cargo_run() {
    let arguments = "run -q -p cmdline --target x86_64-solo5-spt -- -- --foo 100 --bar Retreat!";
    let output = cargo().args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "foo: 100\nbar: \"Retreat!\"\n"
    );
}

fn echo_guest(target: Target) -> Guest {
    Guest::build("echo", target)
        .option("--net:service=tap0")
        .argument("--ipv4=10.0.0.2/24")
        .argument("--ipv4-gateway=10.0.0.1")
        .argument("--port=3000")
}

fn echo(target: Target) {
    let guest = echo_guest(target);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let mut running = guest.start();
        let mut stream = running.connect(([10, 0, 0, 2], 3000).into(), Duration::from_secs(60));
        stream.write_all(b"Retreat!").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "Retreat!", "{}", running.stop());
    });
}

/// The program is the manifest.
fn a_program_asks_for_what_it_can_reach_and_nothing_else(target: Target) {
    for (package, wanted) in [
        ("echo", TENDER_SHUTDOWN),
        ("block", 0),
        ("kv", TENDER_SHUTDOWN | TENDER_FLUSH),
    ] {
        let guest = Guest::build(package, target);
        let mut executable = Executable::open(File::open(guest.path()).unwrap()).unwrap();
        let manifest = executable.manifest_bytes().unwrap();
        let manifest = Manifest::parse(&manifest).unwrap();
        let first = manifest.entries().next().unwrap();
        assert_eq!(first.tender_wanted(), wanted, "{package}");
    }
}

fn echo_lets_clients_finish_when_it_is_told_to_end(target: Target) {
    let guest = echo_guest(target).hand_on_signals();
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let mut running = guest.start();
        let address = SocketAddr::from(([10, 0, 0, 2], 3000));
        let mut stream = running.connect(address, Duration::from_secs(60));
        running.signal(Signal::SIGTERM);
        let refused = (0..1000).find_map(|_| TcpStream::connect(address).err());
        let refused = refused.expect("it accepts no more");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        stream.write_all(b"Retreat!").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "Retreat!");
        let outcome = running.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
    });
}

/// See docs/exit-statuses.md.
fn echo_tells_a_supervisor_what_is_wrong(target: Target) {
    let echo = Guest::build("echo", target).option("--net:service=tap0");
    let cases = [
        ("--help", 0, "Usage: echo"),
        (
            "--colour=red",
            64,
            "error: unexpected argument '--colour' found (try --help)\n",
        ),
        (
            "--port=0",
            64,
            "invalid value '0' for '--port <PORT>': 0 is not in 1..=65535",
        ),
        (
            "--ipv4=224.0.0.1/24",
            64,
            "address 224.0.0.1/24: expected that of a host",
        ),
        (
            "--ipv4-gateway=10.7.0.1",
            64,
            "gateway 10.7.0.1: expected another host of 10.0.0.2/24",
        ),
    ];
    for &(argument, status, message) in target.some(&cases, 2) {
        let guest = echo.clone().argument("--log=off").argument(argument);
        Network::with(|network| {
            network.add_tap("tap0", "10.0.0.1/24");
            let outcome = guest.run();
            assert_eq!(outcome.status, status, "{argument}: {outcome}");
            assert!(outcome.stdout.contains(message), "{argument}: {outcome}");
        });
    }
}

fn echo_serves_two_connections_at_once(target: Target) {
    let guest = echo_guest(target);
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let mut running = guest.start();
        let mut streams: Vec<_> = (0..2)
            .map(|_| running.connect(([10, 0, 0, 2], 3000).into(), Duration::from_secs(60)))
            .collect();
        for round in 0..3 {
            for stream in streams.iter_mut().rev() {
                let message = format!("round {round}");
                stream.write_all(message.as_bytes()).unwrap();
                let mut answer = vec![0; message.len()];
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(answer, message.as_bytes());
            }
        }
        drop(running);
    });
}
