//! The resolver, against a server of ours.

use crate::world::{SERVER, World};
use netstack::{Resolver, TcpListener, UdpSocket};
use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, PacketFlag, RCODE, ResourceRecord};
use std::cell::Cell;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::rc::Rc;

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

/// What the server says: `long.example` does not fit a datagram, `none.example` does not exist.
fn answer(question: &[u8], by_tcp: bool) -> Vec<u8> {
    let question = Packet::parse(question).expect("a question");
    let name = question.questions[0].qname.clone();
    let text = name.to_string();
    let mut reply = question.clone().into_reply();
    reply.questions = question.questions.clone();
    match text.as_str() {
        "long.example" if !by_tcp => reply.set_flags(PacketFlag::TRUNCATION),
        "none.example" => *reply.rcode_mut() = RCODE::NameError,
        "broken.example" => *reply.rcode_mut() = RCODE::ServerFailure,
        _ => {
            let rdata = RData::A(A {
                address: HOST.to_bits(),
            });
            reply
                .answers
                .push(ResourceRecord::new(name, CLASS::IN, 60, rdata));
        }
    }
    reply.build_bytes_vec().expect("fits")
}

/// Starts the server; the number of questions it was asked.
fn serve(world: &World) -> Rc<Cell<u32>> {
    let questions = Rc::new(Cell::new(0));
    let socket = UdpSocket::bind(&world.server, (SERVER, 53)).expect("a free port");
    let count = questions.clone();
    world.spawn(async move {
        loop {
            let (question, peer) = socket.receive().await.expect("a question");
            count.set(count.get() + 1);
            socket
                .send_to(&answer(&question, false), peer)
                .expect("a route");
        }
    });
    let listener = TcpListener::bind(&world.server, (SERVER, 53)).expect("a free port");
    world.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let question = stream.read_chunk(usize::MAX).await.expect("a question");
            let reply = answer(&question.expect("a question")[2..], true);
            let length = (reply.len() as u16).to_be_bytes();
            stream
                .write_all(&[&length[..], &reply].concat())
                .await
                .expect("sent");
        }
    });
    questions
}

#[test]
fn names_are_found_and_remembered_for_their_time() {
    let world = World::new();
    let questions = serve(&world);
    world.run(async {
        let resolver = Resolver::new(&world.client, [SERVER]);
        for _ in 0..3 {
            let found = resolver.lookup("host.example").await.expect("an answer");
            assert_eq!(found, [HOST]);
        }
        assert_eq!(questions.get(), 1);
        world.client.sleep(std::time::Duration::from_secs(61)).await;
        resolver.lookup("HOST.example.").await.expect("an answer");
        assert_eq!(questions.get(), 2, "the time to live is over");
        assert_eq!(
            resolver.lookup("192.0.2.9").await.expect("one"),
            [Ipv4Addr::new(192, 0, 2, 9)]
        );
        assert_eq!(
            resolver.lookup("localhost").await.expect("one"),
            [Ipv4Addr::LOCALHOST]
        );
        assert_eq!(questions.get(), 2, "nobody needs to be asked for these");
    });
}

#[test]
fn rfc1035_section_4_2_1_a_truncated_answer_is_asked_for_by_tcp() {
    let world = World::new();
    serve(&world);
    world.run(async {
        let resolver = Resolver::new(&world.client, [SERVER]);
        assert_eq!(
            resolver.lookup("long.example").await.expect("an answer"),
            [HOST]
        );
        assert_eq!(world.server.counters().tcp.passive_opens, 1);
    });
}

#[test]
fn absence_failure_and_silence_are_told_apart() {
    let world = World::new();
    serve(&world);
    world.run(async {
        let resolver = Resolver::new(&world.client, [SERVER]);
        let kind =
            |result: std::io::Result<_>| result.map(|_: Vec<_>| ()).expect_err("none").kind();
        assert_eq!(
            kind(resolver.lookup("none.example").await),
            ErrorKind::NotFound
        );
        assert_eq!(
            kind(resolver.lookup("broken.example").await),
            ErrorKind::Other
        );
        assert_eq!(kind(resolver.lookup("a..b").await), ErrorKind::InvalidInput);
        let silent = Resolver::new(&world.client, [[10, 0, 0, 9].into()]);
        assert_eq!(
            kind(silent.lookup("host.example").await),
            ErrorKind::TimedOut
        );
        let second = Resolver::new(&world.client, [[10, 0, 0, 9].into(), SERVER]);
        assert_eq!(
            second
                .lookup("host.example")
                .await
                .expect("the second answers"),
            [HOST]
        );
    });
}
