//! The captures of the other scenarios, as tshark sees them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, available_parallelism};

use crate::Scenario;
use crate::link::captures;

pub(crate) const SCENARIOS: &[Scenario] = &[("captures-are-clean", captures_are_clean)];

/// What may be said of any capture: notes on how TCP works, not on how it fails.
const ALWAYS: &[&str] = &[
    "Connection establish request (SYN)",
    "Connection establish acknowledge (SYN+ACK)",
    "Connection finish (FIN)",
    "Connection reset (RST)",
    "TCP window update",
    "TCP keep-alive segment",
    "ACK to a TCP keep-alive segment",
    "TCP Zero Window segment",
    "TCP Zero Window Probe",
    "ACK to a TCP Zero Window Probe",
    "TCP window specified by the receiver is now completely full",
    "This frame initiates the connection closing",
    "This frame undergoes the connection closing",
    "D-SACK Sequence",
    "Duplicate ACK",
    "This session reuses previously used ports",
    "The SYN packet does not contain a SACK PERM option",
    // The kernel's own, once in 65,536: it writes the one zero of one's complement as the other, as UDP wants it.
    "TCP Checksum 0xffff instead of 0x0000",
    // Said of UDP ports from 33435 to 33464, which the kernel may choose too.
    "Possible traceroute",
];

/// What may be said now and then of a fair link too: a peer that is late with an acknowledgement,
/// because its CPU does something else, gets a tail-loss probe.
const PROBES: &[&str] = &[
    "This frame is a (suspected) retransmission",
    "This frame is a (suspected) fast retransmission",
    "This frame is a (suspected) spurious retransmission",
];
/// Of so many frames one may be a probe.
const PROBE_RATE: usize = 50;
/// Frames by which the shortest capture counts as longer: the kernel may still ask for the end of a
/// connection to the stack of the scenario before.
const LEFT_OVER: usize = 4 * PROBE_RATE;

/// What may be said when frames were lost, doubled or reordered on purpose, or forged.
const ROUGH: &[&str] = &[
    "This frame is a (suspected) retransmission",
    "This frame is a (suspected) fast retransmission",
    "This frame is a (suspected) spurious retransmission",
    "This frame is a (suspected) out-of-order segment",
    "Previous segment(s) not captured (common at capture start)",
    "ACKed segment that wasn't captured (common at capture start)",
    "A new tcp session is started with the same ports as an earlier session in this trace",
    // Of a segment that the kernel's ICMPv6 error quotes.
    "TCP SYN-ACK accepting TFO data",
];

/// The captures of links that are fair.
fn is_fair(name: &str) -> bool {
    ![
        "loss",
        "reordered",
        "duplicated",
        "path",
        "thousand",
        "flood",
        "blind",
        "exact",
    ]
    .iter()
    .any(|rough| name.contains(rough))
}

fn captures_are_clean() -> String {
    let mut files: Vec<_> = std::fs::read_dir(captures())
        .expect("captures")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "nothing was captured");
    // One tshark has one processor.
    let parts = files.chunks(
        files
            .len()
            .div_ceil(available_parallelism().map_or(1, Into::into)),
    );
    let frames: usize = thread::scope(|scope| {
        let count = |part: &[PathBuf]| part.iter().map(|file| check(file)).sum::<usize>();
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || count(part))).collect();
        let counts = threads
            .into_iter()
            .map(|thread| thread.join().expect("as expected"));
        counts.sum()
    });
    format!(
        "{} captures of {frames} frames: none malformed, nothing unexpected",
        files.len()
    )
}

fn check(file: &Path) -> usize {
    let name = file
        .file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let fields = ["_ws.malformed", "_ws.expert.message", "_ws.expert.severity"];
    let mut command = Command::new("tshark");
    command
        .arg("-r")
        .arg(file)
        .args(["-T", "fields", "-E", "separator=\t", "-E", "aggregator=|"]);
    // The octets are random: nobody is to guess what is in them.
    for ports in ["tcp.port==1-65535,data", "udp.port==1-65535,data"] {
        command.args(["-d", ports]);
    }
    for option in [
        "ip.check_checksum",
        "tcp.check_checksum",
        "udp.check_checksum",
    ] {
        command.arg("-o").arg(format!("{option}:TRUE"));
    }
    for field in fields {
        command.arg("-e").arg(field);
    }
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("tshark: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: tshark: {errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut unexpected: BTreeMap<String, usize> = BTreeMap::new();
    let mut frames = 0;
    for (number, line) in text.lines().enumerate() {
        frames += 1;
        let mut columns = line.split('\t');
        let malformed = columns.next().unwrap_or_default();
        assert!(
            malformed.is_empty(),
            "{name}: frame {} is malformed",
            number + 1
        );
        for message in columns.next().unwrap_or_default().split('|') {
            let message = message.trim();
            let expected = ALWAYS
                .iter()
                .chain(ROUGH.iter().filter(|_| !is_fair(&name)));
            if !message.is_empty() && !expected.into_iter().any(|m| message.starts_with(m)) {
                *unexpected.entry(message.to_owned()).or_default() += 1;
            }
        }
    }
    let probes: usize = PROBES
        .iter()
        .filter_map(|probe| unexpected.get(*probe))
        .sum();
    if probes * PROBE_RATE <= frames + LEFT_OVER {
        unexpected.retain(|message, _| !PROBES.contains(&message.as_str()));
    }
    assert!(unexpected.is_empty(), "{name}: {unexpected:#?}");
    frames
}
