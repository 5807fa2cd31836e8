use std::cell::RefCell;
use std::panic;
use std::sync::{Mutex, PoisonError};

use ::log::Log;
use miou_rs::{Builder, VirtualClock, spawn, spawn_named};
use tracing_core::{Dispatch, dispatcher};

use super::line::Line;
use super::subscriber::Console;
use super::{Filter, LOGGER, filter_among, init_with, panics};

/// There is one panic hook for all tests.
static HOOK: Mutex<()> = Mutex::new(());

thread_local! {
    static WRITTEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn write(line: Line) {
    line.finish(1_234_567_891, |octets| {
        let text = String::from_utf8(octets.to_vec()).expect("text");
        WRITTEN.with_borrow_mut(|written| written.push(text));
    });
}

/// The lines that `events` make, without their time.
fn written(filter: &str, events: impl FnOnce()) -> Vec<String> {
    let console = Console::new(filter.parse().expect("a filter"), write);
    dispatcher::with_default(&Dispatch::new(console), events);
    let lines = WRITTEN.take().into_iter();
    lines
        .map(|line| {
            let rest = line.strip_prefix("[    1.234567] ").expect("a time");
            rest.strip_suffix('\n').expect("an end").to_owned()
        })
        .collect()
}

#[test]
fn an_event_is_a_line_with_level_target_message_and_fields() {
    let lines = written("info", || {
        tracing::warn!(target: "shop", number = 12, article = "tea", "no such {}", "article");
        tracing::error!(target: "shop::orders", error = %"lost", value = ?Some(1));
    });
    assert_eq!(
        lines,
        [
            "WARN  shop: no such article number=12 article=\"tea\"",
            "ERROR shop::orders:  error=lost value=Some(1)"
        ]
    );
}

#[test]
fn the_filter_says_which_events_are_written() {
    let lines = written("warn,shop=debug,shop::orders=off", || {
        tracing::info!(target: "other", "1");
        tracing::warn!(target: "other", "2");
        tracing::debug!(target: "shop", "3");
        tracing::trace!(target: "shop", "4");
        tracing::debug!(target: "shop::cart", "5");
        tracing::debug!(target: "shopping", "6");
        tracing::error!(target: "shop::orders", "7");
        tracing::error!(target: "shop::orders::sent", "8");
    });
    assert_eq!(
        lines,
        ["WARN  other: 2", "DEBUG shop: 3", "DEBUG shop::cart: 5"]
    );
}

#[test]
fn a_line_has_the_spans_that_it_happened_in() {
    let lines = written("trace", || {
        let outer = tracing::info_span!("outer", id = 7, late = tracing::field::Empty);
        let entered = outer.enter();
        let inner = tracing::debug_span!("inner");
        tracing::info!(target: "t", "between");
        outer.record("late", "yes");
        inner.in_scope(|| tracing::info!(target: "t", "within"));
        drop(entered);
        tracing::info!(target: "t", parent: &inner, "by name");
        let handle = outer.clone();
        drop(outer);
        handle.in_scope(|| tracing::info!(target: "t", "still there"));
        tracing::info!(target: "t", "outside");
    });
    assert_eq!(
        lines,
        [
            "INFO  t: outer{id=7}: between",
            "INFO  t: outer{id=7 late=\"yes\"}: inner: within",
            "INFO  t: outer{id=7 late=\"yes\"}: inner: by name",
            "INFO  t: outer{id=7 late=\"yes\"}: still there",
            "INFO  t: outside"
        ]
    );
}

#[test]
fn a_span_that_is_left_before_one_within_it_is_left() {
    let lines = written("trace", || {
        let [first, second] = [tracing::info_span!("first"), tracing::info_span!("second")];
        let entered = first.clone().entered();
        let _second = second.clone().entered();
        drop(entered);
        tracing::info!(target: "t", "here");
    });
    assert_eq!(lines, ["INFO  t: second: here"]);
}

#[test]
fn the_current_span_is_the_innermost() {
    let lines = written("trace", || {
        let _outer = tracing::info_span!("outer").entered();
        let current = tracing::Span::current();
        assert_eq!(
            current.metadata().map(|metadata| metadata.name()),
            Some("outer")
        );
        tracing::info!(target: "t", parent: &current, "here");
    });
    assert_eq!(lines, ["INFO  t: outer: here"]);
}

#[test]
fn a_span_keeps_a_bounded_text() {
    let lines = written("trace", || {
        let long = "x".repeat(400);
        let span = tracing::info_span!("span", first = long, second = long, third = 3);
        let _span = span.entered();
        tracing::info!(target: "t", "here");
    });
    let expected = format!("INFO  t: span{{first={:?} third=3}}: here", "x".repeat(400));
    assert_eq!(lines, [expected]);
}

#[test]
fn text_from_outside_makes_no_line_of_its_own() {
    let lines = written("info", || {
        tracing::info!(target: "t", "a\n[    0.000000] ERROR forged\u{1b}[2J\u{9b}é\t");
    });
    let expected = "INFO  t: a\\n[    0.000000] ERROR forged\\u{1b}[2J\\u{9b}é\t";
    assert_eq!(lines, [expected]);
}

#[test]
fn of_a_long_line_the_first_4096_octets_are_written() {
    let lines = written("info", || {
        tracing::info!(target: "t", "{}é{}", "x".repeat(4071), "y".repeat(10));
    });
    // The time, which `written` takes off, has 15 octets, level and target have 9.
    let expected = format!("INFO  t: {}… (12 octets more)", "x".repeat(4071));
    assert_eq!(lines, [expected]);
}

#[test]
fn a_value_that_logs_as_it_is_formatted_has_a_line_of_its_own() {
    struct Chatty;
    impl std::fmt::Display for Chatty {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            // As another thread or a task would: `tracing` drops what is logged by a subscriber itself.
            let mut line = Line::new("INFO", "t");
            line.push(format_args!("inner"));
            write(line);
            f.write_str("outer")
        }
    }
    let lines = written("info", || tracing::info!(target: "t", "{Chatty}"));
    assert_eq!(lines, ["INFO  t: inner", "INFO  t: outer"]);
}

#[test]
fn records_of_the_crate_log_are_filtered_too() {
    let _hook = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    init_with("info,quiet=error".parse().expect("a filter"));
    assert!(LOGGER.get().is_some());
    let enabled = |level, target| {
        let metadata = ::log::Metadata::builder()
            .level(level)
            .target(target)
            .build();
        super::Bridge.enabled(&metadata)
    };
    assert!(enabled(::log::Level::Info, "any"));
    assert!(!enabled(::log::Level::Debug, "any"));
    assert!(enabled(::log::Level::Error, "quiet::inner"));
    assert!(!enabled(::log::Level::Warn, "quiet::inner"));
    assert_eq!(::log::max_level(), ::log::LevelFilter::Info);
}

#[test]
fn a_filter_is_read_and_written() {
    let text = |filter: &str| filter.parse::<Filter>().map(|filter| filter.to_string());
    for (given, read) in [
        ("debug", "debug"),
        ("WARN", "warn"),
        ("a=off", "info,a=off"),
        (
            " warn , a::b = trace , a = error ",
            "warn,a::b=trace,a=error",
        ),
        ("a=off,a=warn", "info,a=warn"),
        ("off", "off"),
    ] {
        assert_eq!(text(given).as_deref(), Ok(read), "{given}");
    }
    for (given, wrong) in [
        ("", ""),
        ("verbose", "verbose"),
        ("info,", ""),
        ("info,a", "a"),
        ("a=", "a="),
        ("=info", "=info"),
        ("a=5", "a=5"),
        ("a=b=info", "a=b=info"),
    ] {
        let error = text(given).expect_err(given).to_string();
        let expected = format!("{wrong:?}: expected off, error, warn, info, debug or trace, or");
        assert!(error.starts_with(&expected), "{given}: {error}");
    }
}

#[test]
fn the_filter_is_found_among_the_arguments() {
    let found = |line: &str| {
        let arguments = line.split(' ').map(str::to_owned);
        filter_among(arguments).map(|filter| filter.map(|filter| filter.to_string()))
    };
    assert_eq!(
        found("--port=3 --log=debug x"),
        Ok(Some("debug".to_owned()))
    );
    assert_eq!(found("--log a=warn"), Ok(Some("info,a=warn".to_owned())));
    assert_eq!(found("--log=debug --log=off"), Ok(Some("off".to_owned())));
    assert_eq!(found("--logs=debug -- --log=off"), Ok(None));
    let error = found("--log=loud").expect_err("no level").to_string();
    assert!(error.starts_with("\"loud\": expected off"), "{error}");
    assert!(found("--log").is_err());
}

/// The line that a panic in the task that `start` makes is written as.
fn panic_line(future: impl Future<Output = ()> + 'static) -> String {
    let before = panic::take_hook();
    panic::set_hook(Box::new(|info| {
        write(panics::line(info, &miou_rs::running_tasks()));
    }));
    Builder::new().run_with(VirtualClock::new(), future);
    panic::set_hook(before);
    WRITTEN.take().concat()
}

#[test]
fn a_panic_names_its_task_and_where_that_was_spawned() {
    let _hook = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let line = panic_line(async {
        let task = spawn_named("worker", async { panic!("out of\nstock") });
        task.await.expect_err("a panic");
    });
    let file = file!();
    let [task, panic] = line
        .split_once(", panicked at ")
        .map(|(a, b)| [a, b])
        .expect(&line);
    let start = format!("[    1.234567] ERROR panic: task \"worker\", spawned at {file}:");
    assert!(task.starts_with(&start), "{line}");
    assert!(panic.starts_with(&format!("{file}:")), "{line}");
    assert!(panic.ends_with(": out of\\nstock\n"), "{line}");

    let line = panic_line(async {
        let task = spawn(async { panic::panic_any(7) });
        task.await.expect_err("a panic");
    });
    assert!(line.contains("panic: a task spawned at "), "{line}");
    assert!(line.ends_with(": a value that is no text\n"), "{line}");
}
