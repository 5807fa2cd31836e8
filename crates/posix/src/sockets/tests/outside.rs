//! What sockets come to, by the stack.

use super::world::World;
use super::*;

const HERE: [u8; 4] = [10, 0, 0, 1];
const THERE: [u8; 4] = [10, 0, 0, 2];

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
