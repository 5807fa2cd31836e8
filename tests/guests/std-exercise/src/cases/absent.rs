//! What an operating system has and Solo5 has not.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::{env, thread};

/// An error each time, never a crash.
pub(crate) fn what_solo5_lacks() {
    let kind = |result: std::io::Result<()>| result.expect_err("Solo5 lacks it").kind();
    assert_eq!(
        kind(File::open("/etc/passwd").map(drop)),
        ErrorKind::Unsupported
    );
    assert_eq!(
        kind(File::create("/tmp/x").map(drop)),
        ErrorKind::Unsupported
    );
    assert_eq!(kind(fs::read_dir("/").map(drop)), ErrorKind::Unsupported);
    assert_eq!(kind(fs::metadata("/").map(drop)), ErrorKind::Unsupported);
    assert_eq!(kind(fs::create_dir_all("/a/b")), ErrorKind::Unsupported);
    assert_eq!(kind(env::current_dir().map(drop)), ErrorKind::Unsupported);
    assert!(env::current_exe().is_err());
    assert_eq!(env::home_dir(), None);

    assert_eq!(
        kind(TcpListener::bind("127.0.0.1:80").map(drop)),
        ErrorKind::Unsupported
    );
    assert_eq!(
        kind(TcpStream::connect("127.0.0.1:80").map(drop)),
        ErrorKind::Unsupported
    );
    assert_eq!(
        kind(UdpSocket::bind("127.0.0.1:53").map(drop)),
        ErrorKind::Unsupported
    );
    assert!(TcpStream::connect("example.com:80").is_err());

    assert!(Command::new("/bin/true").status().is_err());
    assert_eq!(
        kind(thread::Builder::new().spawn(|| ()).map(drop)),
        ErrorKind::WouldBlock
    );
    assert_eq!(
        thread::available_parallelism().ok().map(usize::from),
        Some(1)
    );

    let mut input = String::new();
    assert_eq!(std::io::stdin().read_to_string(&mut input).ok(), Some(0));
}
