//! What std's own sockets come to, inside of the program.

mod outside;
mod runs;
mod world;

use std::io::{IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::rc::Rc;

use libc::{
    AF_INET, AF_INET6, EADDRINUSE, EALREADY, ECONNREFUSED, ECONNRESET, EINPROGRESS, EISCONN, EPIPE,
    SO_ERROR, SO_REUSEADDR, SO_REUSEPORT, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET,
};

use super::*;
use crate::descriptors::calls::write_all;
use crate::error::Errno;
use crate::readiness::{ERR, HUP, OUT, READ, WRITE};

fn on(octets: [u8; 4], port: u16) -> Address {
    Address::Internet((octets, port).into())
}

fn socket(network: &Rc<Network>, kind: c_int) -> Rc<dyn Description> {
    internet(network, AF_INET, kind, 0).expect("a socket")
}

fn as_socket(description: &Rc<dyn Description>) -> &dyn Socket {
    description.as_socket().expect("a socket")
}

fn listener(network: &Rc<Network>, at: &Address, backlog: c_int) -> Rc<dyn Description> {
    let listener = socket(network, SOCK_STREAM);
    as_socket(&listener).bind(at).expect("a free address");
    as_socket(&listener).listen(backlog).expect("bound");
    listener
}

fn connect(network: &Rc<Network>, to: &Address) -> Rc<dyn Description> {
    let client = socket(network, SOCK_STREAM);
    assert_eq!(as_socket(&client).connect(to), fail(EINPROGRESS));
    client
}

fn read(socket: &Rc<dyn Description>) -> Result<Vec<u8>> {
    let mut buffer = [0; 64];
    let octets = socket.read(&mut [IoSliceMut::new(&mut buffer)])?;
    Ok(buffer[..octets].to_vec())
}

fn write(socket: &Rc<dyn Description>, octets: &[u8]) -> Result<usize> {
    socket.write(&[IoSlice::new(octets)])
}

fn error_of(socket: &Rc<dyn Description>) -> Vec<u8> {
    let value = as_socket(socket).option(SOL_SOCKET, SO_ERROR);
    value.expect("every socket has it").octets()
}

#[test]
fn connections_inside_carry_what_is_written_and_end_as_tcp_does() {
    let network = Rc::new(Network::default());
    let listener = listener(&network, &on([0; 4], 0), 8);
    let Ok(Address::Internet(address)) = as_socket(&listener).local() else {
        panic!("a listener has an address");
    };
    assert_eq!(listener.ready(), 0);
    let client = connect(&network, &on([127, 0, 0, 1], address.port()));
    assert_eq!(as_socket(&client).connected(), Ok(()));
    assert_eq!(
        as_socket(&client).connect(&on([127, 0, 0, 1], 1)),
        fail(EISCONN)
    );
    assert_eq!(listener.ready(), READ);
    let (server, peer) = as_socket(&listener).accept().expect("a client");
    assert_eq!(as_socket(&client).local(), Ok(peer));
    assert_eq!(as_socket(&server).peer(), as_socket(&client).local());
    assert_eq!(as_socket(&client).peer(), as_socket(&server).local());

    assert_eq!(read(&server), Err(Errno::AGAIN));
    assert_eq!(write(&client, b"hello"), Ok(5));
    assert_eq!(server.ready() & READ, READ);
    assert_eq!(read(&server).as_deref(), Ok(&b"hello"[..]));
    as_socket(&client)
        .shutdown(Shutdown::Write)
        .expect("connected");
    assert_eq!(read(&server).as_deref(), Ok(&b""[..]));
    assert_eq!(write(&client, b"more"), fail(EPIPE));
    assert_eq!(write(&server, b"bye"), Ok(3));
    drop(server);
    assert_eq!(read(&client).as_deref(), Ok(&b"bye"[..]));
    assert_eq!(read(&client).as_deref(), Ok(&b""[..]));
    assert_ne!(client.ready() & HUP, 0);
}

#[test]
fn what_is_not_read_when_a_socket_is_closed_resets_the_connection() {
    let network = Rc::new(Network::default());
    let listener = listener(&network, &on([127, 0, 0, 1], 7000), 8);
    let client = connect(&network, &on([127, 0, 0, 1], 7000));
    let (server, _) = as_socket(&listener).accept().expect("a client");
    assert_eq!(write(&client, b"unread"), Ok(6));
    drop(server);
    assert_ne!(client.ready() & ERR, 0);
    assert_eq!(read(&client), fail(ECONNRESET));
    assert_eq!(read(&client).as_deref(), Ok(&b""[..]));
    assert_eq!(write(&client, b"x"), fail(EPIPE));
}

#[test]
fn an_error_after_some_octets_is_told_by_the_next_call() {
    let network = Rc::new(Network::default());
    let to = on([127, 0, 0, 1], 7000);
    let listener = listener(&network, &to, 8);
    let reset = || {
        let client = connect(&network, &to);
        let (server, _) = as_socket(&listener).accept().expect("a client");
        assert_eq!(write(&client, b"unread"), Ok(6));
        (client, server)
    };
    let (client, server) = reset();
    let mut server = Some(server);
    let octets = [7; 64];
    let written = write_all(&*client, &mut [IoSlice::new(&octets)], true, |rest| {
        let done = match server.take() {
            // It goes while the call waits for room.
            Some(_) => return Ok(10),
            None => client.write(rest),
        };
        assert_eq!(done, fail(ECONNRESET));
        done
    });
    assert_eq!(written, Ok(10));
    assert_ne!(client.ready() & ERR, 0);
    assert_eq!(read(&client), fail(ECONNRESET));
    assert_eq!(read(&client).as_deref(), Ok(&b""[..]));

    let (client, server) = reset();
    assert_eq!(write(&server, b"some"), Ok(4));
    drop(server);
    assert_eq!(receive_all_of(&client), Ok(4));
    assert_eq!(error_of(&client), ECONNRESET.to_ne_bytes());
    assert_eq!(receive_all_of(&client), Ok(0));
}

/// What `recv` with `MSG_WAITALL` comes to, for 64 octets.
fn receive_all_of(socket: &Rc<dyn Description>) -> Result<usize> {
    let mut buffer = [0; 64];
    let mut buffers = [IoSliceMut::new(&mut buffer)];
    let receive = |rest: &mut [IoSliceMut<'_>]| as_socket(socket).receive(rest, Flags::default());
    Ok(receive_all(&**socket, &mut buffers, receive)?.octets)
}

#[test]
fn names_are_asked_for_kinds_of_sockets_that_there_are() {
    let (stream, datagram) = ((SOCK_STREAM, IPPROTO_TCP), (SOCK_DGRAM, IPPROTO_UDP));
    for (kind, protocol, expected) in [
        (0, 0, Ok(vec![stream, datagram])),
        (SOCK_DGRAM, 0, Ok(vec![datagram])),
        (0, IPPROTO_TCP, Ok(vec![stream])),
        (libc::SOCK_RAW, 0, Err(libc::EAI_SOCKTYPE)),
        (SOCK_DGRAM, IPPROTO_TCP, Err(libc::EAI_SOCKTYPE)),
    ] {
        assert_eq!(names::kinds(kind, protocol), expected, "{kind} {protocol}");
    }
}

#[test]
fn errors_of_name_resolution_have_texts_of_their_own() {
    use std::collections::BTreeSet;
    let numbers = [
        libc::EAI_NONAME,
        libc::EAI_AGAIN,
        libc::EAI_FAIL,
        libc::EAI_FAMILY,
        libc::EAI_SOCKTYPE,
        libc::EAI_SERVICE,
        libc::EAI_MEMORY,
        libc::EAI_SYSTEM,
        0,
    ];
    let texts: BTreeSet<_> = numbers.map(names::text).into_iter().collect();
    assert_eq!(texts.len(), numbers.len());
    let unknown = names::text(libc::EAI_NONAME);
    assert_eq!(unknown, c"Name or service not known");
    assert_eq!(names::text(i32::MIN), names::text(0));
}

#[test]
fn ports_for_those_that_ask_for_none_are_drawn() {
    let drawn: Vec<u16> = (0..8)
        .map(|_| {
            let network = Rc::new(Network::default());
            let socket = socket(&network, SOCK_DGRAM);
            as_socket(&socket)
                .bind(&on([127, 0, 0, 1], 0))
                .expect("free");
            let Ok(Address::Internet(address)) = as_socket(&socket).local() else {
                panic!("it is bound");
            };
            address.port()
        })
        .collect();
    assert!(drawn.iter().all(|port| *port >= 32_768), "{drawn:?}");
    // By chance one time in a number of 31 digits.
    assert!(drawn.iter().any(|port| *port != drawn[0]), "{drawn:?}");
}

#[test]
fn a_refused_connection_tells_so_once() {
    let network = Rc::new(Network::default());
    let client = connect(&network, &on([127, 0, 0, 1], 9));
    assert_eq!(client.ready() & (OUT | ERR | HUP), OUT | ERR | HUP);
    assert_eq!(error_of(&client), ECONNREFUSED.to_ne_bytes());
    assert_eq!(error_of(&client), 0_i32.to_ne_bytes());
    assert_eq!(client.ready() & ERR, 0);
    let client = connect(&network, &on([127, 0, 0, 1], 9));
    assert_eq!(as_socket(&client).connected(), fail(ECONNREFUSED));
}

#[test]
fn who_finds_the_backlog_full_waits_for_a_place() {
    let network = Rc::new(Network::default());
    let to = on([127, 0, 0, 1], 7000);
    let listener = listener(&network, &to, 0);
    // As on Linux there is one place more than was asked for.
    let first = connect(&network, &to);
    let second = connect(&network, &to);
    assert_eq!(as_socket(&first).connected(), Ok(()));
    assert_eq!(as_socket(&second).connected(), Err(Errno::AGAIN));
    assert_eq!(as_socket(&second).connect(&to), fail(EALREADY));
    assert_eq!(second.ready(), 0);
    as_socket(&listener).accept().expect("the first");
    assert_eq!(second.ready() & WRITE, WRITE);
    assert_eq!(as_socket(&second).connected(), Ok(()));
    as_socket(&listener).accept().expect("the second");
    let [third, fourth] = [0, 1].map(|_| connect(&network, &to));
    assert_eq!(as_socket(&listener).shutdown(Shutdown::Read), Ok(()));
    assert_eq!(read(&third), fail(ECONNRESET));
    assert_eq!(as_socket(&fourth).connected(), fail(ECONNREFUSED));
}

#[test]
fn an_address_is_bound_once_unless_all_agree() {
    let network = Rc::new(Network::default());
    let one = on([127, 0, 0, 1], 7000);
    let held = listener(&network, &one, 8);
    for (at, option, expected) in [
        (on([0; 4], 7000), None, fail(EADDRINUSE)),
        (on([0; 4], 7000), Some(SO_REUSEADDR), fail(EADDRINUSE)),
        (on([0; 4], 7000), Some(SO_REUSEPORT), fail(EADDRINUSE)),
        (on([127, 0, 0, 2], 7000), None, Ok(())),
    ] {
        let other = socket(&network, SOCK_STREAM);
        if let Some(option) = option {
            let value = 1_i32.to_ne_bytes();
            let set = as_socket(&other).set_option(SOL_SOCKET, option, &value);
            assert_eq!(set, Ok(()));
        }
        assert_eq!(as_socket(&other).bind(&at), expected, "{at:?} {option:?}");
    }
    drop(held);
    listener(&network, &one, 8);
}

#[test]
fn datagrams_inside_keep_their_borders_and_tell_where_nobody_listens() {
    let network = Rc::new(Network::default());
    let [one, other] = [0, 1].map(|_| socket(&network, SOCK_DGRAM));
    as_socket(&other)
        .bind(&on([127, 0, 0, 1], 5353))
        .expect("free");
    let to = on([127, 0, 0, 1], 5353);
    for part in [&b"one"[..], b"", b"three"] {
        assert_eq!(
            as_socket(&one).send(&[IoSlice::new(part)], Some(&to), &mut Beside::default()),
            Ok(part.len())
        );
    }
    let mut buffer = [0; 2];
    let received = as_socket(&other)
        .receive(&mut [IoSliceMut::new(&mut buffer)], Flags { peek: true })
        .expect("a datagram");
    assert_eq!((received.octets, received.whole), (2, 3));
    let Ok(Address::Internet(bound)) = as_socket(&one).local() else {
        panic!("who sends is bound");
    };
    assert_eq!(received.from, Some(on([127, 0, 0, 1], bound.port())));
    assert_eq!(read(&other).as_deref(), Ok(&b"one"[..]));
    assert_eq!(read(&other).as_deref(), Ok(&b""[..]));
    assert_eq!(read(&other).as_deref(), Ok(&b"three"[..]));
    assert_eq!(read(&other), Err(Errno::AGAIN));
    drop(other);
    as_socket(&one).connect(&to).expect("datagrams need nobody");
    assert_eq!(write(&one, b"x"), Ok(1));
    assert_eq!(read(&one), fail(ECONNREFUSED));
}

#[test]
fn sockets_of_ipv6_speak_with_those_of_ipv4_by_mapped_addresses() {
    let network = Rc::new(Network::default());
    let listener = internet(&network, AF_INET6, SOCK_STREAM, 0).expect("a socket");
    let any = Address::Internet("[::]:7000".parse().expect("an address"));
    as_socket(&listener).bind(&any).expect("free");
    as_socket(&listener).listen(8).expect("bound");
    connect(&network, &on([127, 0, 0, 1], 7000));
    let (_, peer) = as_socket(&listener).accept().expect("a client");
    let Address::Internet(peer) = peer else {
        panic!("{peer:?}");
    };
    assert_eq!(peer.ip().to_string(), "::ffff:127.0.0.1");
    let six = internet(&network, AF_INET6, SOCK_STREAM, 0).expect("a socket");
    let to = Address::Internet("[::1]:7000".parse().expect("an address"));
    assert_eq!(as_socket(&six).connect(&to), fail(EINPROGRESS));
    let (_, peer) = as_socket(&listener).accept().expect("a client");
    assert_eq!(as_socket(&six).local(), Ok(peer));
}

#[test]
fn who_leaves_ipv4_out_says_so_before_it_is_bound() {
    let network = Rc::new(Network::default());
    let on = 1_i32.to_ne_bytes();
    let set = |socket: &Rc<dyn Description>| {
        as_socket(socket).set_option(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &on)
    };
    let four = socket(&network, SOCK_STREAM);
    assert_eq!(set(&four), fail(libc::ENOPROTOOPT));
    let any = Address::Internet("[::]:7000".parse().expect("an address"));
    let mapped = Address::Internet("[::ffff:127.0.0.1]:7000".parse().expect("an address"));
    for kind in [SOCK_STREAM, SOCK_DGRAM] {
        let six = internet(&network, AF_INET6, kind, 0).expect("a socket");
        assert_eq!(set(&six), Ok(()));
        assert_eq!(as_socket(&six).bind(&mapped), fail(libc::EINVAL));
        assert_eq!(as_socket(&six).connect(&mapped), fail(libc::ENETUNREACH));
        assert_eq!(as_socket(&six).bind(&any), Ok(()));
        assert_eq!(set(&six), fail(libc::EINVAL));
        let four = socket(&network, kind);
        let at = Address::Internet(([0; 4], 7000).into());
        assert_eq!(as_socket(&four).bind(&at), Ok(()));
    }
}

#[test]
fn addresses_of_the_link_have_its_scope() {
    let other = Address::Internet("[fe80::1%7]:1".parse().expect("an address"));
    let network = Rc::new(Network::default());
    let six = internet(&network, AF_INET6, SOCK_DGRAM, 0).expect("a socket");
    let sent = as_socket(&six).send(&[IoSlice::new(b"x")], Some(&other), &mut Beside::default());
    assert_eq!(sent, fail(libc::ENODEV));
    for (given, told) in [
        ("[fe80::1]:1", "[fe80::1%1]:1"),
        ("[fe80::1%1]:1", "[fe80::1%1]:1"),
        ("[ff02::1]:1", "[ff02::1%1]:1"),
        ("[fd00::1%7]:1", "[fd00::1]:1"),
    ] {
        let given = Family::V6.inward(given.parse().expect("an address"));
        let Address::Internet(address) = Family::V6.outward(given.expect("ours")) else {
            panic!("{told}");
        };
        assert_eq!(address.to_string(), told);
    }
    for (text, ip) in [
        ("fe80::1%1", Some("fe80::1")),
        ("fe80::1%service", Some("fe80::1")),
        ("fe80::1%2", None),
        ("fd00::1%1", None),
        ("10.0.0.1", Some("10.0.0.1")),
    ] {
        let ip = ip.map(|ip| ip.parse().expect("an address"));
        assert_eq!(address::written(text), ip, "{text}");
    }
}

#[test]
fn members_of_a_group_have_what_is_sent_to_it() {
    let network = Rc::new(Network::default());
    let [first, second, stranger] = [0, 1, 2].map(|_| {
        let member = socket(&network, SOCK_DGRAM);
        let reuse = as_socket(&member).set_option(SOL_SOCKET, SO_REUSEADDR, &1_i32.to_ne_bytes());
        assert_eq!(reuse, Ok(()));
        as_socket(&member).bind(&on([0; 4], 7000)).expect("shared");
        member
    });
    let change = |member: &Rc<dyn Description>, name, group: [u8; 4]| {
        let value = [group, [0; 4]].concat();
        as_socket(member).set_option(libc::IPPROTO_IP, name, &value)
    };
    let (join, leave) = (libc::IP_ADD_MEMBERSHIP, libc::IP_DROP_MEMBERSHIP);
    let group = [239, 1, 2, 3];
    assert_eq!(change(&first, join, [10, 0, 0, 1]), fail(libc::EINVAL));
    assert_eq!(change(&first, leave, group), fail(libc::EADDRNOTAVAIL));
    assert_eq!(change(&first, join, group), Ok(()));
    assert_eq!(change(&first, join, group), fail(EADDRINUSE));
    assert_eq!(change(&second, join, group), Ok(()));
    let send = |text: &[u8]| {
        let to = on(group, 7000);
        as_socket(&stranger).send(&[IoSlice::new(text)], Some(&to), &mut Beside::default())
    };
    // There is no stack in this test.
    assert_eq!(send(b"one"), fail(libc::ENETUNREACH));
    assert_eq!(change(&second, leave, group), Ok(()));
    assert_eq!(send(b"two"), fail(libc::ENETUNREACH));
    assert_eq!(read(&first).as_deref(), Ok(&b"one"[..]));
    assert_eq!(read(&first).as_deref(), Ok(&b"two"[..]));
    assert_eq!(read(&second).as_deref(), Ok(&b"one"[..]));
    assert_eq!(read(&second), Err(Errno::AGAIN));
    assert_eq!(read(&stranger), Err(Errno::AGAIN));
    for last in 0..19 {
        assert_eq!(change(&first, join, [239, 0, 0, last]), Ok(()));
    }
    assert_eq!(change(&first, join, [239, 0, 0, 99]), fail(libc::ENOBUFS));
}
