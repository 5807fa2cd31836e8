//! Many datagrams by one call.

use std::net::IpAddr;

use libc::{
    EINVAL, EMSGSIZE, ENETUNREACH, IP_PKTINFO, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP,
    IPV6_RECVPKTINFO, UDP_GRO, UDP_SEGMENT,
};

use super::outside::{HERE, THERE, bound};
use super::world::World;
use super::*;

fn set(socket: &Rc<dyn Description>, level: c_int, name: c_int, value: c_int) -> Result<()> {
    as_socket(socket).set_option(level, name, &value.to_ne_bytes())
}

fn send(
    socket: &Rc<dyn Description>,
    to: &Address,
    payload: &[u8],
    segment: Option<u16>,
) -> Result<usize> {
    let mut beside = Beside {
        segment,
        ..Beside::default()
    };
    as_socket(socket).send(&[IoSlice::new(payload)], Some(to), &mut beside)
}

/// Octets of what is received next, and of each datagram if there are several.
fn receive(socket: &Rc<dyn Description>, room: usize) -> Result<(usize, Option<usize>)> {
    let mut buffer = vec![0; room];
    let buffers = &mut [IoSliceMut::new(&mut buffer)];
    let received = as_socket(socket).receive(buffers, Flags::default())?;
    Ok((received.octets, received.segment))
}

/// What one sends, and the other receives: by the stack, and inside.
fn runs(world: &World, sender: &Rc<dyn Description>, to: &Address, receiver: &Rc<dyn Description>) {
    let payload: Vec<u8> = (0..3_500_u32).map(|number| number as u8).collect();
    assert_eq!(send(sender, to, &payload, Some(1000)), Ok(3500));
    world.settle();
    for octets in [1000, 1000, 1000, 500] {
        assert_eq!(receive(receiver, 64_000), Ok((octets, None)));
    }
    assert_eq!(receive(receiver, 64_000), Err(Errno::AGAIN));

    assert_eq!(set(receiver, IPPROTO_UDP, UDP_GRO, 1), Ok(()));
    // By the option, and shorter ones behind.
    assert_eq!(set(sender, IPPROTO_UDP, UDP_SEGMENT, 1000), Ok(()));
    assert_eq!(send(sender, to, &payload, None), Ok(3500));
    assert_eq!(send(sender, to, b"", None), Ok(0));
    assert_eq!(send(sender, to, b"short", None), Ok(5));
    assert_eq!(send(sender, to, &payload[..2500], Some(0)), Ok(2500));
    assert_eq!(set(sender, IPPROTO_UDP, UDP_SEGMENT, 0), Ok(()));
    world.settle();
    // As far as there is room.
    assert_eq!(receive(receiver, 2999), Ok((2000, Some(1000))));
    let mut buffer = vec![0; 64_000];
    let (head, tail) = buffer.split_at_mut(700);
    let buffers = &mut [head, tail].map(IoSliceMut::new);
    let received = as_socket(receiver).receive(buffers, Flags::default());
    let received = received.expect("a run");
    assert_eq!((received.octets, received.segment), (1500, Some(1000)));
    assert_eq!(buffer[..1500], payload[2000..]);
    assert_eq!(receive(receiver, 64_000), Ok((0, None)));
    assert_eq!(receive(receiver, 64_000), Ok((5, None)));
    assert_eq!(receive(receiver, 64_000), Ok((2500, None)));

    for _ in 0..65 {
        assert_eq!(send(sender, to, b"ten octets", None), Ok(10));
        world.settle();
    }
    assert_eq!(receive(receiver, 64_000), Ok((640, Some(10))));
    assert_eq!(receive(receiver, 64_000), Ok((10, None)));
    assert_eq!(send(sender, to, &payload[..128], Some(1)), Ok(128));
    assert_eq!(send(sender, to, &payload[..129], Some(1)), fail(EINVAL));
    assert_eq!(set(sender, IPPROTO_UDP, UDP_SEGMENT, -1), fail(EINVAL));
    assert_eq!(set(sender, IPPROTO_UDP, UDP_SEGMENT, 65_536), fail(EINVAL));
}

#[test]
fn runs_are_cut_and_joined_as_linux_does_it() {
    let world = World::new();
    let [here, there] = &world.networks;
    runs(
        &world,
        &bound(here, 7000),
        &on(THERE, 7001),
        &bound(there, 7001),
    );
    let to = on([127, 0, 0, 1], 7003);
    runs(&world, &bound(here, 7002), &to, &bound(here, 7003));
}

#[test]
fn a_datagram_of_a_run_that_does_not_fit_the_link_is_refused() {
    let world = World::new();
    let one = bound(&world.networks[0], 7000);
    let mtu = world.networks[0].stack().expect("a stack").mtu();
    let most = mtu - 28;
    let try_to = |octets, segment: usize| {
        let segment = Some(segment as u16);
        send(&one, &on(THERE, 7001), &vec![0; octets], segment)
    };
    assert_eq!(try_to(3 * most, most), Ok(3 * most));
    assert_eq!(try_to(most, most + 1), Ok(most));
    assert_eq!(try_to(most + 1, most + 1), fail(EMSGSIZE));
    assert_eq!(try_to(3 * most, most + 1), fail(EMSGSIZE));
}

#[test]
fn where_a_datagram_was_sent_to_is_told_and_where_it_comes_from_is_chosen() {
    let world = World::new();
    let [here, there] = &world.networks;
    let (sender, six) = (bound(there, 7000), internet(here, AF_INET6, SOCK_DGRAM, 0));
    let (four, six) = (bound(here, 7001), six.expect("a socket"));
    as_socket(&six).bind(&on6(7002)).expect("free");
    assert_eq!(set(&four, IPPROTO_IP, IP_PKTINFO, 1), Ok(()));
    assert_eq!(set(&six, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1), Ok(()));
    let told = |socket: &Rc<dyn Description>| {
        let received = as_socket(socket).receive(&mut [], Flags::default());
        received.expect("a datagram").to
    };
    for (socket, port) in [(&four, 7001), (&six, 7002)] {
        assert_eq!(send(&sender, &on(HERE, port), b"x", None), Ok(1));
        world.settle();
        let expected = told(socket).map(|to| to.to_canonical());
        assert_eq!(expected, Some(IpAddr::from(HERE)));
    }
    let from = |source: [u8; 4]| {
        let mut beside = Beside {
            source: Some(source.into()),
            ..Beside::default()
        };
        let to = on([127, 0, 0, 1], 7001);
        as_socket(&four).send(&[IoSlice::new(b"x")], Some(&to), &mut beside)
    };
    assert_eq!(from(HERE), Ok(1));
    let received = as_socket(&four).receive(&mut [], Flags::default());
    assert_eq!(received.expect("a datagram").from, Some(on(HERE, 7001)));
    assert_eq!(from(THERE), fail(ENETUNREACH));
}

fn on6(port: u16) -> Address {
    Address::Internet((std::net::Ipv6Addr::UNSPECIFIED, port).into())
}
