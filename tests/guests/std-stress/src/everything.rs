//! Threads with sockets, files, pipes, locks and timers at once, as a seed has it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

const SERVERS: usize = 16;
const STACK: usize = 64 << 10;

/// What the threads share.
struct World {
    address: SocketAddr,
    gate: Barrier,
    sum: Mutex<usize>,
    changed: Condvar,
}

pub(crate) fn run(seed: u64, count: usize) {
    let mut random = Rng::with_seed(seed);
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").expect("a port"));
    let world = Arc::new(World {
        address: listener.local_addr().expect("bound"),
        gate: Barrier::new(count + 1),
        sum: Mutex::new(0),
        changed: Condvar::new(),
    });
    for _ in 0..SERVERS {
        let listener = listener.clone();
        spawn(move || {
            for stream in listener.incoming() {
                // Who has gone meanwhile is nobody's concern.
                let _ = echo(stream.expect("a connection"));
            }
        });
    }
    let threads: Vec<_> = (0..count)
        .map(|number| {
            let (world, fork) = (world.clone(), random.fork());
            spawn(move || live(&world, fork, number))
        })
        .collect();
    // All are there at once.
    world.gate.wait();
    for thread in threads {
        thread.join().expect("no panic");
    }
    let mut sum = world.sum.lock().expect("no panic");
    while *sum < count {
        sum = world.changed.wait(sum).expect("no panic");
    }
    assert_eq!(*sum, count);
    assert_eq!(fs::read_dir("/tmp").expect("a directory").count(), 0);
}

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    let small = thread::Builder::new().stack_size(STACK);
    small.spawn(work).expect("memory for a stack")
}

fn echo(stream: TcpStream) -> io::Result<u64> {
    io::copy(&mut stream.try_clone()?, &mut &stream)
}

fn payload(random: &mut Rng) -> Vec<u8> {
    let length = random.usize(1..20_000);
    (0..length).map(|_| random.u8(..)).collect()
}

fn live(world: &World, mut random: Rng, number: usize) {
    world.gate.wait();
    for step in 0..4 {
        match random.u8(..6) {
            0 => connection(world, &mut random),
            1 => pipe(&mut random),
            2 => file(&mut random, &format!("/tmp/{number}-{step}")),
            3 => datagrams(&mut random),
            4 => channel(&mut random),
            _ => thread::sleep(Duration::from_micros(random.u64(..2_000))),
        }
    }
    *world.sum.lock().expect("no panic") += 1;
    world.changed.notify_one();
}

fn connection(world: &World, random: &mut Rng) {
    let sent = payload(random);
    let mut stream = TcpStream::connect(world.address).expect("a listener");
    thread::scope(|scope| {
        let write = || {
            (&stream).write_all(&sent).expect("an echo");
            stream.shutdown(Shutdown::Write).expect("connected");
        };
        let small = thread::Builder::new().stack_size(STACK);
        small.spawn_scoped(scope, write).expect("memory");
        let mut back = Vec::new();
        (&stream).read_to_end(&mut back).expect("an echo");
        assert!(back == sent);
    });
    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
}

fn pipe(random: &mut Rng) {
    let sent = payload(random);
    let (mut reader, mut writer) = io::pipe().expect("a pipe");
    let octets = sent.clone();
    let thread = spawn(move || writer.write_all(&octets).expect("a reader"));
    let mut back = Vec::new();
    reader.read_to_end(&mut back).expect("a writer");
    thread.join().expect("no panic");
    assert!(back == sent);
}

fn file(random: &mut Rng, path: &str) {
    let (at, content) = (random.u64(..10_000), payload(random));
    let mut file = File::create_new(path).expect("a new file");
    file.seek(SeekFrom::Start(at)).expect("a place");
    file.write_all(&content).expect("room");
    thread::yield_now();
    let back = fs::read(path).expect("the file");
    assert!(back.iter().take(at as usize).all(|octet| *octet == 0));
    assert!(back[at as usize..] == content[..]);
    fs::remove_file(path).expect("the file");
}

fn datagrams(random: &mut Rng) {
    let [one, other] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").expect("a port"));
    let to = other.local_addr().expect("bound");
    let pause = Duration::from_micros(random.u64(..1_000));
    let thread = spawn(move || {
        thread::sleep(pause);
        one.send_to(b"datagram", to).expect("room");
    });
    let limit = Duration::from_micros(random.u64(1..1_000));
    other.set_read_timeout(Some(limit)).expect("a limit");
    let mut buffer = [0; 64];
    match other.recv(&mut buffer) {
        Ok(octets) => assert_eq!(&buffer[..octets], b"datagram"),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
    }
    thread.join().expect("no panic");
}

fn channel(random: &mut Rng) {
    let (sender, receiver) = mpsc::sync_channel(1);
    let pause = Duration::from_micros(random.u64(..1_000));
    let thread = spawn(move || {
        for number in 0..5 {
            thread::park_timeout(pause / 5);
            sender.send(number).expect("a receiver");
        }
    });
    let limit = Duration::from_micros(random.u64(1..2_000));
    let start = Instant::now();
    let mut received = 0;
    loop {
        match receiver.recv_timeout(limit) {
            Ok(number) => assert_eq!(number, received),
            Err(RecvTimeoutError::Timeout) => {
                assert!(start.elapsed() >= limit);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
        received += 1;
    }
    assert_eq!(received, 5);
    thread.join().expect("no panic");
}
