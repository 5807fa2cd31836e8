//! With a thread for each connection.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::{CHARGEN, COUNTS, DAYTIME, DISCARD, ECHO, characters, count, leave};

type Service = fn(TcpStream) -> io::Result<()>;

pub(crate) fn serve(idle: Option<Duration>, descriptors: Option<usize>) -> io::Result<()> {
    let services: [(u16, Service); 4] = [
        (ECHO, echo),
        (DISCARD, discard),
        (DAYTIME, daytime),
        (CHARGEN, chargen),
    ];
    let mut threads = Vec::new();
    let datagrams = UdpSocket::bind(("::", ECHO))?;
    threads.push(thread::spawn(move || echo_datagrams(&datagrams)));
    for (port, service) in services {
        let listener = TcpListener::bind(("::", port))?;
        threads.push(thread::spawn(move || accept(&listener, service, idle)));
    }
    let _taken = descriptors.map(leave).transpose()?;
    for thread in threads {
        thread.join().expect("no panic");
    }
    Ok(())
}

/// Asks for the next connection whatever came of the one before, as programs do.
fn accept(listener: &TcpListener, service: Service, idle: Option<Duration>) {
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                count(&COUNTS.not_accepted, &error);
                continue;
            }
        };
        let spawned = thread::Builder::new().spawn(move || {
            COUNTS.served.fetch_add(1, Ordering::Relaxed);
            stream.set_read_timeout(idle)?;
            stream.set_write_timeout(idle)?;
            service(stream)
        });
        if let Err(error) = spawned {
            count(&COUNTS.not_spawned, &error);
        }
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let octets = stream.read(&mut buffer)?;
        if octets == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..octets])?;
    }
}

fn discard(mut stream: TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

fn daytime(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(COUNTS.told().as_bytes())
}

fn chargen(mut stream: TcpStream) -> io::Result<()> {
    let characters = characters();
    loop {
        stream.write_all(&characters)?;
    }
}

fn echo_datagrams(socket: &UdpSocket) {
    let mut buffer = [0; 2048];
    loop {
        // What cannot be sent back is lost, as on the way.
        if let Ok((octets, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..octets], from);
        }
    }
}
