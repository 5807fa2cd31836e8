//! Cases of IPv6.

use std::io::{self, Write};
use std::net::{
    Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, ToSocketAddrs, UdpSocket,
};

use socket2::{Domain, Protocol, Socket, Type};

/// The group that the test sends to, of each family.
const GROUPS: (Ipv4Addr, Ipv6Addr) = (
    Ipv4Addr::new(239, 1, 2, 3),
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 0x23),
);

/// Says to two clients who they are, and where they have called.
pub(crate) fn greet(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for _ in 0..2 {
        let (mut stream, peer) = listener.accept()?;
        let here = stream.local_addr()?;
        assert_eq!(stream.peer_addr()?, peer);
        writeln!(stream, "{} at {here}", peer.ip())?;
    }
    Ok(())
}

/// A listener of each family has the same port.
pub(crate) fn only_v6() -> io::Result<()> {
    let six = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    assert!(!six.only_v6()?);
    six.set_only_v6(true)?;
    let any: SocketAddr = "[::]:7000".parse().expect("an address");
    six.bind(&any.into())?;
    six.listen(8)?;
    assert!(six.only_v6()?);
    let mapped: SocketAddr = "[::ffff:10.0.0.1]:7001".parse().expect("an address");
    let other = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    other.set_only_v6(true)?;
    let refused = other.connect(&mapped.into()).map_err(|error| error.kind());
    assert_eq!(refused, Err(io::ErrorKind::NetworkUnreachable));
    let four = TcpListener::bind("0.0.0.0:7000")?;
    let six = TcpListener::from(six);
    for (listener, family) in [(&six, "six"), (&four, "four")] {
        let (mut stream, peer) = listener.accept()?;
        writeln!(stream, "{family}: {}", peer.ip())?;
    }
    Ok(())
}

/// Gives back datagrams, up to an empty one.
pub(crate) fn datagrams(address: &str) -> io::Result<()> {
    let socket = UdpSocket::bind(address)?;
    println!("listening on {}", socket.local_addr()?);
    let mut buffer = [0; 2048];
    loop {
        let (octets, from) = socket.recv_from(&mut buffer)?;
        println!("{octets} octets from {}", from.ip());
        socket.send_to(&buffer[..octets], from)?;
        if octets == 0 {
            return Ok(());
        }
    }
}

/// A datagram to a group of each family: from the network, and from this program.
pub(crate) fn groups() -> io::Result<()> {
    let (v4, v6) = GROUPS;
    let four = UdpSocket::bind("0.0.0.0:7000")?;
    four.join_multicast_v4(&v4, &Ipv4Addr::UNSPECIFIED)?;
    let again = four.join_multicast_v4(&v4, &Ipv4Addr::UNSPECIFIED);
    assert_eq!(
        again.map_err(|error| error.kind()),
        Err(io::ErrorKind::AddrInUse)
    );
    let six = UdpSocket::bind("[::]:7001")?;
    six.join_multicast_v6(&v6, 1)?;
    println!("listening");
    let mut buffer = [0; 64];
    for (socket, group) in [
        (&four, (v4, 7000).into()),
        (&six, SocketAddr::from((v6, 7001))),
    ] {
        let (octets, _) = socket.recv_from(&mut buffer)?;
        assert_eq!(&buffer[..octets], b"from outside");
        socket.send_to(b"to all", group)?;
        let (octets, _) = socket.recv_from(&mut buffer)?;
        assert_eq!(&buffer[..octets], b"to all");
    }
    four.leave_multicast_v4(&v4, &Ipv4Addr::UNSPECIFIED)?;
    six.leave_multicast_v6(&v6, 1)
}

/// What a name stands for, in the order in which it is tried, and who was asked.
pub(crate) fn resolve(name: &str) -> io::Result<()> {
    for address in (name, 80).to_socket_addrs()? {
        println!("{address}");
    }
    print!("{}", std::fs::read_to_string("/etc/resolv.conf")?);
    let of_another_link = SocketAddrV6::new("fe80::1".parse().expect("an address"), 80, 0, 77);
    let refused = UdpSocket::bind("[::]:0")?.send_to(b"x", of_another_link);
    // ENODEV.
    assert_eq!(refused.map_err(|error| error.raw_os_error()), Err(Some(19)));
    Ok(())
}
