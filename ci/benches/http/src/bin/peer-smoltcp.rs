//! The service over smoltcp on a TAP interface, without an executor: one loop, and the least of HTTP that the
//! clients of this benchmark get along with.
//!
//! `peer-smoltcp TAP ADDRESS SOCKETS BUSY`: so many sockets listen on port 80. smoltcp has no backlog, so this is
//! the greatest number of connections at once. With a number of steps for BUSY other than 0 the loop spins that
//! many in each turn, and never sleeps.

use std::{env, net::Ipv4Addr, os::fd::AsRawFd};

use anyhow::{Context, Result, anyhow, bail};
use bench_common::busy::spin;
use smoltcp::{
    iface::{Config, Interface, SocketSet},
    phy::{Medium, TunTapInterface, wait},
    socket::tcp::{CongestionControl, Socket, SocketBuffer, State},
    time::Instant,
    wire::{EthernetAddress, IpCidr},
};

/// Octets of each of a socket's two buffers.
const BUFFER: usize = 16 << 10;
/// What other subjects' answers say as well.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 3\r\n\
date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nok\n";

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [tap, address, sockets, busy] = arguments.as_slice() else {
        bail!("usage: peer-smoltcp TAP ADDRESS SOCKETS BUSY");
    };
    let address: Ipv4Addr = address.parse().context(address.clone())?;
    let sockets: usize = sockets.parse().context(sockets.clone())?;
    let busy: u64 = busy.parse().context(busy.clone())?;

    let mut device = TunTapInterface::new(tap, Medium::Ethernet)?;
    let config = Config::new(EthernetAddress([2, 0, 0, 0, 0, 1]).into());
    let mut interface = Interface::new(config, &mut device, Instant::now());
    interface.update_ip_addrs(|addresses| {
        // The list is empty and has room for one.
        let _ = addresses.push(IpCidr::new(address.into(), 24));
    });
    let mut set = SocketSet::new(vec![]);
    for _ in 0..sockets {
        let buffer = || SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(None);
        socket.set_congestion_control(CongestionControl::Cubic);
        set.add(socket);
    }
    loop {
        interface.poll(Instant::now(), &mut device, &mut set);
        let mut moved = false;
        for (_, smoltcp::socket::Socket::Tcp(socket)) in set.iter_mut() {
            moved |= serve(socket)?;
        }
        spin(busy);
        if moved || busy > 0 {
            // What was written or freed may let segments out at once.
            continue;
        }
        let delay = interface.poll_delay(Instant::now(), &set);
        wait(device.as_raw_fd(), delay)?;
    }
}

/// A socket's turn; true if octets moved or the state changed.
fn serve(socket: &mut Socket) -> Result<bool> {
    if !socket.is_open() {
        socket.listen(80).map_err(|error| anyhow!("{error}"))?;
        return Ok(true);
    }
    let mut moved = false;
    // An answer goes out whole, so there has to be room for it.
    while socket.send_capacity() - socket.send_queue() >= ANSWER.len() && takes_request(socket)? {
        let sent = socket
            .send_slice(ANSWER)
            .map_err(|error| anyhow!("{error}"))?;
        moved |= sent > 0;
    }
    let began = !matches!(socket.state(), State::Listen | State::SynReceived);
    if began && socket.may_send() && !socket.may_recv() && socket.recv_queue() == 0 {
        socket.close();
        moved = true;
    }
    Ok(moved)
}

/// Takes one request from the receive buffer, if it is there to its end, which is an empty line.
fn takes_request(socket: &mut Socket) -> Result<bool> {
    if !socket.can_recv() || !socket.can_send() {
        return Ok(false);
    }
    let mut request = [0; 1024];
    let length = socket
        .peek_slice(&mut request)
        .map_err(|error| anyhow!("{error:?}"))?;
    let Some(end) = request[..length]
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
    else {
        return Ok(false);
    };
    let length = end + 4;
    let taken = socket
        .recv_slice(&mut request[..length])
        .map_err(|error| anyhow!("{error:?}"))?;
    Ok(taken == length)
}
