use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

use bytes::BytesMut;
use miou_rs::{Deadlock, EventSource, Instant};
use solo5_ffi::Handle;

use super::{Port, Solo5};
use crate::{
    busy_poll::BusyPoll,
    fake::{FakeNet, Lane, Machine},
};

/// How often a waker was called.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn waker() -> (Arc<Count>, Waker) {
    let count = Arc::<Count>::default();
    (count.clone(), count.into())
}

/// A machine, its event source, and a device that is watched.
struct World {
    machine: Machine,
    source: Solo5<Machine>,
    port: Rc<Port<FakeNet>>,
    lane: Rc<RefCell<Lane>>,
}

fn world() -> World {
    let machine = Machine::default();
    let source = Solo5::new(machine.clone());
    let [net, _] = machine.wire(false);
    let lane = net.here.clone();
    let port = source.add(net);
    World {
        machine,
        source,
        port,
        lane,
    }
}

#[test]
fn a_frame_that_was_read_ahead_is_the_next_one_and_costs_no_further_call() {
    let world = world();
    let mut buffer = BytesMut::zeroed(1514);
    for octet in 1..=3 {
        world.machine.arrive(&world.lane, 0, vec![octet; 60]);
    }
    assert!(world.port.is_readable());
    let before = world.machine.reads();
    assert!(
        world.port.is_readable(),
        "one frame is read ahead, not more"
    );
    assert_eq!(world.port.read(&mut buffer), Ok(Some(60)));
    assert_eq!(world.machine.reads(), before);
    assert_eq!((buffer.len(), buffer[0]), (1514, 1));
    for octet in 2..=3 {
        assert_eq!(world.port.read(&mut buffer), Ok(Some(60)));
        assert_eq!(buffer[0], octet);
    }
    assert_eq!(world.port.read(&mut buffer), Ok(None));
    assert!(!world.port.is_readable());
}

#[test]
fn an_error_that_was_met_reading_ahead_is_reported_by_the_read() {
    let machine = Machine::default();
    let source = Solo5::new(machine.clone());
    let [net, _] = machine.wire(false);
    let break_device = net.breaker();
    let port = source.add(net);
    let (count, waker) = waker();
    port.wake_when_readable(&waker);
    break_device();
    assert_eq!(source.poll(), 1, "who waits is told of the end too");
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    let mut buffer = BytesMut::zeroed(1514);
    assert!(port.read(&mut buffer).is_err());
}

/// Waits for 1,000 frames that each come so many nanoseconds after the one before was handled; the
/// hypercalls that waited, and those that read.
fn wait_for_frames(busy_poll: BusyPoll, gap: u64) -> (u64, u64) {
    let world = world();
    world.source.set_busy_poll(busy_poll);
    let mut buffer = BytesMut::zeroed(1514);
    let (count, waker) = waker();
    for _ in 0..1000 {
        world.machine.arrive(&world.lane, gap, vec![0; 60]);
        world.port.wake_when_readable(&waker);
        while world.source.wait(None).expect("a device") == 0 {}
        assert_eq!(world.port.read(&mut buffer), Ok(Some(60)));
    }
    assert_eq!(count.0.load(Ordering::Relaxed), 1000);
    (world.machine.yields(), world.machine.reads())
}

#[test]
fn frames_that_follow_each_other_closely_are_polled_for() {
    let (yields, _) = wait_for_frames(BusyPoll::default(), 15_000);
    assert!(yields < 50, "{yields} of 1000 waits blocked");
    let (yields, reads) = wait_for_frames(BusyPoll::OFF, 15_000);
    assert_eq!(yields, 1000);
    assert!(
        reads <= 2000,
        "{reads}: one to read, and one in vain at most"
    );
}

#[test]
fn rare_frames_are_not_polled_for() {
    let (yields, reads) = wait_for_frames(BusyPoll::default(), 10_000_000);
    assert_eq!(yields, 1000);
    assert!(reads <= 3000, "{reads} reads");
}

#[test]
fn only_devices_that_somebody_waits_for_end_a_wait() {
    let world = world();
    let [unread, _] = world.machine.wire(false);
    let lane = unread.here.clone();
    let unread = world.source.add(unread);
    for _ in 0..100 {
        world.machine.arrive(&lane, 0, vec![0; 60]);
    }
    world.machine.arrive(&world.lane, 5_000_000, vec![0; 60]);
    let (count, waker) = waker();
    world.port.wake_when_readable(&waker);
    assert_eq!(world.source.wait(None), Ok(1));
    assert!(world.machine.now() >= 5_000_000);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    // Of two that are waited for each wakes its own.
    let (other_count, other) = self::waker();
    unread.wake_when_readable(&other);
    world.port.wake_when_readable(&waker);
    assert_eq!(world.source.poll(), 2);
    let counts = [&count, &other_count].map(|count| count.0.load(Ordering::Relaxed));
    assert_eq!(counts, [2, 1]);
}

#[test]
fn a_wait_ends_with_its_deadline_and_is_refused_when_nothing_can_end_it() {
    let world = world();
    let deadline = Instant::from_nanos(7_000_000);
    assert_eq!(world.source.wait(Some(deadline)), Ok(0));
    assert!(world.machine.now() >= 7_000_000);
    assert_eq!(world.source.wait(None), Err(Deadlock));
    let (_, waker) = waker();
    world.port.wake_when_readable(&waker);
    let deadline = Instant::from_nanos(9_000_000);
    assert_eq!(world.source.wait(Some(deadline)), Ok(0));
    drop(world.port);
    assert_eq!(
        world.source.wait(None),
        Err(Deadlock),
        "its device has gone"
    );
}

#[test]
fn a_waker_is_replaced_and_called_once() {
    let world = world();
    let ((first, one), (second, two)) = (waker(), waker());
    world.port.wake_when_readable(&one);
    world.port.wake_when_readable(&two);
    world.machine.arrive(&world.lane, 0, vec![0; 60]);
    assert_eq!((world.source.poll(), world.source.poll()), (1, 0));
    let counts = [first, second].map(|count| count.0.load(Ordering::Relaxed));
    assert_eq!(counts, [0, 1]);
}

#[test]
fn the_end_of_a_flush_wakes_all_who_wait_for_it_and_ends_a_wait() {
    let world = world();
    let (flushes, disk) = (&world.source.flushes, Handle::new(9).unwrap());
    let ((first, one), (second, two)) = (waker(), waker());
    let (third, other) = waker();
    for waker in [&one, &two, &one] {
        flushes.wake_at_end(disk, waker);
    }
    flushes.wake_at_end(Handle::new(10).unwrap(), &other);
    let woken = || [&first, &second, &third].map(|count| count.0.load(Ordering::Relaxed));
    world.machine.flush_ends_after(disk, 3_000_000);
    assert_eq!(world.source.poll(), 0);
    assert_eq!(
        world.source.wait(Some(Instant::from_nanos(1_000_000))),
        Ok(0)
    );
    assert_eq!(woken(), [0, 0, 0]);
    assert_eq!(world.source.wait(None), Ok(2));
    assert!((3_000_000..4_000_000).contains(&world.machine.now()));
    assert_eq!(woken(), [1, 1, 0]);
    // Who is woken has to ask again.
    assert_eq!(world.source.poll(), 0);
    flushes.wake_at_end(disk, &one);
    assert_eq!(world.source.poll(), 1, "a look is enough");
    assert_eq!(woken(), [2, 1, 0]);
}

/// The device tells of the end once, perhaps to a task that it does not have to wake for that.
#[test]
fn who_waits_for_a_flush_is_woken_also_if_another_was_told_of_its_end() {
    let world = world();
    let (flushes, disk) = (&world.source.flushes, Handle::new(9).unwrap());
    let (count, waker) = waker();
    for round in 1..=3 {
        flushes.wake_at_end(disk, &waker);
        flushes.end(disk);
        assert_eq!(flushes.awaited(), []);
        match round {
            1 => assert_eq!(world.source.wait(None), Ok(1)),
            _ => assert_eq!(world.source.poll(), 1),
        }
        assert_eq!(count.0.load(Ordering::Relaxed), round);
    }
    assert_eq!(world.source.wait(None), Err(Deadlock));
}

#[test]
fn a_look_asks_once_for_each_device_however_many_wait() {
    let world = world();
    let [disk, other] = [9, 10].map(|handle| Handle::new(handle).unwrap());
    for _ in 0..100 {
        let (_, waker) = waker();
        world.source.flushes.wake_at_end(disk, &waker);
        world.source.flushes.wake_at_end(other, &waker);
    }
    assert_eq!(world.source.poll(), 0);
    assert_eq!(world.machine.flush_looks(), 2);
}
