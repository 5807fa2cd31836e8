//! What sockets come to, by the stack.

use std::net::Ipv6Addr;

use netstack::{Config, Ipv6};

use super::world::World;
use super::*;

/// A socket with an option set, bound to all addresses.
fn shared(network: &Rc<Network>, option: c_int, port: u16) -> Rc<dyn Description> {
    let new = socket(network, SOCK_DGRAM);
    let set = as_socket(&new).set_option(SOL_SOCKET, option, &1_i32.to_ne_bytes());
    assert_eq!(set, Ok(()));
    as_socket(&new).bind(&on([0; 4], port)).expect("shared");
    new
}

pub(super) fn bound(network: &Rc<Network>, port: u16) -> Rc<dyn Description> {
    let new = socket(network, SOCK_DGRAM);
    as_socket(&new).bind(&on([0; 4], port)).expect("free");
    new
}

fn send(socket: &Rc<dyn Description>, to: &Address, text: &[u8]) -> Result<usize> {
    as_socket(socket).send(&[IoSlice::new(text)], Some(to), &mut Beside::default())
}

fn port_of(socket: &Rc<dyn Description>) -> u16 {
    match as_socket(socket).local() {
        Ok(Address::Internet(address)) => address.port(),
        other => panic!("{other:?}"),
    }
}

fn join(socket: &Rc<dyn Description>, group: [u8; 4]) {
    let value = [group, [0; 4]].concat();
    let joined = as_socket(socket).set_option(libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, &value);
    assert_eq!(joined, Ok(()));
}

pub(super) const HERE: [u8; 4] = [10, 0, 0, 1];
pub(super) const THERE: [u8; 4] = [10, 0, 0, 2];

#[test]
fn who_is_tied_to_a_peer_inside_hears_nothing_of_the_network() {
    let world = World::new();
    let [here, there] = &world.networks;
    let [inside, stranger] = [bound(here, 8126), bound(there, 8125)];
    let say = |text: &[u8]| {
        assert_eq!(send(&stranger, &on(HERE, 8125), text), Ok(text.len()));
        world.settle();
    };
    let one = bound(here, 8125);
    say(b"before");
    let connect = |to: &Address| assert_eq!(as_socket(&one).connect(to), Ok(()));
    connect(&on([127, 0, 0, 1], 8126));
    assert_eq!(as_socket(&one).local(), Ok(on([127, 0, 0, 1], 8125)));
    say(b"forged");
    assert_eq!((one.ready(), read(&one)), (WRITE, Err(Errno::AGAIN)));
    assert_eq!(write(&one, b"question"), Ok(8));
    assert_eq!(read(&inside).as_deref(), Ok(&b"question"[..]));
    assert_eq!(send(&inside, &on([127, 0, 0, 1], 8125), b"answer"), Ok(6));
    assert_eq!(read(&one).as_deref(), Ok(&b"answer"[..]));

    connect(&on(THERE, 8125));
    say(b"peer");
    assert_eq!(read(&one).as_deref(), Ok(&b"peer"[..]));
    connect(&on([127, 0, 0, 1], 8126));
    connect(&Address::Unspecified);
    say(b"anybody");
    assert_eq!(read(&one).as_deref(), Ok(&b"anybody"[..]));
}

#[test]
fn a_refusal_is_told_once_by_the_option_and_by_who_sends() {
    let world = World::new();
    let one = socket(&world.networks[0], SOCK_DGRAM);
    as_socket(&one).connect(&on(THERE, 9)).expect("a route");
    let ask = || {
        assert_eq!(write(&one, b"x"), Ok(1));
        world.settle();
        assert_ne!(one.ready() & ERR, 0);
    };
    ask();
    assert_eq!(error_of(&one), ECONNREFUSED.to_ne_bytes());
    assert_eq!(one.ready() & ERR, 0);
    assert_eq!(error_of(&one), 0_i32.to_ne_bytes());
    ask();
    assert_eq!(write(&one, b"x"), fail(ECONNREFUSED));
    assert_eq!(one.ready() & ERR, 0);
    ask();
    assert_eq!(read(&one), fail(ECONNREFUSED));
    assert_eq!(read(&one), Err(Errno::AGAIN));
}

#[test]
fn all_members_that_share_a_port_have_what_comes_for_the_group() {
    let world = World::new();
    let [here, there] = &world.networks;
    let (stranger, group) = (bound(there, 9000), [239, 1, 2, 3]);
    let [first, second, third] = [0; 3].map(|_| shared(here, SO_REUSEADDR, 5353));
    join(&first, group);
    join(&second, group);
    let say = |to: [u8; 4], text: &[u8]| {
        assert_eq!(send(&stranger, &on(to, 5353), text), Ok(text.len()));
        world.settle();
    };
    say(group, b"all");
    for member in [&first, &second] {
        assert_ne!(member.ready() & READ, 0);
        assert_eq!(read(member).as_deref(), Ok(&b"all"[..]));
        assert_eq!(read(member), Err(Errno::AGAIN));
    }
    assert_eq!(read(&third), Err(Errno::AGAIN));
    // The last that was bound.
    say(HERE, b"one");
    assert_eq!(read(&third).as_deref(), Ok(&b"one"[..]));
    // Each sends from the port, also when who had it first has gone.
    drop(first);
    say(group, b"left");
    assert_eq!(read(&second).as_deref(), Ok(&b"left"[..]));
    assert_eq!(send(&second, &on(THERE, 9000), b"from"), Ok(4));
    world.settle();
    assert_eq!(read(&stranger).as_deref(), Ok(&b"from"[..]));
    drop(third);
    say(HERE, b"last");
    assert_eq!(read(&second).as_deref(), Ok(&b"last"[..]));
    // The group is left with its last member.
    let value = [group, [0; 4]].concat();
    let left = as_socket(&second).set_option(libc::IPPROTO_IP, libc::IP_DROP_MEMBERSHIP, &value);
    assert_eq!(left, Ok(()));
    say(group, b"none");
    assert_eq!(read(&second), Err(Errno::AGAIN));
}

#[test]
fn who_shares_a_port_by_another_address_has_it_when_the_first_has_gone() {
    let world = World::new();
    let [here, there] = &world.networks;
    let first = shared(here, SO_REUSEADDR, 5353);
    let second = socket(here, SOCK_DGRAM);
    let set = as_socket(&second).set_option(SOL_SOCKET, SO_REUSEADDR, &1_i32.to_ne_bytes());
    assert_eq!(set, Ok(()));
    as_socket(&second).bind(&on(HERE, 5353)).expect("shared");
    let stranger = bound(there, 9000);
    let say = |text: &[u8]| {
        assert_eq!(send(&stranger, &on(HERE, 5353), text), Ok(text.len()));
        world.settle();
    };
    say(b"one");
    assert_eq!(read(&first).as_deref(), Ok(&b"one"[..]));
    drop(first);
    say(b"other");
    assert_eq!(read(&second).as_deref(), Ok(&b"other"[..]));
}

#[test]
fn each_peer_has_one_of_those_that_share_a_port() {
    let world = World::new();
    let [here, there] = &world.networks;
    // The first is tied to a peer before another one is there.
    let tied = shared(here, SO_REUSEPORT, 4433);
    let peer = bound(there, 7000);
    as_socket(&tied).connect(&on(THERE, 7000)).expect("a route");
    assert_eq!(send(&peer, &on(HERE, 4433), b"early"), Ok(5));
    world.settle();
    let workers = [0; 3].map(|_| shared(here, SO_REUSEPORT, 4433));
    let mut peers_of = [0; 3];
    for _ in 0..32 {
        let stranger = bound(there, 0);
        let text = port_of(&stranger).to_be_bytes();
        for _ in 0..3 {
            assert_eq!(send(&stranger, &on(HERE, 4433), &text), Ok(2));
        }
        world.settle();
        let has = |worker: &Rc<dyn Description>| worker.ready() & READ != 0;
        let which = workers.iter().position(has).expect("one of them");
        for _ in 0..3 {
            assert_eq!(read(&workers[which]).as_deref(), Ok(&text[..]));
        }
        assert!(!workers.iter().any(has));
        peers_of[which] += 1;
    }
    // By chance there is one without in 400,000 times.
    assert!(peers_of.iter().all(|peers| *peers > 0), "{peers_of:?}");
    assert_eq!(send(&peer, &on(HERE, 4433), b"late"), Ok(4));
    world.settle();
    assert_eq!(read(&tied).as_deref(), Ok(&b"early"[..]));
    assert_eq!(read(&tied).as_deref(), Ok(&b"late"[..]));
    assert_eq!(read(&tied), Err(Errno::AGAIN));
}

#[test]
fn connections_go_to_those_that_still_listen() {
    let world = World::new();
    let [here, there] = &world.networks;
    let [first, second] = [0; 2].map(|_| {
        let new = socket(here, SOCK_STREAM);
        let set = as_socket(&new).set_option(SOL_SOCKET, SO_REUSEPORT, &1_i32.to_ne_bytes());
        assert_eq!(set, Ok(()));
        as_socket(&new).bind(&on([0; 4], 80)).expect("shared");
        as_socket(&new).listen(8).expect("bound");
        new
    });
    let call = || {
        let client = connect(there, &on(HERE, 80));
        world.settle();
        assert_eq!(as_socket(&client).connected(), Ok(()));
        client
    };
    let _one = call();
    assert_eq!([first.ready(), second.ready()], [READ; 2]);
    assert!(as_socket(&second).accept().is_ok());
    assert_eq!([first.ready(), second.ready()], [0; 2]);
    drop(first);
    let _other = call();
    assert!(as_socket(&second).accept().is_ok());
}

#[test]
fn a_reset_after_some_octets_is_told_by_the_next_call() {
    let world = World::new();
    let [here, there] = &world.networks;
    let listener = listener(there, &on([0; 4], 80), 8);
    let client = connect(here, &on(THERE, 80));
    world.settle();
    assert_eq!(as_socket(&client).connected(), Ok(()));
    let (server, _) = as_socket(&listener).accept().expect("a client");
    assert_eq!(write(&server, b"some"), Ok(4));
    world.settle();
    let linger = [1, 0].map(i32::to_ne_bytes).concat();
    let set = as_socket(&server).set_option(SOL_SOCKET, libc::SO_LINGER, &linger);
    assert_eq!(set, Ok(()));
    drop(server);
    let mut is_first = true;
    let mut buffer = [0; 64];
    let receive = |rest: &mut [IoSliceMut<'_>]| {
        let received = as_socket(&client).receive(rest, Flags::default());
        if std::mem::take(&mut is_first) {
            world.settle();
        }
        received
    };
    let received = receive_all(&*client, &mut [IoSliceMut::new(&mut buffer)], receive);
    assert_eq!(received.map(|received| received.octets), Ok(4));
    assert_ne!(client.ready() & ERR, 0);
    assert_eq!(read(&client), fail(ECONNRESET));
    assert_eq!(read(&client).as_deref(), Ok(&b""[..]));
}

/// RFC 8106: a router advertisement with a domain, DNSSL, for a minute.
#[test]
fn names_of_one_label_are_looked_for_where_routers_say() {
    let world = World::with(&Config::default().ipv6(Ipv6::default().dad_transmits(0)));
    let [network, _] = &world.networks;
    let domains = || network.resolver().expect("a stack").domains();
    world.settle();
    assert!(domains().is_empty());
    let [from, to]: [Ipv6Addr; 2] = ["fe80::9", "ff02::1"].map(|it| it.parse().expect("one"));
    let mut message = [[134, 0, 0, 0, 64, 0, 0, 60], [0; 8]].concat();
    message.extend(b"\x1f\x02\0\0\0\0\0\x3c\x03lan\0\0\0\0");
    let pseudo_header = [0, message.len() as u8, 0, 58];
    let summed = [&from.octets()[..], &to.octets(), &pseudo_header, &message].concat();
    let words = summed
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum: u32 = words.sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = vec![0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd];
    frame.extend([0x60, 0, 0, 0, 0, message.len() as u8, 58, 255]);
    frame.extend([from.octets(), to.octets()].concat());
    frame.extend(message);
    world.send(frame);
    assert_eq!(domains(), ["lan"]);
}
