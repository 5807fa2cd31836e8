use std::{
    cell::Cell,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    rc::Rc,
    time::Duration,
};

use miou_rs::{Builder, sleep, spawn};
use netstack::{Config, Ipv6, Stack, TcpListener, TcpStream, UdpSocket};

use super::start_on;
use crate::{
    fake::{FakeNet, Machine},
    source::Solo5,
};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const SECOND: Duration = Duration::from_secs(1);

/// Runs `test` in virtual time, with two devices on one wire.
fn run<F: Future>(offload: bool, test: impl FnOnce(Rc<Solo5<Machine>>, [FakeNet; 2]) -> F) {
    let machine = Machine::default();
    let source = Rc::new(Solo5::new(machine.clone()));
    let devices = machine.wire(offload);
    Builder::new().run_with(source.clone(), test(source, devices));
}

fn stack(source: &Solo5<Machine>, device: FakeNet, host: u8) -> Stack {
    let address = format!("10.0.0.{host}/24").parse().expect("an address");
    let config = Config::default().address(address).seed([host; 32]);
    start_on(source, device, config).expect("a stack")
}

/// A stack that speaks IPv6 too.
fn dual_stack(source: &Solo5<Machine>, device: FakeNet, host: u8) -> Stack {
    let address = format!("fd00::{host}/64").parse().expect("an address");
    let config = Config::default()
        .ipv6(Ipv6::default().dad_transmits(0).accept_ra(false))
        .address(address)
        .seed([host; 32]);
    start_on(source, device, config).expect("a stack")
}

async fn echo(listener: TcpListener) -> usize {
    let (stream, _) = listener.accept().await.expect("a connection");
    let mut echoed = 0;
    while let Some(chunk) = stream.read_chunk(usize::MAX).await.expect("there") {
        echoed += chunk.len();
        stream.write_chunk(chunk).await.expect("sent");
    }
    stream.shutdown().expect("ended");
    stream.flushed().await.expect("acknowledged");
    echoed
}

/// Sends `octets` and counts what comes back.
async fn ask(stack: &Stack, octets: usize) -> usize {
    ask_at(stack, SERVER.into(), octets).await
}

async fn ask_at(stack: &Stack, server: IpAddr, octets: usize) -> usize {
    let stream = TcpStream::connect(stack, (server, 7)).await;
    let mut stream = stream.expect("connected");
    let (mut reader, mut writer) = stream.split();
    let write = async {
        writer.write_all(&vec![7; octets]).await.expect("sent");
        writer.shutdown().expect("ended");
    };
    let read = async {
        let mut received = 0;
        while let Some(chunk) = reader.read_chunk(usize::MAX).await.expect("there") {
            received += chunk.len();
        }
        received
    };
    futures_lite::future::zip(write, read).await.1
}

#[test]
fn two_devices_each_have_a_stack_in_one_program() {
    run(false, async |source, [one, other]| {
        let (client, server) = (stack(&source, one, 1), stack(&source, other, 2));
        let listener = TcpListener::bind(&server, (SERVER, 7)).expect("a free port");
        let echoed = spawn(echo(listener));
        assert_eq!(ask(&client, 300_000).await, 300_000);
        assert_eq!(echoed.await.expect("an end"), 300_000);
    });
}

#[test]
fn a_device_with_offload_is_given_runs_of_segments_and_gives_them() {
    run(true, async |source, [one, other]| {
        let lane = one.here.clone();
        let (client, server) = (stack(&source, one, 1), stack(&source, other, 2));
        let listener = TcpListener::bind(&server, (SERVER, 7)).expect("a free port");
        let echoed = spawn(echo(listener));
        assert_eq!(ask(&client, 300_000).await, 300_000);
        assert_eq!(echoed.await.expect("an end"), 300_000);
        let longest = lane.borrow().longest;
        assert!(longest > 10_000, "{longest} octets");
    });
}

#[test]
fn runs_over_ipv6_are_given_to_a_device_that_takes_these_too() {
    for offload_v6 in [false, true] {
        run(true, async |source, [mut one, mut other]| {
            let lane = one.here.clone();
            one.offload_v6 = offload_v6;
            other.offload_v6 = offload_v6;
            let (client, server) = (dual_stack(&source, one, 1), dual_stack(&source, other, 2));
            let address = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
            let listener = TcpListener::bind(&server, (address, 7)).expect("a free port");
            let echoed = spawn(echo(listener));
            assert_eq!(ask_at(&client, address.into(), 300_000).await, 300_000);
            assert_eq!(echoed.await.expect("an end"), 300_000);
            let longest = lane.borrow().longest;
            // More than the MTU, Ethernet's header and the one that asks for nothing.
            assert_eq!(longest > 1500 + 14 + 10, offload_v6, "{longest} octets");
        });
    }
}

#[test]
fn datagrams_of_one_call_are_given_to_a_device_that_takes_them_as_one() {
    for (offload_udp, ipv6) in [(false, false), (true, false), (true, true)] {
        run(true, async |source, [mut one, mut other]| {
            let lane = one.here.clone();
            one.offload_udp = offload_udp;
            other.offload_udp = offload_udp;
            let (client, server) = (dual_stack(&source, one, 1), dual_stack(&source, other, 2));
            let to: IpAddr = match ipv6 {
                false => SERVER.into(),
                true => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2).into(),
            };
            for (stack, host) in [(&client, 1), (&server, 2)] {
                stack.add_address(format!("10.0.0.{host}/24").parse().expect("an address"));
            }
            let service = UdpSocket::bind(&server, (to, 7)).expect("a free port");
            let socket = UdpSocket::bind(&client, (Ipv6Addr::UNSPECIFIED, 0)).expect("a free port");
            // Both learn of the other before what would have to wait for it.
            socket.send_to(b"first", (to, 7)).expect("a route");
            let first = service.recv_datagram().await.expect("a datagram");
            service.send_to(b"first", first.source).expect("a route");
            socket.recv_datagram().await.expect("a datagram");
            let payload: Vec<u8> = (0..20_500_u16).map(|at| (at ^ at >> 8) as u8).collect();
            service
                .send_segments_to(&payload, 1000, first.source)
                .expect("a route");
            for part in payload.chunks(1000) {
                let datagram = socket.recv_datagram().await.expect("a datagram");
                assert_eq!(datagram.payload, part);
            }
            let longest = lane.borrow().longest;
            assert_eq!(longest > 20_000, offload_udp, "{longest} octets");
        });
    }
}

#[test]
fn a_stack_whose_first_handle_was_dropped_goes_on() {
    run(false, async |source, [one, other]| {
        let client = stack(&source, one, 1);
        // No handle is left of the other stack but what the listener has, and then the stream.
        let server = stack(&source, other, 2).clone();
        let listener = TcpListener::bind(&server, (SERVER, 7)).expect("a free port");
        drop(server);
        sleep(SECOND).await;
        let echoed = spawn(echo(listener));
        assert_eq!(ask(&client, 1000).await, 1000);
        assert_eq!(echoed.await.expect("an end"), 1000);
    });
}

#[test]
fn the_device_is_let_go_with_the_last_handle() {
    run(false, async |source, [one, other]| {
        let is_held = other.watch();
        let _client = stack(&source, one, 1);
        let server = stack(&source, other, 2);
        let listener = TcpListener::bind(&server, (SERVER, 7)).expect("a free port");
        sleep(SECOND).await;
        drop(server);
        sleep(SECOND).await;
        assert!(is_held(), "by the listener");
        drop(listener);
        sleep(SECOND).await;
        assert!(!is_held());
    });
}

#[test]
fn a_stack_may_outlive_the_scheduler() {
    let kept = Rc::new(Cell::new(None));
    let keep = kept.clone();
    run(false, async move |source, [one, _]| {
        let stack = stack(&source, one, 1);
        sleep(SECOND).await;
        keep.set(Some(stack));
    });
    let stack = kept.take().expect("kept");
    let listener = TcpListener::bind(&stack, ([0; 4], 7)).expect("a free port");
    let mut accept = Box::pin(listener.accept());
    let ended = futures_lite::future::block_on(&mut accept).map(drop);
    assert_eq!(ended.expect_err("an end").kind(), ErrorKind::NetworkDown);
}

#[test]
fn a_device_that_breaks_ends_its_stack_and_no_other() {
    run(false, async |source, [one, other]| {
        let break_device = one.breaker();
        let (client, server) = (stack(&source, one, 1), stack(&source, other, 2));
        let listener = TcpListener::bind(&client, ([10, 0, 0, 1], 7)).expect("a free port");
        let accept = spawn(async move { listener.accept().await.map(drop) });
        let of_clone = client.clone();
        let failure = spawn(async move { of_clone.failure().await });
        sleep(SECOND).await;
        assert!(!failure.is_finished());
        break_device();
        // A frame has the device looked at.
        let ping = server.ping([10, 0, 0, 1], SECOND).await;
        assert_eq!(ping.expect_err("nobody").kind(), ErrorKind::TimedOut);
        let failure = failure.await.expect("an end");
        assert!(failure.to_string().contains("network I/O"), "{failure}");
        let accepted = accept.await.expect("an end");
        assert_eq!(accepted.expect_err("broken").kind(), failure.kind());
        let connected = TcpStream::connect(&client, (SERVER, 7)).await.map(drop);
        assert_eq!(connected.expect_err("broken").kind(), failure.kind());
        server
            .ping(SERVER, SECOND)
            .await
            .expect("the other goes on");
    });
}
