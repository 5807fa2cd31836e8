use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use miou_rs::{
    Builder, HogReport, TaskState, VirtualClock, poll_waiting, running_tasks, sleep, spawn,
    spawn_named, stats, tasks, yield_now,
};

use crate::run;

#[test]
fn tasks_are_counted() {
    run(async {
        let ends = spawn(async {});
        let panics = spawn(async { panic!("on purpose") });
        let waits = spawn(sleep(Duration::from_secs(1)));
        let before = stats();
        assert_eq!((before.spawned, before.alive, before.ready), (4, 4, 3));
        yield_now().await;
        let after = stats();
        assert_eq!((after.alive, after.completed, after.panicked), (2, 2, 1));
        assert_eq!((after.timers, after.ready), (1, 0));
        // Main, the three, and main again.
        assert_eq!(after.polls - before.polls, 4);
        drop((ends, panics, waits));
        assert_eq!(stats().cancelled, 1);
    });
}

#[test]
fn events_and_ticks_are_counted() {
    run(async {
        let before = stats();
        for _ in 0..5 {
            sleep(Duration::from_millis(1)).await;
        }
        let after = stats();
        assert_eq!(after.events - before.events, 5);
        assert!(after.ticks - before.ticks >= 5);
    });
}

#[test]
fn tasks_are_listed_with_name_place_and_state() {
    run(async {
        let line = line!() + 1;
        let _waits = spawn_named("waits", pending::<()>());
        yield_now().await;
        let _ready = spawn_named(String::from("ready"), pending::<()>());
        let _nameless = spawn(pending::<()>());
        let list = tasks();
        let found = |name| {
            list.iter()
                .find(|task| task.name.as_deref() == name)
                .unwrap_or_else(|| panic!("no {name:?} in {list:?}"))
        };
        assert_eq!(list.len(), 4);
        assert_eq!(found(Some("waits")).state, TaskState::Waiting);
        assert_eq!(found(Some("waits")).location.line(), line);
        assert!(
            found(Some("waits"))
                .location
                .file()
                .ends_with("inspection.rs")
        );
        assert_eq!(found(Some("ready")).state, TaskState::Ready);
        assert_eq!(found(Some("main")).state, TaskState::Running);
        assert_eq!(found(None).state, TaskState::Ready);
    });
}

#[test]
fn what_tasks_wait_for_clones_the_waker_of_who_asks() {
    struct Asks;
    impl Wake for Asks {
        fn wake(self: Arc<Self>) {}
    }
    run(async {
        let kept = Rc::new(RefCell::new(Vec::<Waker>::new()));
        let place = kept.clone();
        let keeps = spawn_named(
            "keeps",
            poll_fn(move |context| {
                place.borrow_mut().push(context.waker().clone());
                Poll::<()>::Pending
            }),
        );
        let awaits = spawn_named("awaits", keeps);
        let ends = Rc::new(RefCell::new(false));
        let wanted = ends.clone();
        let doomed = spawn_named("doomed", pending::<()>());
        let mut doomed = Some(doomed);
        let ender = spawn_named(
            "ender",
            poll_fn(move |_| match *wanted.borrow() {
                true => {
                    // Whichever is asked first: the other may have gone.
                    doomed.take();
                    Poll::Ready(7)
                }
                false => Poll::Pending,
            }),
        );
        let _ready = spawn_named("ready", async {});
        yield_now().await;
        let _scheduled = spawn_named("scheduled", pending::<()>());
        *ends.borrow_mut() = true;
        let asks = Arc::new(Asks);
        let waker = Waker::from(asks.clone());
        let before = Arc::strong_count(&asks);
        let mut asked = Vec::new();
        poll_waiting(&waker, |task| {
            asked.extend(task.name.clone());
            task.name.as_deref() != Some("awaits")
        });
        asked.retain(|name| name != "doomed");
        asked.sort();
        assert_eq!(asked, ["awaits", "ender", "keeps"]);
        // The one that keeps it.
        assert_eq!(Arc::strong_count(&asks), before + 1);
        assert_eq!(ender.await.expect("a value"), 7);
        poll_waiting(&waker, |task| task.name.as_deref() == Some("awaits"));
        assert_eq!(Arc::strong_count(&asks), before + 2);
        let polls = Rc::new(Cell::new(0));
        let counted = polls.clone();
        let mut doomed = Some(spawn_named(
            "asked about",
            poll_fn(move |_| {
                counted.set(counted.get() + 1);
                Poll::<()>::Pending
            }),
        ));
        yield_now().await;
        poll_waiting(&waker, |task| {
            let is_asked_about = task.name.as_deref() == Some("asked about");
            is_asked_about && doomed.take().is_some()
        });
        assert_eq!((polls.get(), doomed.is_none()), (1, true));
        drop(awaits);
        kept.borrow_mut().clear();
        assert_eq!(Arc::strong_count(&asks), before);
    });
}

#[test]
fn the_task_that_runs_is_named_where_a_panic_hook_asks() {
    struct Asks(Rc<RefCell<Vec<String>>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            let tasks = running_tasks().into_iter();
            let names = tasks.filter_map(|task| task.name);
            self.0.borrow_mut().extend(names.map(Into::into));
        }
    }
    assert!(running_tasks().is_empty());
    let running = Rc::new(RefCell::default());
    let asks = Asks(running.clone());
    run(async move {
        let _waits = spawn_named("waits", pending::<()>());
        let dropped = spawn_named("dropped", async move {
            let _asks = asks;
            pending::<()>().await;
        });
        yield_now().await;
        let running = running_tasks();
        assert_eq!(running.len(), 1);
        assert_eq!(running[0].name.as_deref(), Some("main"));
        drop(dropped);
    });
    let mut names = running.take();
    names.sort();
    assert_eq!(names, ["dropped", "main"]);
}

#[test]
fn the_longest_poll_is_kept_with_its_place() {
    let clock = VirtualClock::new();
    Builder::new().run_with(clock.clone(), async {
        let line = line!() + 3;
        for micros in [3, 50, 7] {
            let clock = clock.clone();
            let computes = spawn(async move { clock.advance(Duration::from_micros(micros)) });
            computes.await.unwrap();
        }
        assert_eq!(stats().longest_poll, Duration::from_micros(50));
        assert_eq!(stats().longest_poll_location.unwrap().line(), line);
    });
}

#[test]
fn a_task_that_hogs_is_reported_each_time() {
    let clock = VirtualClock::new();
    let reports: Rc<RefCell<Vec<HogReport>>> = Rc::default();
    let builder = Builder::new().on_hog(Duration::from_millis(1), {
        let reports = reports.clone();
        move |report| reports.borrow_mut().push(report.clone())
    });
    let line = line!() + 2;
    builder.run_with(clock.clone(), async {
        let hog = spawn_named("hog", async move {
            for micros in [999, 1_000, 5_000, 10, 1_500] {
                clock.advance(Duration::from_micros(micros));
                yield_now().await;
            }
        });
        hog.await.unwrap();
        assert_eq!(stats().hogs, 3);
    });
    let reports = reports.take();
    let times: Vec<_> = reports
        .iter()
        .map(|report| report.took.as_micros())
        .collect();
    assert_eq!(times, [1_000, 5_000, 1_500]);
    for report in reports {
        assert_eq!(report.name.as_deref(), Some("hog"));
        assert_eq!(report.location.line(), line);
        assert!(report.to_string().contains("inspection.rs"), "{report}");
    }
}

#[test]
fn who_is_told_of_a_hog_may_wake_it() {
    let clock = VirtualClock::new();
    let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
    let builder = Builder::new().on_hog(Duration::from_millis(1), {
        let waker = waker.clone();
        move |_| waker.take().unwrap().wake()
    });
    builder.run_with(clock.clone(), async move {
        let mut polled = false;
        let hog = spawn(poll_fn(move |context| {
            if polled {
                return Poll::Ready(());
            }
            polled = true;
            waker.replace(Some(context.waker().clone()));
            clock.advance(Duration::from_millis(2));
            Poll::Pending
        }));
        hog.await.unwrap();
        assert_eq!(stats().hogs, 1);
    });
}
