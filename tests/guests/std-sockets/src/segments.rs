//! Runs of datagrams, as quinn sends and receives them.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};

/// Octets of each datagram, and how many go out by one call.
const SEGMENT: usize = 1200;
const COUNT: usize = 40;

/// Sends a run, and expects as much again from there.
pub(crate) fn exchange(address: &str, ours: &str) -> io::Result<()> {
    let ours: IpAddr = ours.parse().expect("an address");
    let peer: SocketAddr = address.parse().expect("an address with a port");
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    // Who is not known yet has few datagrams wait for it.
    socket.send_to(b"?", peer)?;
    socket.recv_from(&mut [0])?;
    let state = UdpSocketState::new((&socket).into())?;
    assert_eq!((state.max_gso_segments(), state.gro_segments()), (64, 64));
    let contents: Vec<u8> = (0..COUNT * SEGMENT)
        .map(|at| (at / SEGMENT) as u8)
        .collect();
    let transmit = Transmit {
        destination: peer,
        ecn: None,
        contents: &contents,
        segment_size: Some(SEGMENT),
        src_ip: Some(ours),
    };
    state.try_send((&socket).into(), &transmit)?;
    assert_eq!(state.max_gso_segments(), 64);

    let mut places = vec![vec![0; 64 * SEGMENT]; BATCH_SIZE];
    let mut metas = [RecvMeta::default(); BATCH_SIZE];
    let mut back = Vec::new();
    while back.len() < contents.len() {
        let mut buffers: Vec<_> = places
            .iter_mut()
            .map(|place| IoSliceMut::new(place))
            .collect();
        match state.recv((&socket).into(), &mut buffers, &mut metas) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
            }
            received => {
                for (place, meta) in places.iter().zip(&metas[..received?]) {
                    assert_eq!((meta.addr, meta.stride), (peer, SEGMENT));
                    assert_eq!(meta.dst_ip, Some(ours));
                    back.extend_from_slice(&place[..meta.len]);
                }
            }
        }
    }
    assert!(back == contents);
    Ok(())
}
