//! Many UDP datagrams in one frame, with the Linux kernel as peer.

use std::net::UdpSocket;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{UdpGroSegment, UdpGsoSegment};
use system_tests::{Guest, Network, Target};

use crate::load::traffic;

/// Octets of each datagram but the last, and of all.
const SIZE: i32 = 1000;
const OCTETS: usize = 40_500;
const ROUNDS: usize = 50;

/// Over either IP version what the host sends in one call comes to the unikernel as one frame, and what that sends in one
/// call to the host: to a socket that takes datagrams one by one, and to one that takes them together (UDP_GRO).
#[test]
fn many_datagrams_go_in_one_frame_both_ways() {
    let guest = Guest::build_release("segments", Target::Spt).option("--net:service=tap0");
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        network.add_ipv6("tap0", "fd00::1/64");
        let running = guest.start();
        for [host, guest] in [["10.0.0.1:0", "10.0.0.2:7"], ["[fd00::1]:0", "[fd00::2]:7"]] {
            for joined in [false, true] {
                let socket = UdpSocket::bind(host).unwrap();
                socket.connect(guest).unwrap();
                greet(&socket);
                setsockopt(&socket, UdpGsoSegment, &SIZE).unwrap();
                setsockopt(&socket, UdpGroSegment, &joined).unwrap();
                let before = traffic("tap0");
                for round in 0..ROUNDS {
                    exchange(&socket, round, joined);
                }
                let after = traffic("tap0");
                for (index, way) in ["from", "to"].into_iter().enumerate() {
                    let [bytes, frames] = [0, 1].map(|at| after[index][at] - before[index][at]);
                    assert!(bytes > (OCTETS * ROUNDS) as u64);
                    // Those of neighbour discovery among them.
                    assert!(frames < 2 * ROUNDS as u64, "{frames} frames {way} {guest}");
                }
            }
        }
        drop(running);
    });
}

/// Has the unikernel answer, so that both know each other's hardware address.
fn greet(socket: &UdpSocket) {
    socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut buffer = [0; 100];
    let answered = (0..600).any(|_| {
        socket.send(b"hello").unwrap();
        socket.recv(&mut buffer).is_ok()
    });
    assert!(answered, "no answer");
    // Those to what was sent before.
    while socket.recv(&mut buffer).is_ok() {}
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
}

fn exchange(socket: &UdpSocket, round: usize, joined: bool) {
    let sent: Vec<u8> = (round..round + OCTETS)
        .map(|at| (at ^ at >> 8) as u8)
        .collect();
    assert_eq!(socket.send(&sent).unwrap(), OCTETS);
    let mut received: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 65_536];
    while received.len() < OCTETS {
        let length = socket.recv(&mut buffer).unwrap();
        let whole = if joined { OCTETS } else { SIZE as usize };
        assert_eq!(length, whole.min(OCTETS - received.len()));
        received.extend(&buffer[..length]);
    }
    assert!(received == sent, "other octets come back than were sent");
}
