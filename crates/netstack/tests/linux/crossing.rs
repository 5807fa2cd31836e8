//! What two ends do at the same time; connections that the stack opens.

use netstack::proto::tcp::State;
use netstack::{Stack, TcpListener, TcpStream};
use socket2::{SockAddr, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Scenario;
use crate::family;
use crate::host::{Host, PATIENCE, connect};
use crate::link::{Conditions, Control};
use crate::namespace::kernel_tcp;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("simultaneous-close", simultaneous_close),
    ("simultaneous-open", simultaneous_open),
    ("thousand-connections-out", thousand_connections_out),
];

/// Waits until the stack has sent a frame that waits on the link.
fn wait_for_frame(control: &Control) {
    let start = Instant::now();
    while control.waiting() == 0 {
        assert!(start.elapsed() < PATIENCE, "the stack sent nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn conditions(capture: &'static str) -> Conditions {
    Conditions {
        capture: Some(capture),
        ..Conditions::default()
    }
}

/// RFC 9293 §3.6, case 3: the FINs cross, both ends pass through CLOSING.
fn simultaneous_close() -> String {
    let resets = kernel_tcp("OutRsts");
    let (close, closing) = async_channel::bounded::<()>(1);
    let (told, ended) = mpsc::channel();
    let server = move |stack: Stack, _| async move {
        let listener = TcpListener::bind(&stack, (family::any(), 7))?;
        let (stream, _) = listener.accept().await?;
        let mut octet = [0];
        stream.read(&mut octet).await?;
        // The channel is closed when the link holds frames back.
        let _ = closing.recv().await;
        stream.shutdown()?;
        let read = stream.read(&mut octet).await?;
        let state = stream.status()?.state;
        stream.flushed().await?;
        let result = (read, state, stream.status()?.state);
        told.send(result).expect("the scenario waits");
        Ok(())
    };
    let host = Host::start(conditions("simultaneous-close"), server);
    let mut stream = connect(7);
    stream.write_all(b"!").expect("sent");
    // Until the acknowledgement of it has come, the link is open.
    while host.counters().tcp.in_segs < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    host.control.cross();
    drop(close);
    wait_for_frame(&host.control);
    stream.shutdown(Shutdown::Write).expect("closed");
    assert_eq!(stream.read(&mut [0]).expect("the stack's end"), 0);
    let (read, state, last) = ended.recv_timeout(PATIENCE).expect("all is acknowledged");
    assert_eq!((read, state), (0, State::Closing));
    assert_eq!(last, State::TimeWait);
    let ours = host.counters().tcp.out_rsts;
    assert_eq!((ours, kernel_tcp("OutRsts") - resets), (0, 0), "resets");
    "the FINs crossed: CLOSING, then TIME-WAIT".into()
}

/// RFC 9293 §3.5, figure 7: the SYNs cross.
fn simultaneous_open() -> String {
    const PORTS: (u16, u16) = (6001, 6002);
    let (open, opening) = async_channel::bounded::<()>(1);
    let server = move |stack: Stack, _| async move {
        let _ = opening.recv().await;
        let (local, peer) = ((family::ours(), PORTS.1), (family::kernel(), PORTS.0));
        let stream = TcpStream::connect_with(&stack, local, peer, &Default::default()).await?;
        while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
            stream.write_chunk(chunk).await?;
        }
        stream.shutdown()?;
        stream.flushed().await
    };
    let host = Host::start(conditions("simultaneous-open"), server);
    // So that the SYN and no question for its hardware address is what waits.
    ping(&host);
    host.control.cross();
    drop(open);
    wait_for_frame(&host.control);
    let socket = Socket::new(family::domain(), Type::STREAM, None).expect("a socket");
    let local = SockAddr::from(SocketAddr::from((family::kernel(), PORTS.0)));
    socket.bind(&local).expect("the port is free");
    let peer = SockAddr::from(SocketAddr::from((family::ours(), PORTS.1)));
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    socket.connect(&peer).expect("a connection");
    let mut stream = std::net::TcpStream::from(socket);
    stream.write_all(b"crossed").expect("sent");
    stream.shutdown(Shutdown::Write).expect("half-closed");
    let mut echo = Vec::new();
    stream.read_to_end(&mut echo).expect("an echo");
    assert_eq!(echo, b"crossed");
    "the SYNs crossed: one connection, echoed".into()
}

/// Makes the ends know each other's hardware addresses.
fn ping(host: &Host) {
    let socket = std::net::UdpSocket::bind((family::kernel(), 0)).expect("a socket");
    let before = host.counters().udp.no_ports;
    let start = Instant::now();
    while host.counters().udp.no_ports == before {
        assert!(start.elapsed() < PATIENCE, "no datagram arrives");
        socket
            .send_to(b"?", SocketAddr::from((family::ours(), 9)))
            .expect("sent");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A thousand connections from the stack to the kernel, open at the same time.
fn thousand_connections_out() -> String {
    const CONNECTIONS: usize = 1000;
    const LEN: usize = 4096;
    // The standard library's backlog is shorter: Linux would answer the rest with cookies.
    let listener = Socket::new(family::domain(), Type::STREAM, None).expect("a socket");
    let any = SockAddr::from(SocketAddr::from((family::any(), 0)));
    listener.bind(&any).expect("a free port");
    listener.listen(CONNECTIONS as i32).expect("a listener");
    listener.set_read_timeout(Some(PATIENCE)).expect("set");
    let listener = std::net::TcpListener::from(listener);
    let port = listener.local_addr().expect("an address").port();
    let (told, echoed) = mpsc::channel();
    let server = move |stack: Stack, spawner: crate::host::Spawner| async move {
        for number in 0..CONNECTIONS {
            let (stack, told) = (stack.clone(), told.clone());
            let task = async move {
                let stream = TcpStream::connect(&stack, (family::kernel(), port)).await?;
                let sent = vec![number as u8; LEN];
                stream.write_all(&sent).await?;
                stream.shutdown()?;
                let mut back = Vec::new();
                while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
                    back.extend_from_slice(&chunk);
                }
                io::Result::Ok(back == sent)
            };
            let report = async move { told.send(task.await.map_err(|error| error.kind())) };
            spawner
                .spawn(async move { report.await.expect("the scenario waits") })
                .detach();
        }
        std::future::pending().await
    };
    let _host = Host::start(conditions("thousand-connections-out"), server);
    let mut streams: Vec<_> = (0..CONNECTIONS)
        .map(|_| listener.accept().expect("a connection").0)
        .collect();
    // None is answered before all are open.
    for stream in &mut streams {
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let mut octets = vec![0; LEN];
        stream.read_exact(&mut octets).expect("octets");
        stream.write_all(&octets).expect("sent");
    }
    drop(streams);
    for _ in 0..CONNECTIONS {
        let result = echoed.recv_timeout(PATIENCE).expect("all connections end");
        assert_eq!(result, Ok(true));
    }
    format!("{CONNECTIONS} connections open at once, {LEN} octets echoed on each")
}
