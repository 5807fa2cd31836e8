//! What the TCP engine is charged for what peers make it hold, next to what the allocator has given out.

mod heap;
mod wire;

use netstack::proto::tcp::{Config, ConnectionId, Linger, Options, congestion};
use wire::*;

/// Connections, each of a peer of its own: a table of each kind grows more than once.
const PEERS: usize = 100;
/// What CUBIC is charged for what it will remember of a window before its reduction.
const CUBIC_BEFORE: usize = 32;
/// Of a frame that is kept, the test's device gives the part behind these, of which the longest are charged.
const FRAME_HEADERS: usize = 14 + 60;

/// An engine with connections, and what the allocator had given out when it held nothing.
struct Held {
    e: Engine,
    connections: Vec<(ConnectionId, u32)>,
    /// The peers' next number, from their first.
    seq: u32,
    /// Acknowledged of what each connection has sent.
    acked: u32,
    before: isize,
}

impl Held {
    fn new(options: Options) -> Self {
        let mut config = Config::default();
        config.memory = Some(64 << 20);
        let connections = Vec::with_capacity(PEERS);
        let e = Engine::with(config, options);
        Self {
            before: heap::held() - e.tcp.memory_used() as isize,
            e,
            connections,
            seq: IRS + 1,
            acked: 0,
        }
    }

    fn open(&mut self) {
        for host in 0..PEERS as u32 {
            let opened = open_saying(&mut self.e, (host, PEER_PORT), b"");
            self.connections.push(opened.expect("there is a place"));
        }
    }

    fn send(&mut self, octets: usize) {
        let data = vec![0x42; octets];
        for (id, _) in &self.connections {
            self.e.send(*id, &data);
        }
    }

    /// Each peer sends a segment that it makes of its next numbers.
    fn give(&mut self, make: impl Fn(u32, u32) -> Seg) {
        for (host, (_, ack)) in self.connections.iter().enumerate() {
            let segment = make(self.seq, ack.wrapping_add(self.acked));
            give_from(&mut self.e, host as u32, &segment);
        }
    }

    fn ack(&mut self, octets: u32) {
        self.acked += octets;
        self.give(|seq, ack| seg(ACK, seq, ack));
    }

    fn read(&mut self) {
        for (id, _) in &self.connections {
            drop(self.e.read(*id));
        }
    }

    /// What is charged beyond what the allocator has given out since the beginning.
    fn over(&self) -> isize {
        self.e.tcp.memory_used() as isize - (heap::held() - self.before)
    }

    /// Once all is sent: the charge is what the allocator has given out, and `more`.
    #[track_caller]
    fn check(&mut self, what: &str, more: usize) {
        drop(self.e.sent());
        self.check_charge(what, more);
    }

    #[track_caller]
    fn check_charge(&mut self, what: &str, more: usize) {
        assert_eq!(self.over(), more as isize, "{what}");
        assert_eq!(self.e.tcp.audit(), self.e.tcp.memory_used(), "{what}");
    }
}

/// The options of a listener whose connections have this controller.
fn controlled(controller: congestion::MakeController) -> Options {
    let mut options = plain();
    options.congestion = Some(controller);
    options
}

#[test]
fn from_open_to_time_wait_the_charge_is_what_the_allocator_has_given_out() {
    for (controller, more) in [
        (
            congestion::cubic as congestion::MakeController,
            PEERS * CUBIC_BEFORE,
        ),
        (congestion::new_reno, 0),
        (congestion::bbr, 0),
    ] {
        let mut h = Held::new(controlled(controller));
        h.check("nothing", 0);
        h.open();
        h.check("open", more);
        h.send(5000);
        h.check("in flight", more);
        h.ack(5000);
        h.check("acknowledged", more);
        // From what was kept.
        h.send(5000);
        h.check("in flight again", more);
        h.ack(5000);
        h.check("acknowledged again", more);
        h.give(|seq, ack| seg(ACK, seq, ack).data(&[1; 1000]));
        h.check("to be read", more + PEERS * FRAME_HEADERS);
        h.seq += 1000;
        h.read();
        h.check("read", more);
        for (id, _) in &h.connections {
            h.e.tcp.shutdown(h.e.now, *id).unwrap();
        }
        h.check("a FIN in flight", more);
        h.acked += 1;
        h.give(|seq, ack| seg(ACK | FIN, seq, ack));
        h.check("closed", 0);
        for (id, _) in &h.connections {
            h.e.tcp.release(h.e.now, *id);
        }
        assert_eq!(h.e.tcp.connection_counts(), (0, PEERS));
        h.check("in TIME-WAIT", 0);
        h.e.pass(ms(100_000));
        h.check("gone", 0);
    }
}

#[test]
fn in_a_recovery_and_after_a_time_out_the_charge_is_what_the_allocator_has_given_out() {
    for controller in [congestion::new_reno, congestion::bbr] {
        let mut h = Held::new(controlled(controller));
        h.open();
        h.send(9000);
        h.check("in flight", 0);
        for _ in 0..5 {
            h.ack(0);
        }
        h.check("in a recovery", 0);
        h.e.pass(ms(2000));
        h.check("after a time-out", 0);
        h.ack(9000);
        h.check("recovered", 0);
    }
}

#[test]
fn before_accept_the_charge_is_what_the_allocator_has_given_out() {
    let mut h = Held::new(plain());
    let from = |port, mut segment: Seg| {
        segment.from = port;
        segment
    };
    let mut acks = Vec::with_capacity(8);
    for port in 0..8 {
        acks.push(
            h.e.answer(&from(1000 + port, seg(SYN, IRS, 0)))
                .seq
                .wrapping_add(1),
        );
    }
    h.before += 8 * size_of::<u32>() as isize;
    h.check("half-open", 0);
    for port in 0..50 {
        h.e.give(&from(2000 + port, seg(SYN, IRS, 0)));
        h.e.give(&from(3000 + port, seg(ACK, IRS, 0)));
    }
    h.check_charge("resets and cookies to be sent", 0);
    h.check("resets and cookies sent", 0);
    for (port, ack) in acks.iter().enumerate() {
        h.e.give(&from(1000 + port as u16, seg(ACK, IRS + 1, *ack)));
    }
    h.check("to be accepted", 8 * CUBIC_BEFORE);
    while h.e.tcp.accept(h.e.listener).unwrap().is_some() {}
    h.check("accepted", 8 * CUBIC_BEFORE);
}

#[test]
fn what_is_set_of_few_connections_is_charged() {
    let mut h = Held::new(plain());
    h.open();
    for (id, _) in &h.connections {
        h.e.tcp.set_linger(*id, Linger::Timeout(ms(1))).unwrap();
    }
    h.check("a linger time each", PEERS * CUBIC_BEFORE);
}

#[test]
fn what_is_out_of_order_is_charged_no_less_than_the_allocator_has_given_out_and_little_more() {
    for part in [10, 400, 1000] {
        let mut h = Held::new(controlled(congestion::new_reno));
        h.open();
        h.check("open", 0);
        for gap in 0..40 {
            let at = (gap * 7 % 40) * 1400;
            h.give(|seq, ack| seg(ACK, seq + 200 + at, ack).data(&vec![1; part]));
            drop(h.e.sent());
            while h.e.tcp.poll_event().is_some() {}
            let (held, more) = (heap::held() - h.before, h.over());
            assert!(
                (0..held / 4).contains(&more),
                "{more} more than {held}, {part} each"
            );
        }
    }
}

#[test]
fn what_is_known_of_pieces_that_were_sacked_is_charged_no_less_than_the_allocator_has_given_out() {
    let options = controlled(congestion::new_reno);
    let mut c = Conn::accept(Config::default(), options, &sack_syn());
    drop(c.sends(10));
    let before = (heap::held(), c.e.tcp.memory_used() as isize);
    let blocks = [1, 3, 5, 7].map(|at| (c.ack + 1000 * at, c.ack + 1000 * (at + 1)));
    c.e.give(&c.seg(ACK).sack(&blocks));
    while c.e.tcp.poll_event().is_some() {}
    let held = heap::held() - before.0;
    let charged = c.e.tcp.memory_used() as isize - before.1;
    assert!(held > 0, "{held}");
    assert!(
        (held..held + 500).contains(&charged),
        "{charged} for {held}"
    );
}
