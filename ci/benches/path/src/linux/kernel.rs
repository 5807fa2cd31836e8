//! The kernel's ends of connections, each on a thread.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use anyhow::Result;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpCongestion;

/// How long a thread waits before it asks whether it is over.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Default)]
pub struct Kernel {
    received: AtomicU64,
    over: AtomicBool,
}

impl Kernel {
    /// Octets that were read.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Ends the threads.
    pub fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub fn listen(&self, address: SocketAddrV4) -> Result<TcpListener> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    /// Reads all that comes over connections to `listener`.
    pub fn receive<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, listener: TcpListener) {
        while !self.is_over() {
            match listener.accept() {
                Ok((stream, _)) => drop(scope.spawn(move || self.read(stream))),
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn read(&self, mut stream: TcpStream) {
        let mut buffer = vec![0; 64 << 10];
        if stream.set_nonblocking(false).is_err()
            || stream.set_read_timeout(Some(PATIENCE)).is_err()
        {
            return;
        }
        while !self.is_over() {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => drop(self.received.fetch_add(count as u64, Ordering::Relaxed)),
                // Nothing came in time.
                Err(_) => {}
            }
        }
    }

    /// Sends to `address` as much as goes, with CUBIC.
    pub fn send(&self, address: SocketAddrV4) -> Result<()> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::V4(address), 4 * PATIENCE)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        setsockopt(&stream, TcpCongestion, &OsString::from("cubic"))?;
        let data = vec![0x5a; 64 << 10];
        while !self.is_over() {
            // What is not taken in time is sent with the next.
            let _ = stream.write(&data);
        }
        Ok(())
    }
}
