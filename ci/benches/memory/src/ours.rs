//! netstack's connections: the sockets of the async layer over the whole stack, in one process with a
//! peer that is made of frames.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use anyhow::{Context as _, Result, bail, ensure};
use bench_common::Report;
use bytes::BytesMut;
use netstack::proto::Instant;
use netstack::proto::link::ethernet::MacAddr;
use netstack::proto::tcp::Options;
use netstack::{Config, FrameDevice, Received, Runner, Stack, TcpListener, TcpStream, Timer};

use crate::counting::Heap;
use crate::frames::{self, ACK, FIN, OUR_MAC, PEER_MAC, Peer, SYN, Segment};

const SUBJECT: &str = "mkernel";
const CONNECTIONS: usize = 10_000;
/// Of those that move a megabyte.
const FEW: usize = 200;
/// Connections that something happens to at the same time.
const BATCH: usize = 64;
const MEGABYTE: usize = 1 << 20;
const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const CLIENTS: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 0);
const PORT: u16 = 9;
const MILLISECOND: u64 = 1_000_000;

/// All cases.
pub fn measure(report: &mut Report) -> Result<()> {
    opened(report)?;
    after_a_megabyte(report)?;
    time_wait(report)
}

/// Half-open, established, and established after an octet each way.
fn opened(report: &mut Report) -> Result<()> {
    let mut bench = Bench::new(CONNECTIONS)?;
    let before = Heap::now();
    for first in (0..CONNECTIONS).step_by(BATCH) {
        bench.open(first..CONNECTIONS.min(first + BATCH))?;
    }
    add(report, "half-open", before.each(CONNECTIONS));
    for first in (0..CONNECTIONS).step_by(BATCH) {
        bench.establish(first..CONNECTIONS.min(first + BATCH))?;
    }
    bench.pause();
    add(report, "idle", before.each(CONNECTIONS));
    for first in (0..CONNECTIONS).step_by(BATCH) {
        bench.echo(first..CONNECTIONS.min(first + BATCH), 1)?;
    }
    add(report, "after-1", before.each(CONNECTIONS));
    bench.pause();
    add(report, "after-1-pause", before.each(CONNECTIONS));
    Ok(())
}

/// Established, after a megabyte each way.
fn after_a_megabyte(report: &mut Report) -> Result<()> {
    let mut bench = Bench::new(FEW)?;
    let before = Heap::now();
    for index in 0..FEW {
        bench.open(index..index + 1)?;
        bench.establish(index..index + 1)?;
    }
    for index in 0..FEW {
        for _ in 0..MEGABYTE / frames::PAYLOAD {
            bench.echo(index..index + 1, frames::PAYLOAD)?;
        }
    }
    bench.pause();
    add(report, "after-1M", before.each(FEW));
    Ok(())
}

/// Closed by us first.
fn time_wait(report: &mut Report) -> Result<()> {
    let mut bench = Bench::new(CONNECTIONS)?;
    let before = Heap::now();
    for first in (0..CONNECTIONS).step_by(BATCH) {
        let batch = first..CONNECTIONS.min(first + BATCH);
        bench.open(batch.clone())?;
        bench.establish(batch.clone())?;
        bench.close(batch)?;
    }
    add(report, "time-wait", before.each(CONNECTIONS));
    Ok(())
}

fn add(report: &mut Report, case: &str, (requested, taken): (f64, f64)) {
    report.add(case, SUBJECT, "requested", requested);
    report.add(case, SUBJECT, "bytes", taken);
}

/// Frames of both directions.
#[derive(Default)]
struct Wire {
    arriving: VecDeque<Vec<u8>>,
    sent: Vec<Segment>,
}

struct Device(Rc<RefCell<Wire>>);

impl FrameDevice for Device {
    fn mtu(&self) -> usize {
        1500
    }

    fn mac(&self) -> MacAddr {
        MacAddr(OUR_MAC)
    }

    fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Received>> {
        Ok(self.0.borrow_mut().arriving.pop_front().map(|frame| {
            buffer[..frame.len()].copy_from_slice(&frame);
            Received::unchecked(frame.len())
        }))
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().sent.extend(Segment::read(frame));
        Ok(())
    }

    fn poll_readable(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.borrow().arriving.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

struct Clock(Rc<Cell<u64>>);

impl Timer for Clock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.get())
    }

    fn poll_until(&mut self, _context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if self.now() >= deadline {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// Whether the runner is to be polled again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

struct Bench {
    wire: Rc<RefCell<Wire>>,
    clock: Rc<Cell<u64>>,
    woken: Arc<Woken>,
    _stack: Stack,
    runner: Runner,
    listener: TcpListener,
    peers: Vec<Peer>,
    /// As many places as there will be connections: a program keeps its streams somewhere, and that
    /// is not the stack's.
    streams: Vec<Option<TcpStream>>,
}

impl Bench {
    fn new(connections: usize) -> Result<Self> {
        let wire = Rc::new(RefCell::new(Wire::default()));
        let clock = Rc::new(Cell::new(MILLISECOND));
        let mut config = Config::default()
            .address("10.0.0.1/24".parse()?)
            .gateway(PEER.into());
        config.seed = Some([1; 32]);
        config.tcp.memory = Some(1 << 30);
        let device = Device(wire.clone());
        let (stack, runner) = Stack::new(device, Clock(clock.clone()), config)?;
        let listener = TcpListener::bind_with(
            &stack,
            (OURS, PORT),
            connections + BATCH,
            &Options::default(),
        )?;
        let peers = (0..connections + 1)
            .map(|index| Peer::new(CLIENTS, index, (OURS, PORT)))
            .collect();
        let mut streams = Vec::new();
        streams.resize_with(connections + 1, || None);
        let mut bench = Self {
            wire,
            clock,
            woken: Arc::new(Woken(AtomicBool::new(true))),
            _stack: stack,
            runner,
            listener,
            peers,
            streams,
        };
        bench.deliver([frames::arp(PEER_MAC, PEER, None, OURS)])?;
        // What the first connection of all brings into being is not counted.
        let first = connections..connections + 1;
        bench.open(first.clone())?;
        bench.establish(first.clone())?;
        bench.echo(first.clone(), 1)?;
        bench.close(first)?;
        bench.pause();
        Ok(bench)
    }

    /// Runs the stack until it has nothing to do.
    fn run(&mut self) -> Result<()> {
        const TURNS: usize = 100_000;
        let waker = Waker::from(self.woken.clone());
        for _ in 0..TURNS {
            self.woken.0.store(false, Relaxed);
            let mut context = Context::from_waker(&waker);
            if let Poll::Ready(ended) = Pin::new(&mut self.runner).poll(&mut context) {
                ended?;
                bail!("the stack has ended while it is held");
            }
            if !self.woken.0.load(Relaxed) {
                return Ok(());
            }
        }
        bail!("the stack is not done after {TURNS} turns")
    }

    /// Delivers frames, in a tenth of a millisecond.
    fn deliver(&mut self, frames: impl IntoIterator<Item = Vec<u8>>) -> Result<()> {
        self.clock.set(self.clock.get() + MILLISECOND / 10);
        self.wire.borrow_mut().arriving.extend(frames);
        self.run()
    }

    /// Has what the stack has sent.
    fn sent(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.wire.borrow_mut().sent)
    }

    /// Lets ten seconds pass, in which timers run.
    fn pause(&mut self) {
        for _ in 0..1000 {
            self.clock.set(self.clock.get() + 10 * MILLISECOND);
            let _ = self.run();
        }
        self.wire.borrow_mut().sent = Vec::new();
    }

    fn of(&self, segment: &Segment) -> Result<usize> {
        frames::index_of(CLIENTS, segment)
    }

    fn segments(&mut self, batch: std::ops::Range<usize>, flags: u8, len: usize) -> Vec<Vec<u8>> {
        self.peers[batch]
            .iter_mut()
            .map(|peer| peer.segment(flags, len).frame(PEER_MAC, OUR_MAC))
            .collect()
    }

    /// SYNs, and their answers.
    fn open(&mut self, batch: std::ops::Range<usize>) -> Result<()> {
        let count = batch.len();
        let frames = self.segments(batch, SYN, 0);
        self.deliver(frames)?;
        let sent = self.sent();
        ensure!(
            sent.len() == count,
            "{} answers to {count} SYNs",
            sent.len()
        );
        for segment in sent {
            let index = self.of(&segment)?;
            self.peers[index].take_syn_ack(&segment)?;
        }
        Ok(())
    }

    /// Their last acknowledgements; each is accepted, and its task waits for data.
    fn establish(&mut self, batch: std::ops::Range<usize>) -> Result<()> {
        let frames = self.segments(batch.clone(), ACK, 0);
        self.deliver(frames)?;
        let mut context = Context::from_waker(Waker::noop());
        for _ in batch.clone() {
            let Poll::Ready(accepted) = self.listener.poll_accept(&mut context) else {
                bail!("not all connections wait to be accepted");
            };
            let (stream, address) = accepted?;
            let index = usize::from(address.port() - 1024);
            let std::net::IpAddr::V4(ip) = address.ip() else {
                bail!("the peer has an IPv4 address");
            };
            let index = index + (ip.to_bits() - CLIENTS.to_bits() - 1) as usize * 60_000;
            let mut buffer = [0];
            ensure!(
                pin!(stream.read(&mut buffer))
                    .poll(&mut context)
                    .is_pending(),
                "nothing was sent yet"
            );
            self.streams[index] = Some(stream);
        }
        self.run()
    }

    /// `len` octets each way, all acknowledged.
    fn echo(&mut self, batch: std::ops::Range<usize>, len: usize) -> Result<()> {
        let frames = self.segments(batch.clone(), ACK, len);
        self.deliver(frames)?;
        let mut context = Context::from_waker(Waker::noop());
        let mut buffer = vec![0; len];
        for stream in self.streams[batch.clone()].iter().flatten() {
            let Poll::Ready(read) = pin!(stream.read(&mut buffer)).poll(&mut context) else {
                bail!("the octets have not arrived");
            };
            let Poll::Ready(written) = pin!(stream.write(&buffer[..read?])).poll(&mut context)
            else {
                bail!("there is no room to write");
            };
            ensure!(written? == len, "not all was written");
            // As a task that is polled again.
            let _ = pin!(stream.read(&mut buffer)).poll(&mut context);
        }
        self.run()?;
        for segment in self.sent() {
            let index = self.of(&segment)?;
            self.peers[index].take(&segment);
        }
        let frames = self.segments(batch, ACK, 0);
        self.deliver(frames)?;
        self.wire.borrow_mut().sent.clear();
        Ok(())
    }

    /// Closes, the stack first.
    fn close(&mut self, batch: std::ops::Range<usize>) -> Result<()> {
        for stream in &mut self.streams[batch.clone()] {
            stream.take().context("an open stream")?;
        }
        self.run()?;
        for segment in self.sent() {
            let index = self.of(&segment)?;
            self.peers[index].take(&segment);
        }
        let frames = self.segments(batch, FIN | ACK, 0);
        self.deliver(frames)?;
        self.sent();
        Ok(())
    }
}
