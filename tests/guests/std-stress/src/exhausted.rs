//! No descriptors left, no memory left, a lock whose owner has panicked: errors, after which the program goes on.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;

const EMFILE: i32 = 24;

fn code<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

/// All descriptors are taken; each way to make another fails, and works again when one is given back.
pub(crate) fn descriptors() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let client = TcpStream::connect(address)?;
    let mut taken = Vec::new();
    let error = loop {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(error.raw_os_error(), Some(EMFILE), "{error}");
    println!("{} descriptors taken", taken.len());
    assert!(taken.len() > 16_000);
    for _ in 0..2 {
        assert_eq!(code(listener.accept()), Some(EMFILE));
        assert_eq!(code(listener.try_clone()), Some(EMFILE));
        assert_eq!(code(TcpStream::connect(address)), Some(EMFILE));
        assert_eq!(code(UdpSocket::bind("127.0.0.1:0")), Some(EMFILE));
        assert_eq!(code(File::create("/tmp/file")), Some(EMFILE));
        assert_eq!(code(UnixStream::pair()), Some(EMFILE));
        // Two of which one would have a place.
        taken.pop();
        assert_eq!(code(io::pipe()), Some(EMFILE));
        taken.push(File::open("/dev/null")?);
    }
    assert_eq!(thread::spawn(|| 7).join().expect("no panic"), 7);
    taken.truncate(taken.len() - 2);
    // The connection has waited.
    let (mut server, peer) = listener.accept()?;
    assert_eq!(peer, client.local_addr()?);
    (&client).write_all(b"x")?;
    assert_eq!(server.read(&mut [0])?, 1);
    drop(taken);
    let again: Vec<File> = (0..16_000)
        .map(|_| File::open("/dev/null"))
        .collect::<io::Result<_>>()?;
    drop(again);
    Ok(())
}

/// Takes all memory in one way after the other, and gives it back.
pub(crate) fn memory() -> io::Result<()> {
    for _ in 0..3 {
        println!("{} threads", threads());
        println!("{} MiB of vectors", vectors());
        println!("{} streams", streams());
        println!("{} pipes", pipes());
        println!("{} datagrams", datagrams());
        println!("{} KiB of a file", file()?);
        all_but_little();
    }
    Ok(())
}

/// Threads that wait, as many as there is memory for.
fn threads() -> usize {
    let lock = Arc::new(Mutex::new(()));
    let held = lock.lock().expect("no panic");
    let mut threads = Vec::new();
    let error = loop {
        let lock = lock.clone();
        let waits = move || drop(lock.lock().expect("no panic"));
        match thread::Builder::new().spawn(waits) {
            Ok(thread) => threads.push(thread),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
    thread::yield_now();
    drop(held);
    let count = threads.len();
    for thread in threads {
        thread.join().expect("no panic");
    }
    count
}

/// Takes pieces of this size until there is none.
fn take(held: &mut Vec<Vec<u8>>, size: usize) {
    loop {
        let mut piece = Vec::new();
        if piece.try_reserve_exact(size).is_err() {
            return;
        }
        piece.push(0);
        assert!(held.len() < held.capacity(), "more memory than expected");
        held.push(piece);
    }
}

fn vectors() -> usize {
    let mut held = Vec::with_capacity(4096);
    take(&mut held, 1 << 20);
    held.len()
}

/// Writes until there is no room, or no memory: whether it was the room.
fn fill(mut to: impl Write, part: &[u8]) -> bool {
    loop {
        match to.write(part) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(error) if error.kind() == ErrorKind::OutOfMemory => return false,
            Err(error) => panic!("{error}"),
        }
    }
}

fn streams() -> usize {
    let mut all = Vec::new();
    loop {
        let pair = match UnixStream::pair() {
            Ok(pair) => pair,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
                return all.len();
            }
        };
        pair.0.set_nonblocking(true).expect("a socket");
        let has_room = fill(&pair.0, &[7; 16 << 10]);
        all.push(pair);
        if !has_room {
            return all.len();
        }
    }
}

fn pipes() -> usize {
    let mut all = Vec::new();
    loop {
        let (reader, mut writer) = match io::pipe() {
            Ok(pipe) => pipe,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
                break;
            }
        };
        let part = [7; 32 << 10];
        let mut written = (0..2).map(|_| writer.write(&part));
        let full = written.all(|octets| match octets {
            Ok(octets) => octets == part.len(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
                false
            }
        });
        all.push((reader, writer));
        if !full {
            break;
        }
    }
    all.len()
}

/// What has no memory is lost, as datagrams are.
fn datagrams() -> usize {
    let mut sent = 0;
    let mut all = Vec::new();
    loop {
        let socket = match UdpSocket::bind("127.0.0.1:0") {
            Ok(socket) => socket,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
                return sent;
            }
        };
        let to = socket.local_addr().expect("bound");
        for _ in 0..8 {
            sent += usize::from(socket.send_to(&[7; 60_000], to).is_ok());
        }
        all.push(socket);
        if all.len() == 4_000 {
            return sent;
        }
    }
}

fn file() -> io::Result<usize> {
    let mut file = File::create("/tmp/all")?;
    let mut written = 0;
    let error = loop {
        match file.write(&[7; 1024]) {
            Ok(octets) => written += octets,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    drop(file);
    std::fs::remove_file("/tmp/all")?;
    Ok(written >> 10)
}

/// When vectors have taken all, calls fail, and do not end the program.
fn all_but_little() {
    let mut file = File::create("/tmp/file").expect("room");
    let mut held = Vec::with_capacity(4096);
    for size in [1 << 20, 128 << 10, 16 << 10, 4 << 10] {
        take(&mut held, size);
    }
    // Less than what calls leave, and enough for what cannot fail.
    held.truncate(held.len().saturating_sub(8));
    let results = [
        UdpSocket::bind("127.0.0.1:0").map(drop),
        TcpListener::bind("127.0.0.1:0").map(drop),
        UnixStream::pair().map(drop),
        io::pipe().map(drop),
        File::open("/dev/null").map(drop),
        file.write(&[7]).map(drop),
        std::fs::create_dir("/tmp/directory"),
        std::os::unix::fs::symlink("file", "/tmp/link"),
        std::fs::hard_link("/tmp/file", "/tmp/other"),
        thread::Builder::new().spawn(|| ()).map(drop),
    ];
    drop(held);
    for result in results {
        let kind = result.map_err(|error| error.kind());
        let refused = [ErrorKind::OutOfMemory, ErrorKind::WouldBlock];
        assert!(kind.is_err_and(|kind| refused.contains(&kind)), "{kind:?}");
    }
    UdpSocket::bind("127.0.0.1:0").expect("memory again");
    file.write_all(&[7]).expect("memory again");
}

/// Threads that panic while they hold locks; others find them poisoned, and go on.
pub(crate) fn poisoned() {
    let lock = Arc::new(Mutex::new(0));
    let shared = Arc::new(RwLock::new(0));
    std::panic::set_hook(Box::new(|_| {}));
    let threads: Vec<_> = (0..100)
        .map(|number| {
            let (lock, shared) = (lock.clone(), shared.clone());
            thread::spawn(move || {
                let mut held = lock.lock().unwrap_or_else(PoisonError::into_inner);
                *held += 1;
                // Others wait for it when it goes.
                thread::yield_now();
                let mut also = shared.write().unwrap_or_else(PoisonError::into_inner);
                *also += 1;
                assert!(number % 10 != 3, "on purpose");
            })
        })
        .collect();
    let panicked = threads.into_iter().filter_map(|thread| thread.join().err());
    assert_eq!(panicked.count(), 10);
    assert!(lock.is_poisoned() && shared.is_poisoned());
    lock.clear_poison();
    assert_eq!(*lock.lock().expect("no longer poisoned"), 100);
    let counted = shared.read().map(|counted| *counted);
    assert_eq!(*counted.expect_err("poisoned").into_inner(), 100);
}
