use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use hyper::rt::{Executor as _, Timer as _};
use miou_rs::hyper::{Executor, Timer};
use miou_rs::{Builder, Instant, VirtualClock, sleep, yield_now};

use crate::run;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_is_executed_runs_and_is_forgotten_when_it_ends() {
    run(async {
        let executor = Executor::default();
        let count = Rc::new(Cell::new(0));
        for _ in 0..3 {
            let count = count.clone();
            executor.execute(async move { count.set(count.get() + 1) });
        }
        assert_eq!(executor.len(), 3);
        yield_now().await;
        assert_eq!(count.get(), 3);
        assert!(executor.is_empty());
    });
}

#[test]
fn tasks_end_with_the_last_clone_of_their_executor() {
    run(async {
        let executor = Executor::default();
        let held = Rc::new(());
        let holds = held.clone();
        executor.clone().execute(async move {
            sleep(SECOND).await;
            drop(holds);
        });
        yield_now().await;
        assert_eq!(Rc::strong_count(&held), 2);
        drop(executor);
        assert_eq!(Rc::strong_count(&held), 1);
    });
}

#[test]
fn a_task_that_panics_ends_alone() {
    run(async {
        let executor = Executor::default();
        executor.execute(async { panic!("on purpose") });
        executor.execute(sleep(SECOND));
        yield_now().await;
        assert_eq!(executor.len(), 1);
    });
}

#[test]
fn a_timer_is_the_schedulers() {
    run(async {
        let timer = Timer::new();
        let (start, standard) = (Instant::now(), timer.now());
        timer.sleep(SECOND).await;
        assert_eq!(Instant::now() - start, SECOND);
        assert_eq!(timer.now() - standard, SECOND);
        timer.sleep_until(standard + 3 * SECOND).await;
        assert_eq!(Instant::now() - start, 3 * SECOND);
    });
}

#[test]
fn a_sleep_is_set_anew() {
    run(async {
        let timer = Timer::new();
        let start = Instant::now();
        let mut sleep = timer.sleep(SECOND);
        timer.reset(&mut sleep, timer.now() + 5 * SECOND);
        sleep.await;
        assert_eq!(Instant::now() - start, 5 * SECOND);
    });
}

#[test]
fn a_sleep_goes_on_under_the_scheduler_of_another_thread() {
    run(async {
        let mut pending = Timer::new().sleep(SECOND);
        let waited = std::future::poll_fn(|context| {
            assert!(pending.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        });
        waited.await;
        let there = thread::spawn(move || {
            Builder::new().run_with(VirtualClock::new(), async {
                let start = Instant::now();
                pending.await;
                Instant::now() - start
            })
        });
        assert_eq!(there.join().expect("no panic"), SECOND);
    });
}
