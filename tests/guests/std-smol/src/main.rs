//! smol, async-io and socket2 in a unikernel: each case says that it is done.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use mkernel as _;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::stream::StreamExt;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};

type Case = (&'static str, fn() -> io::Result<()>);

const CASES: &[Case] = &[
    ("smol_net", smol_net),
    ("smol_unix", smol_unix),
    ("smol_fs", smol_fs),
    ("async_io", async_io),
    ("timers", timers),
    ("socket2_tcp", socket2_tcp),
    ("socket2_udp", socket2_udp),
    ("socket2_unix", socket2_unix),
];

fn main() -> io::Result<()> {
    for (name, run) in CASES {
        run()?;
        println!("ok: {name}");
    }
    println!("SUCCESS");
    Ok(())
}

/// A server and clients that are tasks, on smol's own threads.
fn smol_net() -> io::Result<()> {
    smol::block_on(async {
        let listener = smol::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = smol::spawn(async move {
            let mut tasks = Vec::new();
            let mut incoming = listener.incoming().take(20);
            while let Some(stream) = incoming.try_next().await? {
                tasks.push(smol::spawn(smol::io::copy(stream.clone(), stream)));
            }
            let mut octets = 0;
            for task in tasks {
                octets += task.await?;
            }
            Ok::<_, io::Error>(octets)
        });
        let clients = (0..20).map(|number| {
            smol::spawn(async move {
                let mut stream = smol::net::TcpStream::connect(address).await?;
                let data = vec![number; 50_000];
                stream.write_all(&data).await?;
                stream.shutdown(std::net::Shutdown::Write)?;
                let mut back = Vec::new();
                stream.read_to_end(&mut back).await?;
                assert_eq!(back, data);
                Ok::<_, io::Error>(())
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await?;
        }
        assert_eq!(server.await?, 1_000_000);
        Ok(())
    })
}

fn smol_unix() -> io::Result<()> {
    use smol::net::unix::{UnixListener, UnixStream};

    smol::block_on(async {
        let listener = UnixListener::bind("/tmp/smol")?;
        let client = smol::spawn(async {
            let mut stream = UnixStream::connect("/tmp/smol").await?;
            stream.write_all(b"hello").await?;
            stream.close().await
        });
        let (mut stream, _) = listener.accept().await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        assert_eq!(text, "hello");
        client.await
    })
}

/// Files, which smol reads and writes on threads of their own.
fn smol_fs() -> io::Result<()> {
    smol::block_on(async {
        smol::fs::write("/tmp/smol.txt", b"on a thread").await?;
        assert_eq!(
            smol::fs::read_to_string("/tmp/smol.txt").await?,
            "on a thread"
        );
        let text = smol::unblock(|| std::fs::read("/tmp/smol.txt")).await?;
        assert_eq!(text, b"on a thread");
        smol::fs::remove_file("/tmp/smol.txt").await
    })
}

/// std's sockets, made asynchronous.
fn async_io() -> io::Result<()> {
    smol::block_on(async {
        let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.get_ref().local_addr()?;
        let (client, accepted) =
            smol::future::zip(Async::<TcpStream>::connect(address), listener.accept()).await;
        let (mut client, (mut server, _)) = (client?, accepted?);
        let silence = smol::future::or(
            async { server.readable().await.map(|()| "readable") },
            async {
                Timer::after(Duration::from_millis(5)).await;
                Ok("silent")
            },
        );
        assert_eq!(silence.await?, "silent");
        client.write_all(b"hello").await?;
        let mut five = [0; 5];
        server.read_exact(&mut five).await?;
        assert_eq!(&five, b"hello");
        let sockets = [(), ()].map(|()| Async::<UdpSocket>::bind((Ipv4Addr::LOCALHOST, 0)));
        let [one, other] = sockets;
        let (one, other) = (one?, other?);
        one.send_to(b"datagram", other.get_ref().local_addr()?)
            .await?;
        let mut buffer = [0; 16];
        let (octets, from) = other.recv_from(&mut buffer).await?;
        assert_eq!((octets, from), (8, one.get_ref().local_addr()?));
        let (one, other) = Async::<UnixDatagram>::pair()?;
        one.send(b"pair").await?;
        assert_eq!(other.recv(&mut buffer).await?, 4);
        Ok(())
    })
}

fn timers() -> io::Result<()> {
    let began = Instant::now();
    smol::block_on(async {
        Timer::after(Duration::from_millis(10)).await;
        let ticks = Timer::interval(Duration::from_millis(2)).take(5);
        assert_eq!(ticks.count().await, 5);
    });
    assert!(began.elapsed() >= Duration::from_millis(20));
    Ok(())
}

/// Options as they are set and told, and a connection with a limit of time.
fn socket2_tcp() -> io::Result<()> {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    listener.set_reuse_address(true)?;
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    listener.listen(8)?;
    assert!(listener.is_listener()?);
    let client = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let keep_alive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(5));
    client.set_tcp_keepalive(&keep_alive)?;
    client.set_tcp_nodelay(true)?;
    client.set_linger(Some(Duration::from_secs(1)))?;
    client.set_read_timeout(Some(Duration::from_millis(5)))?;
    assert_eq!(client.tcp_keepalive_time()?, Duration::from_secs(30));
    assert!(client.keepalive()? && client.tcp_nodelay()?);
    assert_eq!(client.linger()?, Some(Duration::from_secs(1)));
    client.connect_timeout(&listener.local_addr()?, Duration::from_secs(5))?;
    let (server, from) = listener.accept()?;
    assert_eq!(from.as_socket(), client.local_addr()?.as_socket());
    let mut stream = TcpStream::from(client);
    let waited = stream.read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(waited, Err(io::ErrorKind::WouldBlock));
    TcpStream::from(server).write_all(b"hello")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    assert_eq!(text, "hello");
    assert!(SockRef::from(&stream).take_error()?.is_none());
    Ok(())
}

fn socket2_udp() -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.set_nonblocking(true)?;
    socket.set_ttl_v4(9)?;
    assert_eq!((socket.ttl_v4()?, socket.r#type()?), (9, Type::DGRAM));
    socket.send_to_vectored(
        &[io::IoSlice::new(b"to "), io::IoSlice::new(b"itself")],
        &socket.local_addr()?,
    )?;
    let mut buffer = [0; 16];
    let octets = (&socket).read(&mut buffer)?;
    assert_eq!(&buffer[..octets], b"to itself");
    Ok(())
}

fn socket2_unix() -> io::Result<()> {
    let (mut one, mut other) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    one.write_all(b"pair")?;
    let mut four = [0; 4];
    other.read_exact(&mut four)?;
    assert_eq!(&four, b"pair");
    let name = SockAddr::unix("\0of its own")?;
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    socket.bind(&name)?;
    Socket::new(Domain::UNIX, Type::DGRAM, None)?.send_to(b"hello", &name)?;
    assert_eq!((&socket).read(&mut [0; 16])?, 5);
    Ok(())
}
