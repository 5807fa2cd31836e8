//! Options of a SYN, and of a segment of the connection that it opens.
#![no_main]

mod tcp_wire;

use core::net::SocketAddrV4;

use libfuzzer_sys::fuzz_target;
use netstack::proto::Instant;
use netstack::proto::tcp::{Config, Ecn, Options, Tcp};
use tcp_wire::{OURS, Raw, Sink};

fuzz_target!(|data: &[u8]| {
    let (&split, data) = data.split_first().unwrap_or((&0, data));
    let (syn, later) = data.split_at(usize::from(split).min(data.len()).min(40));
    let now = Instant::from_nanos(1_000_000_000);
    let mut tcp = Tcp::new(Config::default(), [3; 32]);
    let listener = tcp
        .listen(SocketAddrV4::new(OURS, 80), 4, Options::default())
        .expect("a free port");
    let mut raw = Raw {
        source_port: 9,
        destination_port: 80,
        seq: 100,
        flags: 2,
        window: 9000,
        options: syn,
        ..Raw::default()
    };
    raw.give(&mut tcp, now, Ecn::NotEct);
    let mut sink = Sink {
        mtu: 1500,
        ..Sink::default()
    };
    tcp.poll_transmit(now, &mut sink, 10);
    let answer = sink
        .sent
        .pop()
        .expect("a SYN is answered whatever its options are");
    assert_eq!((answer.flags & 0x12, answer.ack), (0x12, 101));
    raw.flags = 0x10;
    (raw.seq, raw.ack) = (101, answer.seq.wrapping_add(1));
    raw.give(&mut tcp, now, Ecn::NotEct);
    raw.options = later;
    raw.payload = b"payload";
    raw.give(&mut tcp, now, Ecn::NotEct);
    if let Ok(Some(id)) = tcp.accept(listener) {
        let _ = tcp.send(id, &[7; 5000]);
    }
    tcp.poll_transmit(now, &mut sink, 1000);
});
