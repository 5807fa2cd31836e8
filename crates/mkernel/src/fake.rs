//! Hypercalls of a machine in virtual time, for tests: each costs what it may cost, and a wait jumps to the
//! next frame or to its deadline.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use solo5_ffi::{Handle, HandleSet, NetError, NetHeader};

use crate::hypercalls::{Hypercalls, NetDevice};

/// Nanoseconds that a read or a write takes.
const CALL: u64 = 1_000;
/// Nanoseconds that a wait takes longer than until its event.
const WAKE_UP: u64 = 20_000;

/// A frame that is to arrive, and at which device.
type Arrival = (Rc<RefCell<Lane>>, Vec<u8>);

/// What the machine is made of.
#[derive(Default)]
struct Parts {
    now: Cell<u64>,
    arrivals: RefCell<BTreeMap<(u64, u64), Arrival>>,
    sequence: Cell<u64>,
    lanes: RefCell<Vec<(Handle, Rc<RefCell<Lane>>)>>,
    /// When the end is asked for.
    end: Cell<Option<u64>>,
    /// The device of which a flush ends, and when.
    flush: Cell<Option<(Handle, u64)>>,
    yields: Cell<u64>,
    reads: Cell<u64>,
    flush_looks: Cell<u64>,
}

/// Frames that wait to be read from one device.
#[derive(Default)]
pub(crate) struct Lane {
    frames: VecDeque<Vec<u8>>,
    broken: bool,
    /// Octets of the longest frame that has come.
    pub(crate) longest: usize,
}

/// The machine.
#[derive(Clone, Default)]
pub(crate) struct Machine(Rc<Parts>);

impl Machine {
    pub(crate) fn now(&self) -> u64 {
        self.0.now.get()
    }

    /// Hypercalls that waited.
    pub(crate) fn yields(&self) -> u64 {
        self.0.yields.get()
    }

    /// Hypercalls that read a frame, or tried to.
    pub(crate) fn reads(&self) -> u64 {
        self.0.reads.get()
    }

    /// Hypercalls that looked whether a flush had ended.
    pub(crate) fn flush_looks(&self) -> u64 {
        self.0.flush_looks.get()
    }

    fn pass(&self, nanos: u64) {
        self.0.now.set(self.0.now.get() + nanos);
        self.deliver();
    }

    fn deliver(&self) {
        let later = (self.now() + 1, 0);
        let due = {
            let mut arrivals = self.0.arrivals.borrow_mut();
            let later = arrivals.split_off(&later);
            std::mem::replace(&mut *arrivals, later)
        };
        for (lane, frame) in due.into_values() {
            let mut lane = lane.borrow_mut();
            lane.longest = lane.longest.max(frame.len());
            lane.frames.push_back(frame);
        }
    }

    /// Has a frame arrive after so many nanoseconds.
    pub(crate) fn arrive(&self, lane: &Rc<RefCell<Lane>>, after: u64, frame: Vec<u8>) {
        let sequence = self.0.sequence.get();
        self.0.sequence.set(sequence + 1);
        let mut arrivals = self.0.arrivals.borrow_mut();
        let arrival = (lane.clone(), frame);
        arrivals.insert((self.now() + after, sequence), arrival);
    }

    /// Has the host ask for the end after so many nanoseconds.
    pub(crate) fn end_after(&self, nanos: u64) {
        self.0.end.set(Some(self.now() + nanos));
    }

    /// Has a flush of that device end after so many nanoseconds.
    pub(crate) fn flush_ends_after(&self, device: Handle, nanos: u64) {
        self.0.flush.set(Some((device, self.now() + nanos)));
    }

    /// What stands for the end.
    pub(crate) fn end_handle() -> Handle {
        Handle::new(0).expect("the first")
    }

    fn readable(&self, wanted: HandleSet) -> HandleSet {
        let lanes = self.0.lanes.borrow();
        let readable = lanes.iter().filter(|(handle, lane)| {
            let lane = lane.borrow();
            wanted.contains(*handle) && (lane.broken || !lane.frames.is_empty())
        });
        let end = self.0.end.get().filter(|end| *end <= self.now());
        let end = end.map(|_| Self::end_handle());
        let flush = self.0.flush.get().filter(|(_, at)| *at <= self.now());
        let others = end.into_iter().chain(flush.map(|(device, _)| device));
        readable
            .map(|(handle, _)| *handle)
            .chain(others.filter(|other| wanted.contains(*other)))
            .collect()
    }

    /// Two devices on one wire, on which a frame takes 10 µs.
    pub(crate) fn wire(&self, offload: bool) -> [FakeNet; 2] {
        let lanes: [Rc<RefCell<Lane>>; 2] = Default::default();
        [0, 1].map(|end| {
            let number = self.0.lanes.borrow().len() as u64 + 1;
            let handle = Handle::new(number).expect("few devices");
            let here = lanes[end].clone();
            self.0.lanes.borrow_mut().push((handle, here.clone()));
            FakeNet {
                machine: self.clone(),
                handle,
                here,
                there: lanes[1 - end].clone(),
                offload,
                offload_v6: false,
                offload_udp: false,
                held: Rc::default(),
            }
        })
    }
}

impl Hypercalls for Machine {
    type Net = FakeNet;
    const REAL_TIME: bool = false;

    fn clock_monotonic(&self) -> u64 {
        self.now()
    }

    fn yield_for(&self, deadline: u64, wanted: HandleSet) -> HandleSet {
        self.0.yields.set(self.yields() + 1);
        loop {
            let readable = self.readable(wanted);
            if !readable.is_empty() || self.now() >= deadline {
                self.pass(WAKE_UP);
                return readable;
            }
            let arrivals = self.0.arrivals.borrow();
            let arrival = arrivals.first_key_value().map(|((at, _), _)| *at);
            drop(arrivals);
            let end = self.0.end.get();
            let end = end.filter(|_| wanted.contains(Self::end_handle()));
            let flush = self.0.flush.get();
            let flush = flush.filter(|(device, _)| wanted.contains(*device));
            let flush = flush.map(|(_, at)| at);
            let next = arrival.into_iter().chain(end).chain(flush);
            let next = next.fold(deadline, u64::min);
            assert_ne!(next, u64::MAX, "a wait that nothing can end");
            self.0.now.set(self.now().max(next));
            self.deliver();
        }
    }

    fn flush_has_ended(&self, device: Handle) -> bool {
        self.0.flush_looks.set(self.flush_looks() + 1);
        let flush = self.0.flush.get();
        flush.is_some_and(|(of, at)| of == device && at <= self.now())
    }
}

/// A device of the machine.
pub(crate) struct FakeNet {
    machine: Machine,
    handle: Handle,
    pub(crate) here: Rc<RefCell<Lane>>,
    there: Rc<RefCell<Lane>>,
    offload: bool,
    pub(crate) offload_v6: bool,
    pub(crate) offload_udp: bool,
    /// Gone when the device is.
    held: Rc<()>,
}

impl FakeNet {
    /// Tells whether somebody holds the device.
    pub(crate) fn watch(&self) -> impl Fn() -> bool + 'static {
        let held = Rc::downgrade(&self.held);
        move || held.strong_count() > 0
    }

    /// What breaks the device when it is called.
    pub(crate) fn breaker(&self) -> impl Fn() + 'static {
        let lane = self.here.clone();
        move || lane.borrow_mut().broken = true
    }
}

impl NetDevice for FakeNet {
    fn handle(&self) -> Handle {
        self.handle
    }

    fn mac_address(&self) -> [u8; 6] {
        [2, 0, 0, 0, 0, self.handle.index()]
    }

    fn mtu(&self) -> usize {
        1500
    }

    fn max_frame(&self) -> usize {
        self.mtu() + 14
    }

    fn has_offload(&self) -> bool {
        self.offload
    }

    fn has_offload_v6(&self) -> bool {
        self.offload_v6
    }

    fn has_offload_udp(&self) -> bool {
        self.offload_udp
    }

    fn read_size(&self) -> usize {
        if self.offload {
            65_559
        } else {
            self.max_frame()
        }
    }

    fn write(&self, frame: &[u8]) -> Result<(), NetError> {
        assert!(frame.len() <= self.read_size(), "{} octets", frame.len());
        if frame.len() > NetHeader::SIZE + self.max_frame() {
            let ethernet = &frame[NetHeader::SIZE..];
            let (ipv6, protocol) = match ethernet[12..14] {
                [0x86, 0xdd] => (true, ethernet[20]),
                _ => (false, ethernet[23]),
            };
            let (gso_type, granted) = match (protocol, ipv6) {
                (17, _) => (NetHeader::GSO_UDP, self.offload_udp),
                (_, true) => (NetHeader::GSO_TCPV6, self.offload_v6),
                (_, false) => (NetHeader::GSO_TCPV4, self.offload),
            };
            assert!(frame[1] == gso_type && granted, "type {}", frame[1]);
        }
        self.machine.pass(CALL);
        self.machine.arrive(&self.there, 10_000, frame.to_vec());
        Ok(())
    }

    fn read(&self, buffer: &mut [u8]) -> Result<Option<usize>, NetError> {
        assert_eq!(buffer.len(), self.read_size());
        self.machine.0.reads.set(self.machine.reads() + 1);
        self.machine.pass(CALL);
        let mut lane = self.here.borrow_mut();
        if lane.broken {
            return Err(NetError::Host);
        }
        Ok(lane.frames.pop_front().map(|frame| {
            buffer[..frame.len()].copy_from_slice(&frame);
            frame.len()
        }))
    }
}
