use std::{rc::Rc, time::Duration};

use miou_rs::{Builder, Instant, sleep, spawn, timeout, yield_now};
use netstack::{Config, TcpListener};

use super::{LOOKS, Shutdown};
use crate::{
    fake::{FakeNet, Machine},
    net::start_on,
    source::Solo5,
};

const SECOND: Duration = Duration::from_secs(1);

/// Runs `test` in virtual time, in a machine that can be asked to end.
fn run<F: Future>(test: impl FnOnce(Machine, Rc<Solo5<Machine>>, [FakeNet; 2]) -> F) {
    let machine = Machine::default();
    let source = Rc::new(Solo5::new(machine.clone()));
    source.end.expect(Machine::end_handle());
    let devices = machine.wire(false);
    Builder::new().run_with(source.clone(), test(machine, source, devices));
}

fn seconds(time: Instant) -> u64 {
    time.as_nanos() / 1_000_000_000
}

#[test]
fn the_end_wakes_all_who_wait_for_it_and_keeps_nobody_waiting_later() {
    run(async |machine, source, _| {
        machine.end_after(3_000_000_000);
        let task = spawn(Shutdown::new(source.clone()));
        Shutdown::new(source.clone()).await;
        task.await.expect("no panic");
        assert_eq!(seconds(Instant::now()), 3);
        Shutdown::new(source).await;
        assert_eq!(seconds(Instant::now()), 3);
    });
}

#[test]
fn a_service_that_waits_for_frames_is_told() {
    run(async |machine, source, [one, _]| {
        let config = Config::default().address("10.0.0.2/24".parse().expect("an address"));
        let stack = start_on(&source, one, config).expect("a stack");
        let listener = TcpListener::bind(&stack, ([0; 4], 7)).expect("a free port");
        let accept = spawn(async move { listener.accept().await.map(drop) });
        machine.end_after(3_000_000_000);
        Shutdown::new(source).await;
        assert_eq!(seconds(Instant::now()), 3);
        assert!(!accept.is_finished());
    });
}

#[test]
fn a_service_that_never_waits_is_told() {
    run(async |machine, source, [one, _]| {
        let config = Config::default().address("10.0.0.2/24".parse().expect("an address"));
        let _stack = start_on(&source, one, config).expect("a stack");
        machine.end_after(1);
        let shutdown = spawn(Shutdown::new(source));
        // As the clock stands still but for hypercalls, the scheduler looks each 1,024 polls.
        let mut polls = 0;
        while !shutdown.is_finished() {
            polls += 1;
            assert!(polls < 2048 * LOOKS, "not told");
            yield_now().await;
        }
    });
}

#[test]
fn whoever_has_given_up_is_not_woken() {
    run(async |machine, source, _| {
        for _ in 0..3 {
            let waited = timeout(SECOND, Shutdown::new(source.clone())).await;
            waited.expect_err("not yet");
        }
        assert_eq!(source.end.awaited(), None);
        machine.end_after(0);
        sleep(SECOND).await;
        Shutdown::new(source).await;
        assert_eq!(seconds(Instant::now()), 4);
    });
}

#[test]
#[should_panic(expected = "nothing to wait for")]
fn where_nobody_tells_waiting_for_the_end_alone_is_a_deadlock() {
    let source = Rc::new(Solo5::new(Machine::default()));
    Builder::new().run_with(source.clone(), Shutdown::new(source));
}
