//! A path that becomes narrower than the link at its ends.

use netstack::{Stack, TcpListener};
use std::io::{self, Read, Write};
use std::net::Shutdown;

use crate::Scenario;
use crate::family;
use crate::host::{Host, Spawner, connect};
use crate::link::{Conditions, Path};
use crate::stream::Octets;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("path-narrows-and-says-so", || narrows(true)),
    ("path-is-a-black-hole", || narrows(false)),
];

const COUNT: usize = 2_000_000;

/// Octets that the path takes: more than what Linux probes with when it suspects a black hole, which is `tcp_base_mss`
/// with headers.
fn path_mtu() -> usize {
    family::least_mtu().max(1200)
}

/// Echo on port 7.
async fn echo(stack: Stack, _: Spawner) -> io::Result<()> {
    let listener = TcpListener::bind(&stack, (family::any(), 7))?;
    let (stream, _) = listener.accept().await?;
    while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
        stream.write_chunk(chunk).await?;
    }
    stream.shutdown()?;
    stream.flushed().await
}

/// The path narrows in the midst of an echo, both ways (RFC 1191, RFC 8201): both ends have to send smaller
/// segments, and only those pass.
fn narrows(tells: bool) -> String {
    // Linux looks for black holes only when it is told to.
    std::fs::write("/proc/sys/net/ipv4/tcp_mtu_probing", "1").expect("a setting of this namespace");
    let capture = match tells {
        true => "path-narrows",
        false => "path-black-hole",
    };
    let conditions = Conditions {
        capture: Some(capture),
        ..Conditions::default()
    };
    let host = Host::start(conditions, echo);
    let mut stream = connect(7);
    let mut first = vec![0; 100_000];
    let mut octets = Octets::new(6);
    octets.fill(&mut first);
    stream.write_all(&first).expect("sent");
    let mut back = vec![0; first.len()];
    stream.read_exact(&mut back).expect("an echo");
    assert!(back == first, "an octet differs");
    assert!(host.control.longest() > [path_mtu() as u32; 2]);

    host.control.narrow(Path {
        mtu: path_mtu(),
        tells,
    });
    let mut writer = stream.try_clone().expect("a second handle");
    let mut sent = octets.clone();
    let sender = std::thread::spawn(move || {
        sent.send(&mut writer, COUNT).expect("sent");
        writer.shutdown(Shutdown::Write).expect("half-closed");
    });
    let received = octets.receive(&mut stream).expect("an echo");
    sender.join().expect("all was sent");
    assert_eq!(received, COUNT);
    let reductions = host.counters().tcp.mtu_reductions;
    assert!(reductions > 0, "the stack went on as before");
    let [kernel, stack] = host.control.longest();
    assert!(kernel.max(stack) <= path_mtu() as u32);
    format!(
        "{received} octets echoed through {}: longest packets {kernel} from the kernel, \
         {stack} from the stack",
        path_mtu()
    )
}
