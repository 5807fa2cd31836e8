//! Exercises std's sockets in a unikernel. The first argument names the case.

mod ipv6;
mod nothing_given;
mod rights;
mod segments;

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::process::ExitCode;
use std::ptr;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use mkernel as _;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match &arguments[..] {
        [case] if case == "inside" => inside(),
        [case] if case == "at_exit" => at_exit(),
        [case] if case == "nothing_given" => nothing_given::check(),
        [case, address] if case == "echo" => echo(address),
        [case, address] if case == "fetch" => fetch(address),
        [case, address] if case == "greet" => ipv6::greet(address),
        [case] if case == "only_v6" => ipv6::only_v6(),
        [case, address] if case == "datagrams" => ipv6::datagrams(address),
        [case] if case == "groups" => ipv6::groups(),
        [case, address, ours] if case == "segments" => segments::exchange(address, ours),
        [case, name] if case == "resolve" => ipv6::resolve(name),
        other => {
            eprintln!("no case {other:?}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = done {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    println!("SUCCESS");
    ExitCode::SUCCESS
}

/// Connections and datagrams between threads of the program.
fn inside() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> io::Result<()> {
        for stream in listener.incoming().take(3) {
            let mut stream = stream?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            stream.write_all(text.to_uppercase().as_bytes())?;
        }
        Ok(())
    });
    for text in ["one", "two", "three"] {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(text.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        assert_eq!(answer, text.to_uppercase());
    }
    server.join().expect("no panic")?;
    let refused = TcpStream::connect(address).map(drop);
    assert_eq!(
        refused.map_err(|error| error.kind()),
        Err(io::ErrorKind::ConnectionRefused)
    );

    let [one, other] = [
        UdpSocket::bind("127.0.0.1:0")?,
        UdpSocket::bind("localhost:0")?,
    ];
    let [reader, writer] = [other.as_raw_fd(), one.as_raw_fd()];
    assert_eq!(select(reader, writer), [false, true]);
    one.send_to(b"datagram", other.local_addr()?)?;
    assert_eq!(select(reader, writer), [true, true]);
    let mut buffer = [0; 64];
    assert_eq!(other.recv_from(&mut buffer)?, (8, one.local_addr()?));
    // Who never has to wait gives way to who reads.
    let address = other.local_addr()?;
    let reader = thread::spawn(move || other.recv(&mut [0; 64]));
    while !reader.is_finished() {
        one.send_to(b"again", address)?;
    }
    assert_eq!(reader.join().expect("no panic")?, 5);
    rights::pass()
}

/// Which of the two can be read and written, and that time passes where neither is asked for.
fn select(reader: RawFd, writer: RawFd) -> [bool; 2] {
    let mut time = libc::timeval {
        tv_sec: 0,
        tv_usec: 1_000,
    };
    let start = Instant::now();
    // SAFETY: zeros are an empty set; the sets and the time are live, and the numbers are less than 1,024.
    unsafe {
        let none = ptr::null_mut();
        assert_eq!(libc::select(0, none, none, none, &raw mut time), 0);
        assert!(start.elapsed() >= Duration::from_millis(1) && time.tv_usec == 0);
        let [mut read, mut write] = [std::mem::zeroed(); 2];
        libc::FD_SET(reader, &raw mut read);
        libc::FD_SET(writer, &raw mut write);
        let count = reader.max(writer) + 1;
        let told = libc::select(count, &raw mut read, &raw mut write, none, ptr::null_mut());
        let set = [
            libc::FD_ISSET(reader, &raw const read),
            libc::FD_ISSET(writer, &raw const write),
        ];
        assert_eq!(told, set.map(i32::from).into_iter().sum::<i32>());
        set
    }
}

static KEPT: OnceLock<(File, TcpListener)> = OnceLock::new();

extern "C" fn use_what_is_kept() {
    let (file, listener) = KEPT.get().expect("set before the end");
    let mut writer = file;
    writer.write_all(b"text").expect("an open file");
    listener.local_addr().expect("an open socket");
    println!("open at the end");
}

/// A handler that is registered before the first socket is there uses what is open.
fn at_exit() -> io::Result<()> {
    // SAFETY: the function may be called when the program ends.
    assert_eq!(unsafe { libc::atexit(use_what_is_kept) }, 0);
    let kept = (
        File::create("/tmp/kept")?,
        TcpListener::bind("127.0.0.1:0")?,
    );
    KEPT.set(kept).expect("set once");
    Ok(())
}

/// Two connections, a thread each, that give back what they are sent.
fn echo(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let mut threads = Vec::new();
    for stream in listener.incoming().take(2) {
        let mut stream = stream?;
        threads.push(thread::spawn(move || {
            io::copy(&mut stream.try_clone()?, &mut stream)
        }));
    }
    for thread in threads {
        println!("{} octets", thread.join().expect("no panic")?);
    }
    Ok(())
}

/// What a server says when it is connected to, up to the end.
fn fetch(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"hello\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    print!("{text}");
    Ok(())
}
