//! The resolver, against a server of ours.

use crate::world::{SERVER, World};
use futures_lite::future::poll_once;
use netstack::proto::ip::Family;
use netstack::{Resolver, TcpListener, TcpStream, UdpSocket};
use std::cell::Cell;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::rc::Rc;

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

/// What the server says: `long.example` does not fit a datagram, `none.example` does not exist,
/// nor does what is in `nowhere`, `broken.example` is refused, and `rude.example` without the question.
fn answer(question: &[u8], by_tcp: bool) -> Vec<u8> {
    let asks = |label: &[u8]| question[13..].starts_with(label);
    let mut reply = question.to_vec();
    let code = match () {
        () if asks(b"long") && !by_tcp => {
            reply[2] |= 0x02;
            0
        }
        () if asks(b"none") || question.windows(8).any(|it| it == b"\x07nowhere") => 3,
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
        let resolver = Resolver::new(&world.client, [SERVER.into()]);
        for _ in 0..3 {
            let found = resolver.lookup("host.example").await.expect("an answer");
            assert_eq!(found, [IpAddr::V4(HOST)]);
        }
        assert_eq!(questions.get(), 1);
        world.client.sleep(std::time::Duration::from_secs(61)).await;
        resolver.lookup("HOST.example.").await.expect("an answer");
        assert_eq!(questions.get(), 2, "the time to live is over");
        assert_eq!(
            resolver.lookup("192.0.2.9").await.expect("one"),
            [IpAddr::from([192, 0, 2, 9])]
        );
        assert_eq!(
            resolver.lookup("localhost").await.expect("one"),
            [IpAddr::V4(Ipv4Addr::LOCALHOST)]
        );
        assert_eq!(
            resolver.lookup("www.LocalHost.").await.expect("one"),
            [IpAddr::V4(Ipv4Addr::LOCALHOST)]
        );
        assert_eq!(questions.get(), 2, "nobody needs to be asked for these");
    });
}

#[test]
fn other_servers_take_the_place_of_those_that_were_asked() {
    let world = World::new();
    let questions = serve(&world);
    world.run(async {
        let silent = IpAddr::from([10, 0, 0, 9]);
        let resolver = Resolver::new(&world.client, [silent]);
        let same = resolver.clone();
        let error = resolver.lookup("host.example").await.expect_err("silence");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        same.set_servers([SERVER.into()]);
        assert_eq!(resolver.servers(), [IpAddr::V4(SERVER)]);
        for _ in 0..2 {
            let found = resolver.lookup("host.example").await.expect("an answer");
            assert_eq!(found, [IpAddr::V4(HOST)]);
        }
        assert_eq!(questions.get(), 1);
        // What others have answered is forgotten.
        same.set_servers([silent, SERVER.into()]);
        resolver.lookup("host.example").await.expect("an answer");
        assert_eq!(questions.get(), 2);
    });
}

#[test]
fn what_former_servers_answer_late_is_not_remembered_however_often_there_were_others() {
    let world = World::new();
    let questions = serve(&world);
    world.run(async {
        let resolver = Resolver::new(&world.client, [SERVER.into()]);
        let mut lookup = pin!(resolver.lookup("host.example"));
        assert!(poll_once(&mut lookup).await.is_none(), "it is asked");
        for _ in 0..2 {
            resolver.set_servers([SERVER.into()]);
        }
        assert_eq!(lookup.await.expect("an answer"), [IpAddr::V4(HOST)]);
        resolver.lookup("host.example").await.expect("an answer");
        assert_eq!(questions.get(), 2);
    });
}

#[test]
fn rfc1035_section_4_2_1_a_truncated_answer_is_asked_for_by_tcp() {
    let world = World::new();
    serve(&world);
    world.run(async {
        let resolver = Resolver::new(&world.client, [SERVER.into()]);
        assert_eq!(
            resolver.lookup("long.example").await.expect("an answer"),
            [IpAddr::V4(HOST)]
        );
        assert_eq!(world.server.counters().tcp.passive_opens, 1);
    });
}

#[test]
fn absence_failure_and_silence_are_told_apart() {
    let world = World::new();
    serve(&world);
    world.run(async {
        let resolver = Resolver::new(&world.client, [SERVER.into()]);
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
        let second = Resolver::new(&world.client, [[10, 0, 0, 9].into(), SERVER.into()]);
        assert_eq!(
            second
                .lookup("host.example")
                .await
                .expect("the second answers"),
            [IpAddr::V4(HOST)]
        );
    });
}

#[test]
fn a_refusal_without_the_question_ends_the_look_up_at_once_or_leads_to_the_next_server() {
    let world = World::new();
    let questions = serve(&world);
    world.run(async {
        let start = world.seconds();
        let resolver = Resolver::new(&world.client, [SERVER.into()]);
        for name in ["rude.example", "broken.example"] {
            let error = resolver.lookup(name).await.expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::Other);
        }
        assert!(world.seconds() - start < 0.5, "nothing is waited for");
        assert_eq!(questions.get(), 2);
        let twice = Resolver::new(&world.client, [SERVER.into(), SERVER.into()]);
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
        let resolver = Resolver::new(&world.client, [SERVER.into()]);
        let found = resolver.lookup("host.example").await.expect("an answer");
        assert_eq!(found, [IpAddr::V4(HOST)]);
        assert_eq!(world.server.counters().tcp.passive_opens, 1);
        assert!(world.seconds() < 0.5, "at once");
    });
}

/// Waits until the other side has closed `stream`.
async fn closed(stream: &netstack::TcpStream) {
    while let Ok(Some(_)) = stream.read_chunk(usize::MAX).await {}
}

/// A server whose names have these addresses: `both.example` all of them.
fn serve_many(world: &World, addresses: Vec<Ipv4Addr>) {
    let socket = UdpSocket::bind(&world.server, (SERVER, 53)).expect("a free port");
    world.spawn(async move {
        loop {
            let asked = socket.recv_datagram().await.expect("a question");
            let mut reply = asked.payload.to_vec();
            reply[2] |= 0x80;
            reply[7] = addresses.len() as u8;
            for address in &addresses {
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
                reply.extend(address.octets());
            }
            socket.send_to(&reply, asked.source).expect("a route");
        }
    });
}

#[test]
fn rfc8305_5_an_address_that_does_not_answer_costs_a_quarter_of_a_second() {
    let world = World::new();
    serve_many(&world, vec![[10, 0, 0, 77].into(), SERVER]);
    let _listener = TcpListener::bind(&world.server, (SERVER, 7)).expect("a free port");
    world.run(async {
        let resolver = Resolver::new(&world.client, [SERVER.into()]);
        let stream = TcpStream::connect_host(&resolver, "both.example", 7).await;
        let stream = stream.expect("a connection");
        assert_eq!(stream.peer_addr().expect("a peer"), (SERVER, 7).into());
        assert!(
            (0.25..0.26).contains(&world.seconds()),
            "{}",
            world.seconds()
        );
        // The attempt at the other is given up.
        assert_eq!(world.client.counters().tcp.active_opens, 2);
        world.client.sleep(std::time::Duration::from_secs(10)).await;
        let status = stream.status().expect("a connection");
        assert_eq!(status.error, None);
        let by_list = TcpStream::connect_any(&world.client, &[SERVER.into()], 7).await;
        assert!(by_list.is_ok());
    });
}

#[test]
fn rfc8305_5_an_address_that_refuses_costs_nothing() {
    let world = World::new();
    serve_many(&world, vec![[10, 0, 0, 1].into(), SERVER]);
    let _listener = TcpListener::bind(&world.server, (SERVER, 7)).expect("a free port");
    world.run(async {
        let resolver = Resolver::new(&world.client, [SERVER.into()]);
        // Ourselves, where nobody listens, and then the other.
        let stream = TcpStream::connect_host(&resolver, "both.example", 7).await;
        assert!(stream.is_ok());
        assert!(world.seconds() < 0.05, "{}", world.seconds());
        let error = TcpStream::connect_host(&resolver, "both.example", 9).await;
        assert_eq!(
            error.map(drop).expect_err("refused").kind(),
            ErrorKind::ConnectionRefused
        );
        let error = TcpStream::connect_host(&resolver, "a..b", 9).await;
        assert_eq!(
            error.map(drop).expect_err("no name").kind(),
            ErrorKind::InvalidInput
        );
        let none = TcpStream::connect_any(&world.client, &[], 7).await;
        assert_eq!(
            none.map(drop).expect_err("none").kind(),
            ErrorKind::NotFound
        );
    });
}

#[test]
fn rfc6724_6_what_is_on_our_link_is_tried_first() {
    let world = World::new();
    serve_many(&world, vec![HOST, SERVER]);
    world.run(async {
        let resolver = Resolver::new(&world.client, [SERVER.into()]);
        let found = resolver.lookup("both.example").await.expect("an answer");
        assert_eq!(found, [IpAddr::V4(SERVER), HOST.into()]);
        let given = resolver.lookup_family("both.example", Family::V4).await;
        assert_eq!(given.expect("an answer"), [IpAddr::V4(HOST), SERVER.into()]);
        // It has none, and is asked.
        let none = resolver.lookup_family("10.0.0.9", Family::V6).await;
        assert_eq!(none.expect_err("none").kind(), ErrorKind::NotFound);
    });
}

#[test]
fn rfc8106_5_2_names_of_one_label_are_looked_for_in_domains() {
    let world = World::new();
    let questions = serve(&world);
    world.run(async {
        let resolver = Resolver::new(&world.client, [SERVER.into()]);
        assert!(resolver.domains().is_empty());
        // Behind the longest there is there is no room for a label.
        let longest = [
            "x".repeat(63),
            "y".repeat(63),
            "z".repeat(63),
            "w".repeat(61),
        ]
        .join(".");
        resolver.set_domains(["nowhere".to_owned(), longest, "example".to_owned()]);
        let found = resolver.lookup("a").await.expect("an answer");
        assert_eq!(found, [IpAddr::V4(HOST)]);
        assert_eq!(questions.get(), 2, "in the first domain, then in the last");
        // What has more labels, or a dot at its end, is asked for as it is.
        let error = resolver.lookup("b.nowhere").await.expect_err("none");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        resolver.lookup("c.").await.expect("an answer");
        assert_eq!(questions.get(), 4);
        // Nobody needs to be asked for these.
        for name in ["localhost", "::1", "10.0.0.9"] {
            let _ = resolver.lookup(name).await;
        }
        assert_eq!(questions.get(), 4);
    });
}

/// What stands for TLS: octets as they are, behind a greeting that only the right server gives.
async fn greeted(stream: TcpStream) -> std::io::Result<TcpStream> {
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting).await?;
    match &greeting {
        b"right" => Ok(stream),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// A question without the option that pads it to 128 octets (RFC 8467 §4.1), which it must have.
fn without_padding(mut question: Vec<u8>) -> Vec<u8> {
    assert_eq!((question.len(), question[11]), (128, 1));
    let name = question[12..].iter().position(|octet| *octet == 0);
    let end = 12 + name.expect("the root") + 1 + 4;
    let padding = question.split_off(end);
    // RFC 6891 §6.1.2: the root, OPT; RFC 7830 §3: option 12, as long as it is, and zeros.
    assert_eq!(
        (&padding[..3], &padding[11..13]),
        (&[0, 0, 41][..], &[0, 12][..])
    );
    assert_eq!(usize::from(padding[14]), padding.len() - 15);
    assert!(padding[15..].iter().all(|octet| *octet == 0));
    question[11] = 0;
    question
}

/// Serves on port 853, after a greeting, `each` questions on a connection.
fn serve_tls(world: &World, greeting: &'static [u8], each: usize) {
    let listener = TcpListener::bind(&world.server, (SERVER, 853)).expect("a free port");
    world.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.write_all(greeting).await.expect("sent");
            for _ in 0..each {
                let mut length = [0; 2];
                if stream.read_exact(&mut length).await.is_err() {
                    break;
                }
                let mut question = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut question).await.expect("a question");
                let reply = answer(&without_padding(question), true);
                let length = (reply.len() as u16).to_be_bytes();
                let message = [&length[..], &reply].concat();
                stream.write_all(&message).await.expect("sent");
            }
        }
    });
}

#[test]
fn rfc7858_3_4_questions_share_a_connection_and_a_new_one_is_made_when_it_is_closed() {
    for (each, connections) in [(100, 1), (2, 2)] {
        let world = World::new();
        serve_tls(&world, b"right", each);
        world.run(async {
            let secure = |stream, _| greeted(stream);
            let resolver = Resolver::over_tls(&world.client, [SERVER.into()], secure);
            for name in ["a.example", "b.example", "c.example", "d.example"] {
                let found = resolver.lookup(name).await.expect("an answer");
                assert_eq!(found, [IpAddr::V4(HOST)]);
            }
            assert_eq!(world.server.counters().tcp.passive_opens, connections);
            assert_eq!(world.client.counters().udp.out_datagrams, 0);
        });
    }
}

#[test]
fn rfc8310_5_the_strict_profile_asks_nobody_in_the_clear() {
    let world = World::new();
    let questions = serve(&world);
    serve_tls(&world, b"wrong", 1);
    world.run(async {
        let secure = |stream, _| greeted(stream);
        let resolver = Resolver::over_tls(&world.client, [SERVER.into()], secure);
        let error = resolver.lookup("a.example").await.expect_err("no trust");
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidData,
            "as the handshake said"
        );
        assert_eq!(questions.get(), 0);
        assert_eq!(world.client.counters().udp.out_datagrams, 0);
    });
}
