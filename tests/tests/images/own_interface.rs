use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use system_tests::Network;

use crate::container::{Container, SERVICE};
use crate::image::Image;

/// Has it sent back what goes through more than a few segments, which the kernel's side cuts and checks.
pub(crate) fn exchange(mut stream: TcpStream) {
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let sent: Vec<u8> = (0..1_000_000_u32)
        .flat_map(|number| number.to_ne_bytes())
        .collect();
    let mut received = Vec::new();
    thread::scope(|scope| {
        let mut writer = &stream;
        let sent = &sent;
        scope.spawn(move || {
            writer.write_all(sent).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        (&stream).read_to_end(&mut received).unwrap();
    });
    assert!(
        received == sent,
        "{} of {} octets",
        received.len(),
        sent.len()
    );
    stream.flush().unwrap();
}

#[test]
fn a_unikernel_with_its_tender_answers_by_the_containers_interface() {
    let image = Image::make(&["--tender"]);
    let words = image.configuration()["config"]["Entrypoint"].clone();
    let words: Vec<&str> = words
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    let root = image.unpack();
    Network::with(|_| {
        let container = Container::new();
        // The second time, as where a runtime starts it anew, it finds what the first has left.
        for _ in 0..2 {
            let mut running = container.start(&root, &words);
            exchange(running.connect(SERVICE, Duration::from_secs(20)));
            let status = fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
            assert!(status.contains("CapEff:\t0000000000000000\n"), "{status}");
            running.signal(Signal::SIGTERM);
            assert_eq!(running.wait().status, 0);
        }
    });
}

#[test]
fn without_an_interface_or_a_device_it_says_what_to_type() {
    let image = Image::make(&["--tender"]);
    let root = image.unpack();
    Network::with(|_| {
        let container = Container::new();
        let words = ["/solo5-container", "/unikernel"];
        // As without the capability.
        let starter = [
            "setpriv",
            "--bounding-set=-net_admin",
            "--inh-caps=-net_admin",
        ];
        let outcome = container.start_by(&starter, &root, &words).wait();
        outcome.assert_error(1, "docker run --device /dev/net/tun --cap-add NET_ADMIN");
        let mut delete = container.inside();
        crate::container::succeed(delete.args(["ip", "link", "delete", "eth0"]));
        let outcome = container.start(&root, &words).wait();
        outcome.assert_error(1, "the network device \"service\" has no interface here");
    });
}
