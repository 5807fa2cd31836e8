//! A thousand threads that use everything a program may have open, in an order and in virtual time that a seed gives: pipes,
//! connections, datagrams, files, timers, `epoll`. Each looks at what it gets, and leaves nothing open.

use core::ffi::c_int;
use core::time::Duration;
use std::cell::Cell;
use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::rc::Rc;

use fastrand::Rng;
use libc::{AF_INET, EINPROGRESS, O_CREAT, O_EXCL, O_RDWR, SOCK_DGRAM, SOCK_STREAM};
use miou_rs::{Builder, Instant};

use super::{run_with, spawn, together};
use crate::descriptors::blocking::{self, Manner};
use crate::descriptors::calls::{self, Patience};
use crate::descriptors::process;
use crate::descriptors::timer::{Setting, Time};
use crate::error::{Errno, Result, fail};
use crate::files::tree;
use crate::readiness::IN;
use crate::scheduler::inside;
use crate::sockets::address::Address;
use crate::sockets::beside::Beside;
use crate::sockets::{Flags, Received, internet, start};
use crate::thread::Thread;
use crate::wait::give_way;

/// Threads that are made in a run, beside those that serve.
const THREADS: usize = 1_000;
/// Threads that accept connections at one listener.
const SERVERS: usize = 20;
const PORT: u16 = 7000;

fn local(port: u16) -> Address {
    Address::Internet(([127, 0, 0, 1], port).into())
}

fn read(fd: c_int, buffer: &mut [u8]) -> Result<usize> {
    inside(|| calls::read(fd, &mut [IoSliceMut::new(buffer)]))
}

fn write(fd: c_int, octets: &[u8]) -> Result<usize> {
    inside(|| calls::write(fd, &mut [IoSlice::new(octets)]))
}

fn close(fd: c_int) {
    assert_eq!(inside(|| calls::close(fd)), Ok(()));
}

fn now() -> Instant {
    inside(Instant::now)
}

fn soon(random: &mut Rng) -> Duration {
    Duration::from_micros(random.u64(1..500))
}

fn payload(random: &mut Rng) -> Vec<u8> {
    let most = [10, 1_000, 80_000][random.usize(..3)];
    let mut octets = vec![0; random.usize(1..most)];
    random.fill(&mut octets);
    octets
}

/// Reads to the end, in pieces of any size.
fn read_all(fd: c_int, random: &mut Rng) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = vec![0; random.usize(1..50_000)];
    loop {
        match read(fd, &mut buffer).expect("octets or the end") {
            0 => return all,
            octets => all.extend(&buffer[..octets]),
        }
        if random.u8(..4) == 0 {
            give_way();
        }
    }
}

fn make_socket(kind: c_int) -> c_int {
    let made = inside(|| {
        let socket = internet(&start::network(), AF_INET, kind, 0)?;
        process::add(socket, O_RDWR, false)
    });
    made.expect("a descriptor")
}

/// Calls `work` with a socket, as a call that may wait.
fn on_socket<T>(
    fd: c_int,
    limit: Option<Duration>,
    mut work: impl FnMut(&dyn crate::sockets::Socket) -> Result<T>,
) -> Result<T> {
    inside(|| {
        let open = process::open(fd)?;
        let to_read = calls::to_read(&open);
        let manner = Manner { limit, ..to_read };
        blocking::call(&open, manner, |description| work(description.as_socket()?))
    })
}

fn pipe(random: &mut Rng) {
    let [reader, writer] = inside(|| calls::make_pipe(0)).expect("a pipe");
    let sent = payload(random);
    let octets = sent.clone();
    let child = spawn(move || {
        for part in octets.chunks(30_000) {
            assert_eq!(write(writer, part), Ok(part.len()));
        }
        close(writer);
    });
    assert!(read_all(reader, random) == sent);
    close(reader);
    together([child]);
}

fn connection(random: &mut Rng) {
    let client = make_socket(SOCK_STREAM);
    match on_socket(client, None, |socket| socket.connect(&local(PORT))) {
        Err(Errno(EINPROGRESS)) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(on_socket(client, None, |socket| socket.connected()), Ok(()));
    let sent = payload(random);
    let octets = sent.clone();
    let child = spawn(move || {
        assert_eq!(write(client, &octets), Ok(octets.len()));
        on_socket(client, None, |socket| socket.shutdown(Shutdown::Write)).expect("connected");
    });
    assert!(read_all(client, random) == sent);
    together([child]);
    close(client);
}

/// Gives back what comes, one connection after the other.
fn serve(listener: c_int, world: &World, random: &mut Rng) {
    loop {
        let accepted = on_socket(listener, Some(Duration::from_millis(1)), |socket| {
            socket.accept()
        });
        let (description, _) = match accepted {
            Ok(accepted) => accepted,
            Err(Errno::AGAIN) if world.ended.get() == THREADS => return,
            Err(Errno::AGAIN) => continue,
            Err(error) => panic!("{error:?}"),
        };
        let fd = inside(|| process::add(description, O_RDWR, false)).expect("a descriptor");
        let mut buffer = vec![0; random.usize(1..50_000)];
        loop {
            match read(fd, &mut buffer).expect("octets or the end") {
                0 => break,
                octets => assert_eq!(write(fd, &buffer[..octets]), Ok(octets)),
            }
        }
        close(fd);
    }
}

fn datagrams(random: &mut Rng) {
    let [here, there] = [0, 1].map(|_| make_socket(SOCK_DGRAM));
    on_socket(there, None, |socket| socket.bind(&local(0))).expect("a port");
    let to = on_socket(there, None, |socket| socket.local()).expect("bound");
    let payload = payload(random);
    let sent = payload[..payload.len().min(60_000)].to_vec();
    let pause = soon(random);
    let child = spawn(move || {
        sleep(pause);
        let parts = [IoSlice::new(&sent)];
        let octets = on_socket(here, None, |socket| {
            socket.send(&parts, Some(&to), &mut Beside::default())
        });
        assert_eq!(octets, Ok(sent.len()));
        close(here);
    });
    let mut buffer = vec![0; 65_536];
    let limit = soon(random);
    let received = on_socket(there, Some(limit), |socket| {
        socket.receive(&mut [IoSliceMut::new(&mut buffer)], Flags::default())
    });
    match received {
        Ok(Received { octets, .. }) => assert!(payload.starts_with(&buffer[..octets])),
        Err(error) => assert_eq!(error, Errno::AGAIN),
    }
    together([child]);
    close(there);
}

fn file(random: &mut Rng, number: usize) {
    let path = format!("/tmp/{number}").into_bytes();
    let opened = inside(|| {
        let opened = tree::with(|tree| tree.open(None, &path, O_RDWR | O_CREAT | O_EXCL, 0o600))?;
        process::add(opened, O_RDWR, false)
    });
    let fd = opened.expect("a new file");
    let at = random.u64(..100_000);
    let content = payload(random);
    let file = |work: &mut dyn FnMut(&dyn crate::files::File) -> Result<usize>| {
        inside(|| work(process::open(fd)?.description().as_file()?))
    };
    let written = file(&mut |file| file.write_at(at, &[IoSlice::new(&content)]));
    give_way();
    // Others may hold what there is room for.
    if let Ok(octets) = written {
        let mut buffer = vec![1; content.len() + 10];
        let read = file(&mut |file| file.read_at(at, &mut [IoSliceMut::new(&mut buffer)]));
        assert_eq!(read, Ok(octets));
        assert!(buffer[..octets] == content[..octets]);
    } else {
        assert_eq!(written, fail(libc::ENOSPC));
    }
    let removed = inside(|| tree::with(|tree| tree.remove_file((None, &path))));
    assert_eq!(removed, Ok(()));
    close(fd);
}

fn make_timer(at: Instant) -> c_int {
    let timer = inside(|| {
        let fd = calls::make_timer(libc::CLOCK_MONOTONIC, 0)?;
        let at = Some(Time::from_nanos(at.as_nanos()));
        let interval = Time::ZERO;
        calls::with_timer(fd, |timer| Ok(timer.set(Setting { at, interval })))?;
        Ok::<_, Errno>(fd)
    });
    timer.expect("a timer")
}

fn sleep(time: Duration) {
    let at = now() + time;
    let timer = make_timer(at);
    let mut count = [0; 8];
    assert_eq!(read(timer, &mut count), Ok(8));
    assert_eq!(u64::from_ne_bytes(count), 1);
    assert!(now() >= at);
    close(timer);
}

/// Waits by `epoll` for a timer and for a pipe that another thread writes to: what comes first is told first.
fn epoll(random: &mut Rng) {
    let [reader, writer] = inside(|| calls::make_pipe(0)).expect("a pipe");
    let (pause, patience) = (soon(random), soon(random));
    let start = now();
    let timer = make_timer(start + patience);
    let child = spawn(move || {
        sleep(pause);
        assert_eq!(write(writer, b"x"), Ok(1));
        close(writer);
    });
    let told = inside(|| {
        let epoll = calls::make_epoll(0)?;
        for (fd, data) in [(reader, 0), (timer, 1)] {
            calls::control_epoll(epoll, libc::EPOLL_CTL_ADD, fd, (IN, data))?;
        }
        let mut told = Vec::new();
        while told.len() < 2 {
            for (events, data) in calls::wait_epoll(epoll, 1, Patience::Forever)? {
                assert_eq!(events & IN, IN);
                told.push(data);
                let done = if data == 0 { reader } else { timer };
                calls::control_epoll(epoll, libc::EPOLL_CTL_DEL, done, (0, 0))?;
            }
        }
        calls::close(epoll)?;
        Ok::<_, Errno>(told)
    });
    let told = told.expect("both");
    if patience + Duration::from_micros(100) < pause {
        assert_eq!(told, [1, 0]);
    }
    together([child]);
    close(reader);
    close(timer);
}

#[derive(Default)]
struct World {
    made: Cell<usize>,
    ended: Cell<usize>,
}

fn live(world: &Rc<World>, mut random: Rng, number: usize) {
    for step in 0..random.usize(1..4) {
        match random.u8(..6) {
            0 => pipe(&mut random),
            1 => connection(&mut random),
            2 => datagrams(&mut random),
            3 => file(&mut random, number * 10 + step),
            4 => epoll(&mut random),
            _ => sleep(soon(&mut random)),
        }
    }
    world.ended.set(world.ended.get() + 1);
}

fn all(seed: u64) {
    let world = Rc::new(World::default());
    let mut random = Rng::with_seed(seed);
    let listener = make_socket(SOCK_STREAM);
    on_socket(listener, None, |socket| socket.bind(&local(PORT))).expect("free");
    on_socket(listener, None, |socket| socket.listen(8)).expect("bound");
    let servers: Vec<&Thread> = (0..SERVERS)
        .map(|_| {
            let (world, mut fork) = (world.clone(), random.fork());
            spawn(move || serve(listener, &world, &mut fork))
        })
        .collect();
    let mut threads = Vec::new();
    while world.made.get() < THREADS {
        let number = world.made.replace(world.made.get() + 1);
        let (shared, fork) = (world.clone(), random.fork());
        threads.push(spawn(move || live(&shared, fork, number)));
        if random.u8(..200) == 0 {
            sleep(soon(&mut random));
        }
    }
    together(threads);
    together(servers);
    close(listener);
    let left = inside(|| process::with(|process| process.table.take_all()));
    assert_eq!(
        left.len(),
        0,
        "seed {seed}: descriptors that nobody has closed"
    );
    assert_eq!(Thread::all().count(), 1);
}

#[test]
fn a_thousand_threads_use_everything_at_once_whatever_the_order() {
    for seed in 0..2 {
        run_with(Builder::new().seed(seed), move || all(seed));
    }
}
