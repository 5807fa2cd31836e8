//! Offload of UDP: many datagrams in one call of a socket's of this host, to a neighbour behind a TAP.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use hostdev::{OFFLOAD_HEADER_LEN, Offload, Tap};

use crate::{ip, make, readable};

const SIZE: usize = 1000;
const OCTETS: usize = 20_500;

/// A socket whose datagrams are of `SIZE` bytes (`UDP_SEGMENT`).
fn socket(local: &str) -> UdpSocket {
    let socket = UdpSocket::bind(local).unwrap();
    let size = SIZE as libc::c_int;
    // SAFETY: `size` is an int, as the option takes, and its length is told.
    let set = unsafe {
        let (value, length) = ((&raw const size).cast(), size_of_val(&size));
        let length = length as libc::socklen_t;
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            value,
            length,
        )
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    socket
}

/// The frames of UDP that one call of `socket` makes, the headers of the TAP in front.
fn frames(tap: &Tap, socket: &UdpSocket, to: &str) -> Vec<Vec<u8>> {
    let header = tap.offload().map_or(0, |_| OFFLOAD_HEADER_LEN);
    // Until the kernel has noticed that the interface is attached, it drops what is sent there.
    for _ in 0..600 {
        socket.send_to(&vec![7; OCTETS], to).unwrap();
        let mut frames = Vec::new();
        while readable(tap, 100) {
            let mut frame = vec![0; 70_000];
            let length = tap.read_frame(&mut frame).unwrap().expect("readable");
            frame.truncate(length);
            let protocol = if frame[header + 12] == 8 { 23 } else { 20 };
            if frame[header + protocol] == 17 {
                frames.push(frame);
            }
        }
        if !frames.is_empty() {
            return frames;
        }
    }
    panic!("no frame to {to}");
}

pub(crate) fn datagrams_are_joined_for_those_who_take_them_only() {
    std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0").unwrap();
    make("datagrams0");
    ip("addr add 10.9.3.1/24 dev datagrams0");
    ip("addr add fd09:3::1/64 dev datagrams0 nodad");
    for neighbour in ["10.9.3.2", "fd09:3::2"] {
        ip(&format!(
            "neigh add {neighbour} lladdr 02:00:00:00:00:02 dev datagrams0"
        ));
    }
    let families = [
        ("10.9.3.1:0", "10.9.3.2:7", 20),
        ("[fd09:3::1]:0", "[fd09:3::2]:7", 40),
    ];
    // Each after one that has left the interface in another state.
    for offload in [Some(Offload::TcpAndUdp), Some(Offload::Tcp4AndTcp6), None].repeat(2) {
        let tap = match offload {
            Some(offload) => Tap::open_with_offload("datagrams0", offload).unwrap(),
            None => Tap::open("datagrams0").unwrap(),
        };
        assert_eq!(tap.offload(), offload);
        for (local, to, ip_header) in families {
            let frames = frames(&tap, &socket(local), to);
            let headers = 14 + ip_header + 8;
            if offload != Some(Offload::TcpAndUdp) {
                assert_eq!(frames.len(), OCTETS.div_ceil(SIZE), "{to}");
                for frame in frames {
                    assert!(frame.len() <= OFFLOAD_HEADER_LEN + headers + SIZE);
                    assert!(
                        offload.is_none() || frame[1] == 0,
                        "VIRTIO_NET_HDR_GSO_NONE"
                    );
                }
                continue;
            }
            let [frame] = &frames[..] else {
                panic!("{} frames to {to}", frames.len());
            };
            assert_eq!(frame.len(), OFFLOAD_HEADER_LEN + headers + OCTETS);
            // VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_UDP_L4
            assert_eq!(frame[..2], [1, 5]);
            assert_eq!(frame[4..6], (SIZE as u16).to_le_bytes());
            assert_eq!(frame[6..8], (14 + ip_header as u16).to_le_bytes());
            assert_eq!(frame[8..10], 6_u16.to_le_bytes());
        }
    }
}
