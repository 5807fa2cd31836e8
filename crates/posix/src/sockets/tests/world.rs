//! Two networks on a wire, each as a program has it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use netstack::proto::Instant;
use netstack::proto::link::ethernet::MacAddr;
use netstack::{Config, FrameDevice, Received, Resolver, Runner, Stack, Timer};

use super::Network;

/// Frames on their way to one end.
type Lane = Rc<RefCell<VecDeque<Vec<u8>>>>;

struct Device {
    mac: MacAddr,
    here: Lane,
    there: Lane,
}

impl FrameDevice for Device {
    fn mtu(&self) -> usize {
        1500
    }

    fn mac(&self) -> MacAddr {
        self.mac
    }

    fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Received>> {
        Ok(self.here.borrow_mut().pop_front().map(|frame| {
            buffer[..frame.len()].copy_from_slice(&frame);
            Received::unchecked(frame.len())
        }))
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        self.there.borrow_mut().push_back(frame.to_vec());
        Ok(())
    }

    fn poll_readable(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.here.borrow().is_empty() {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }
}

/// A clock that stands.
struct Standing;

impl Timer for Standing {
    fn now(&self) -> Instant {
        Instant::from_nanos(1_000_000)
    }

    fn poll_until(&mut self, _context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        match deadline <= self.now() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// Programs at 10.0.0.1 and 10.0.0.2.
pub(super) struct World {
    pub(super) networks: [Rc<Network>; 2],
    lanes: [Lane; 2],
    runners: RefCell<[Runner; 2]>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(&Config::default())
    }

    /// With more settings.
    pub(super) fn with(config: &Config) -> Self {
        let lanes: [Lane; 2] = Default::default();
        let [one, other] = [1, 2].map(|host| {
            let address = format!("10.0.0.{host}/24").parse().expect("an address");
            let config = config.clone().address(address).seed([host; 32]);
            let index = usize::from(host) - 1;
            let device = Device {
                mac: MacAddr([2, 0, 0, 0, 0, host]),
                here: lanes[index].clone(),
                there: lanes[1 - index].clone(),
            };
            let (stack, runner) = Stack::new(device, Standing, config).expect("a stack");
            let network = Rc::new(Network::default());
            network.attach(stack.clone(), Resolver::new(&stack, []));
            (network, runner)
        });
        Self {
            networks: [one.0, other.0],
            lanes,
            runners: RefCell::new([one.1, other.1]),
        }
    }

    /// Puts a frame on the wire to the first.
    pub(super) fn send(&self, frame: Vec<u8>) {
        self.lanes[0].borrow_mut().push_back(frame);
        self.settle();
    }

    /// Lets what is on its way arrive, and be answered.
    pub(super) fn settle(&self) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..32 {
            for runner in &mut *self.runners.borrow_mut() {
                assert!(Pin::new(runner).poll(&mut context).is_pending());
            }
        }
    }
}
