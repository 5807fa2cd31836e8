//! `netstack::proto` as an endpoint.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::task::Poll;

use netstack::FramePool;
use netstack::proto::ipv4::Cidr;
use netstack::proto::stack::Config;
use netstack::proto::tcp::{ConnectionId, ListenerId, Options};
use netstack::proto::{Instant, Stack};

use crate::endpoint::{Endpoint, Frames, MTU, PIECE, PORT, Role};

pub struct Ours {
    stack: Stack,
    listener: Option<ListenerId>,
    connection: Option<ConnectionId>,
    /// Where frames are read into, as a device would.
    pool: FramePool,
    data: Vec<u8>,
}

impl Ours {
    pub fn new(role: Role) -> Self {
        let config = Config::new(role.mac().into(), MTU, [role.0 as u8 + 1; 32]);
        let mut stack = Stack::new(config);
        let start = Instant::from_nanos(0);
        let address = Cidr::new(role.address().into(), 24).expect("a prefix");
        stack.add_address(start, address);
        let (mut listener, mut connection) = (None, None);
        if role.0 == 1 {
            let local = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT);
            listener = stack.tcp().listen(local, 8, Options::default()).ok();
        } else {
            let local = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
            let remote = SocketAddrV4::new(role.peer().address().into(), PORT);
            connection = stack
                .connect(start, local, remote, &Options::default())
                .ok();
        }
        Self {
            stack,
            listener,
            connection,
            pool: FramePool::new(MTU + 14),
            data: vec![b'm'; PIECE],
        }
    }

    fn connection(&mut self) -> Option<ConnectionId> {
        if let (None, Some(listener)) = (self.connection, self.listener) {
            self.connection = self.stack.tcp().accept(listener).expect("listening");
        }
        self.connection
    }
}

impl Endpoint for Ours {
    fn receive(&mut self, now: u64, frames: &Frames) {
        let now = Instant::from_nanos(now);
        let mut out = |_: &[u8]| {};
        for frame in frames.iter() {
            let mut buffer = self.pool.take();
            buffer[..frame.len()].copy_from_slice(frame);
            let whole = FramePool::lend(buffer);
            self.stack
                .handle_frame(now, whole.slice(..frame.len()), &mut out);
            self.pool.settle(whole);
        }
    }

    fn poll(&mut self, now: u64, sent: &mut Frames) {
        let now = Instant::from_nanos(now);
        let mut out = |frame: &[u8]| sent.push(frame);
        while self.stack.poll(now, 64, &mut out) {}
        while self.stack.poll_event().is_some() {}
    }

    fn poll_at(&mut self, now: u64) -> Option<u64> {
        self.stack
            .poll_at(Instant::from_nanos(now))
            .map(Instant::as_nanos)
    }

    fn write(&mut self, now: u64) {
        let Some(id) = self.connection() else { return };
        let now = Instant::from_nanos(now);
        while let Poll::Ready(Ok(_)) = self.stack.tcp().send(now, id, &self.data) {}
    }

    fn read(&mut self, now: u64) -> usize {
        let Some(id) = self.connection() else {
            return 0;
        };
        let now = Instant::from_nanos(now);
        let mut count = 0;
        while let Poll::Ready(Ok(read @ 1..)) = self.stack.tcp().receive(now, id, &mut self.data) {
            count += read;
        }
        count
    }
}
