//! Names, connections and datagrams between sockets of one program.

mod rights;

use std::io::{IoSlice, IoSliceMut};

use libc::{EAFNOSUPPORT, EPERM};

use super::*;
use crate::error::Errno;
use crate::readiness::{HUP, READ, WRITE};
use crate::sockets::beside::Beside;
use crate::sockets::{Flags, Socket};

fn named(text: &str) -> Address {
    Address::Unix(text.as_bytes().into())
}

fn make(kind: c_int) -> Rc<dyn Description> {
    socket(kind, 0).expect("a socket")
}

fn bound(kind: c_int, name: &str) -> Rc<dyn Description> {
    let socket = make(kind);
    let outcome = socket.as_socket().expect("a socket").bind(&named(name));
    assert_eq!(outcome, Ok(()));
    socket
}

fn of(description: &Rc<dyn Description>) -> &dyn Socket {
    description.as_socket().expect("a socket")
}

fn send(socket: &Rc<dyn Description>, octets: &[u8], to: Option<&Address>) -> Result<usize> {
    of(socket).send(&[IoSlice::new(octets)], to, &mut Beside::default())
}

fn receive(socket: &Rc<dyn Description>) -> Result<(Vec<u8>, Option<Address>)> {
    let mut buffer = [0; 64];
    let received = of(socket).receive(&mut [IoSliceMut::new(&mut buffer)], Flags::default())?;
    Ok((buffer[..received.octets].to_vec(), received.from))
}

#[test]
fn streams_connect_by_path_and_by_names_of_their_own() {
    for name in ["/tmp/stream", "\0stream"] {
        let listener = bound(SOCK_STREAM, name);
        assert_eq!(of(&make(SOCK_STREAM)).bind(&named(name)), fail(EADDRINUSE));
        let client = make(SOCK_STREAM);
        assert_eq!(of(&client).connect(&named(name)), fail(ECONNREFUSED));
        of(&listener).listen(8).expect("it has a name");
        assert_eq!((listener.ready(), client.ready()), (0, WRITE | HUP));
        assert_eq!(of(&client).connect(&named(name)), Ok(()));
        assert_eq!((listener.ready(), client.ready()), (READ, WRITE));
        assert_eq!(of(&client).peer(), Ok(named(name)));
        assert_eq!(of(&client).local(), Ok(Address::Unnamed));
        let (server, peer) = of(&listener).accept().expect("a client");
        assert_eq!(peer, Address::Unnamed);
        assert_eq!(of(&server).local(), Ok(named(name)));
        assert_eq!(send(&client, b"hello", None), Ok(5));
        assert_eq!(receive(&server), Ok((b"hello".to_vec(), None)));
        drop(client);
        assert_eq!(receive(&server), Ok((Vec::new(), None)));
        drop((server, listener));
        let late = of(&make(SOCK_STREAM)).connect(&named(name));
        assert_eq!(late, fail(ECONNREFUSED));
    }
    let late = send(&make(SOCK_DGRAM), b"x", Some(&named("/tmp/stream")));
    assert_eq!(late, fail(ECONNREFUSED));
    let nowhere = of(&make(SOCK_STREAM)).connect(&named("/tmp/nowhere"));
    assert_eq!(nowhere, fail(libc::ENOENT));
}

#[test]
fn a_client_without_a_place_asks_again() {
    let listener = bound(SOCK_STREAM, "/tmp/full");
    of(&listener).listen(0).expect("it has a name");
    let clients = [0, 1].map(|_| make(SOCK_STREAM));
    let connect = |index: usize| of(&clients[index]).connect(&named("/tmp/full"));
    assert_eq!(connect(0), Ok(()));
    assert_eq!(connect(1), Err(Errno::AGAIN));
    of(&listener).accept().expect("a client");
    assert_eq!(connect(1), Ok(()));
    // What was not accepted ends with the listener.
    drop(listener);
    assert_eq!(send(&clients[1], b"lost", None), fail(libc::EPIPE));
}

#[test]
fn datagrams_have_borders_and_tell_who_sent_them() {
    let [one, other] = ["/tmp/one", "\0other"].map(|name| bound(SOCK_DGRAM, name));
    assert_eq!(send(&one, b"hello", Some(&named("\0other"))), Ok(5));
    assert_eq!(send(&one, b"", Some(&named("\0other"))), Ok(0));
    assert_eq!(
        receive(&other),
        Ok((b"hello".to_vec(), Some(named("/tmp/one"))))
    );
    assert_eq!(receive(&other), Ok((Vec::new(), Some(named("/tmp/one")))));
    assert_eq!(receive(&other), Err(Errno::AGAIN));
    assert_eq!(send(&one, b"x", None), fail(libc::ENOTCONN));
    assert_eq!(of(&one).connect(&named("\0other")), Ok(()));
    assert_eq!(of(&other).connect(&named("/tmp/one")), Ok(()));
    let stranger = send(&make(SOCK_DGRAM), b"x", Some(&named("/tmp/one")));
    assert_eq!(stranger, fail(EPERM));
    drop(other);
    assert_eq!(send(&one, b"x", None), fail(ECONNREFUSED));
    let stream = of(&make(SOCK_STREAM)).connect(&named("/tmp/one"));
    assert_eq!(stream, fail(libc::EPROTOTYPE));
}

#[test]
fn a_full_inbox_has_senders_wait() {
    let [one, other] = pair(SOCK_DGRAM, 0).expect("a pair");
    let mut sent = 0;
    while send(&one, b"datagram", None).is_ok() {
        sent += 1;
        assert!(sent < 10_000);
    }
    assert_eq!(send(&one, b"datagram", None), Err(Errno::AGAIN));
    assert_eq!((one.ready(), other.ready()), (0, READ | WRITE));
    receive(&other).expect("a datagram");
    assert_eq!(one.ready(), WRITE);
    let parts: [&[u8]; 3] = [b"of", b"", b" parts"];
    assert_eq!(
        of(&one).send(&parts.map(IoSlice::new), None, &mut Beside::default()),
        Ok(8)
    );
    for _ in 1..sent {
        receive(&other).expect("a datagram");
    }
    assert_eq!(receive(&other), Ok((b"of parts".to_vec(), None)));
    let long = send(&one, &vec![0; 1 << 20], None);
    assert_eq!(long, fail(libc::EMSGSIZE));
}

#[test]
fn of_many_writes_all_is_read() {
    let [one, other] = pair(SOCK_STREAM, 0).expect("a pair");
    for _ in 0..1_000 {
        assert_eq!(send(&one, b"x", None), Ok(1));
    }
    let mut octets = 0;
    while let Ok((read, _)) = receive(&other) {
        octets += read.len();
    }
    assert_eq!((octets, one.ready(), other.ready()), (1_000, WRITE, WRITE));
}

#[test]
fn addresses_of_other_kinds_are_refused() {
    let nothing = Address::read(&[]);
    assert_eq!(nothing, fail(EINVAL));
    let family = (AF_UNIX as u16).to_ne_bytes();
    assert_eq!(Address::read(&family), Ok(Address::Unnamed));
    let longest = [&family[..], &[b'a'; 108]].concat();
    assert_eq!(Address::read(&longest), Ok(named(&"a".repeat(108))));
    let too_long = [&family[..], &[b'a'; 109]].concat();
    assert_eq!(Address::read(&too_long), fail(EINVAL));
    let other = (libc::AF_NETLINK as u16).to_ne_bytes();
    assert_eq!(
        Address::read(&[&other[..], &[0; 20]].concat()),
        fail(EAFNOSUPPORT)
    );
    assert_eq!(of(&make(SOCK_DGRAM)).bind(&Address::Unnamed), fail(EINVAL));
}
