use crate::driver::{Driver, DriverRef, Room};
use crate::proto::Instant;
use crate::proto::account::Kind;
use crate::proto::dns::Cached;
use crate::proto::ip::Family;
use crate::proto::link::ethernet::MacAddr;
use crate::{Config, FrameDevice, Received, Resolver, Stack, Timer};
use bytes::BytesMut;
use std::io;
use std::net::Ipv4Addr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A link on which nobody else is.
struct Silence;

impl FrameDevice for Silence {
    fn mtu(&self) -> usize {
        1500
    }

    fn mac(&self) -> MacAddr {
        MacAddr([2, 0, 0, 0, 0, 9])
    }

    fn try_read(&mut self, _: &mut BytesMut) -> io::Result<Option<Received>> {
        Ok(None)
    }

    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Timer for Silence {
    fn now(&self) -> Instant {
        Instant::from_nanos(0)
    }

    fn poll_until(&mut self, _: &mut Context<'_>, _: Instant) -> Poll<()> {
        Poll::Pending
    }
}

fn stack() -> Stack {
    let (stack, _) = Stack::new(Silence, Silence, Config::default()).expect("a stack");
    stack
}

fn charged(driver: &DriverRef) -> usize {
    driver.with(|driver| driver.tcp().account().used_by(Kind::Names))
}

fn remember(driver: &mut Driver, resolver: usize) {
    for n in 0..10 {
        let addresses = Cached::Addresses(vec![Ipv4Addr::LOCALHOST.into(); 7]);
        let (name, hour) = (format!("{n}.example"), Duration::from_secs(3600));
        driver.remember(resolver, (&name, Family::V4), &addresses, hour);
    }
}

#[test]
fn what_resolvers_remember_is_charged_until_they_go() {
    let stack = stack();
    let driver = &stack.driver;
    let resolvers = [(); 2].map(|()| Resolver::new(&stack, []));
    let empty = charged(driver);
    driver.with(|driver| {
        for resolver in 0..2 {
            remember(driver, resolver);
            assert!(driver.recall(resolver, ("7.EXAMPLE", Family::V4)).is_some());
        }
    });
    // A name of nine letters, seven addresses and a place in a table each.
    let least = 20 * (9 + 7 * 4 + 32);
    assert!(charged(driver) >= empty + least, "{}", charged(driver));
    let held = driver.with(|driver| driver.held_by_names());
    assert_eq!(charged(driver), held);
    drop(resolvers);
    assert_eq!(charged(driver), 0);
}

#[test]
fn under_pressure_resolvers_forget_and_nothing_new_is_remembered() {
    let stack = stack();
    let driver = &stack.driver;
    let resolver = Resolver::new(&stack, []);
    let empty = charged(driver);
    let left = driver.with(|driver| {
        remember(driver, 0);
        let account = driver.tcp().account();
        let left = account.left_at_ease();
        account.charge(Kind::SendQueues, left);
        left
    });
    assert!(charged(driver) > empty);
    driver.with(|driver| {
        driver
            .turn(&mut Context::from_waker(Waker::noop()))
            .expect("a turn")
    });
    assert_eq!(charged(driver), empty);
    driver.with(|driver| {
        assert_eq!(driver.recall(0, ("7.example", Family::V4)), None);
        let account = driver.tcp().account();
        let left = account.left_at_ease();
        account.charge(Kind::SendQueues, left);
        remember(driver, 0);
        assert_eq!(driver.recall(0, ("7.example", Family::V4)), None);
        let account = driver.tcp().account();
        account.release(Kind::SendQueues, account.used_by(Kind::SendQueues));
        remember(driver, 0);
        assert!(driver.recall(0, ("7.example", Family::V4)).is_some());
    });
    assert!(left > 0);
    drop(resolver);
}

#[test]
fn an_answer_that_is_arriving_is_charged_and_refused_where_there_is_no_room() {
    let stack = stack();
    let driver = &stack.driver;
    let room = Room::new(driver, 65_535).expect("room");
    assert!(charged(driver) >= 65_535);
    drop(room);
    assert_eq!(charged(driver), 0);
    driver.with(|driver| {
        let account = driver.tcp().account();
        let left = account.left();
        account.charge(Kind::SendQueues, left);
    });
    let error = Room::new(driver, 512).map(|_| ()).expect_err("none");
    assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
    assert_eq!(charged(driver), 0);
}
