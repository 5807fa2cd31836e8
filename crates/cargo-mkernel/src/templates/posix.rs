//! An HTTP server by the standard library alone: one thread for each connection.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

// Brings threads, sockets and files, to which nothing else refers by its name.
use mkernel as _;

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:8080")?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        // A connection that fails, or for which there is no memory, is its client's affair.
        let served =
            stream.and_then(|stream| thread::Builder::new().spawn(move || answer(&stream)));
        if let Err(error) = served {
            eprintln!("not served: {error}");
        }
    }
    Ok(())
}

fn answer(mut stream: &TcpStream) -> io::Result<()> {
    // The request, up to the line that ends its head.
    for line in BufReader::new(stream).lines() {
        if line?.is_empty() {
            break;
        }
    }
    let body = "Hello World!\n";
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
