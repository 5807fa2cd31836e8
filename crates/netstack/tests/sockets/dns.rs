//! The resolver, against a server of ours.

use crate::world::{SERVER, World};
use netstack::{Resolver, TcpListener, UdpSocket};
use std::cell::Cell;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::rc::Rc;

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

/// What the server says: `long.example` does not fit a datagram, `none.example` does not exist,
/// `broken.example` is refused, and `rude.example` without the question.
fn answer(question: &[u8], by_tcp: bool) -> Vec<u8> {
    let asks = |label: &[u8]| question[13..].starts_with(label);
    let mut reply = question.to_vec();
    let code = match () {
        () if asks(b"long") && !by_tcp => {
            reply[2] |= 0x02;
            0
        }
        () if asks(b"none") => 3,
        () if asks(b"broken") => 2,
        () if asks(b"rude") => 5,
        () => {
            reply[7] = 1;
            // Of the question's name, type A, class IN, for a minute.
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            reply.extend(HOST.octets());
            0
        }
    };
    reply[2] |= 0x80;
    reply[3] = 0x80 | code;
    if asks(b"rude") {
        reply.truncate(12);
        reply[5] = 0;
    }
    reply
}

/// Starts the server; the number of questions it was asked.
fn serve(world: &World) -> Rc<Cell<u32>> {
    let questions = Rc::new(Cell::new(0));
    let socket = UdpSocket::bind(&world.server, (SERVER, 53)).expect("a free port");
    let count = questions.clone();
    world.spawn(async move {
        loop {
            let asked = socket.recv_datagram().await.expect("a question");
            let (question, peer) = (asked.payload, asked.source);
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
        assert_eq!(
            resolver.lookup("www.LocalHost.").await.expect("one"),
            [Ipv4Addr::LOCALHOST]
        );
        assert_eq!(questions.get(), 2, "nobody needs to be asked for these");
    });
}

#[test]
fn other_servers_take_the_place_of_those_that_were_asked() {
    let world = World::new();
    let questions = serve(&world);
    world.run(async {
        let silent = [10, 0, 0, 9].into();
        let resolver = Resolver::new(&world.client, [silent]);
        let same = resolver.clone();
        let error = resolver.lookup("host.example").await.expect_err("silence");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        same.set_servers([SERVER]);
        assert_eq!(resolver.servers(), [SERVER]);
        for _ in 0..2 {
            let found = resolver.lookup("host.example").await.expect("an answer");
            assert_eq!(found, [HOST]);
        }
        assert_eq!(questions.get(), 1);
        // What others have answered is forgotten.
        same.set_servers([silent, SERVER]);
        resolver.lookup("host.example").await.expect("an answer");
        assert_eq!(questions.get(), 2);
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
        let alone = Resolver::new(&world.client, []);
        let error = alone.lookup("host.example").await.expect_err("no server");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("no name server"), "{error}");
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

#[test]
fn a_refusal_without_the_question_ends_the_look_up_at_once_or_leads_to_the_next_server() {
    let world = World::new();
    let questions = serve(&world);
    world.run(async {
        let start = world.seconds();
        let resolver = Resolver::new(&world.client, [SERVER]);
        for name in ["rude.example", "broken.example"] {
            let error = resolver.lookup(name).await.expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::Other);
        }
        assert!(world.seconds() - start < 0.5, "nothing is waited for");
        assert_eq!(questions.get(), 2);
        let twice = Resolver::new(&world.client, [SERVER, SERVER]);
        twice.lookup("rude.example").await.expect_err("refused");
        assert_eq!(questions.get(), 4, "each server is asked once");
    });
}

#[test]
fn rfc5452_section_9_3_who_is_sent_many_wrong_answers_asks_by_tcp() {
    let world = World::new();
    let socket = UdpSocket::bind(&world.server, (SERVER, 53)).expect("a free port");
    world.spawn(async move {
        let asked = socket.recv_datagram().await.expect("a question");
        let (question, peer) = (asked.payload, asked.source);
        let right = answer(&question, false);
        // All but the right identifier, as one would send who has found the port.
        for wrong in 1..=40 {
            let mut forged = right.clone();
            forged[1] ^= wrong;
            let last = forged.len() - 1;
            forged[last] = 66;
            socket.send_to(&forged, peer).expect("a route");
        }
    });
    let listener = TcpListener::bind(&world.server, (SERVER, 53)).expect("a free port");
    world.spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let question = stream.read_chunk(usize::MAX).await.expect("a question");
        let reply = answer(&question.expect("a question")[2..], true);
        let length = (reply.len() as u16).to_be_bytes();
        let message = [&length[..], &reply].concat();
        stream.write_all(&message).await.expect("sent");
        closed(&stream).await;
    });
    world.run(async {
        let resolver = Resolver::new(&world.client, [SERVER]);
        let found = resolver.lookup("host.example").await.expect("an answer");
        assert_eq!(found, [HOST]);
        assert_eq!(world.server.counters().tcp.passive_opens, 1);
        assert!(world.seconds() < 0.5, "at once");
    });
}

/// Waits until the other side has closed `stream`.
async fn closed(stream: &netstack::TcpStream) {
    while let Ok(Some(_)) = stream.read_chunk(usize::MAX).await {}
}
