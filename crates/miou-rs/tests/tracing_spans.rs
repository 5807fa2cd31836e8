//! A span for each task.
//!
//! Alone in its process: a call site that another thread reaches first, without the
//! subscriber of this test, may stay disabled for all threads.

use std::sync::{Arc, Mutex};

use miou_rs::{Builder, VirtualClock, spawn_named, yield_now};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Keeps what happens to spans, in order.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}

impl<S: tracing::Subscriber> Layer<S> for Spans {
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        id: &tracing::Id,
        _: Context<'_, S>,
    ) {
        let mut fields = Fields(String::new());
        attributes.record(&mut fields);
        let text = format!("new {}{}", id.into_u64(), fields.0);
        self.0.lock().unwrap().push(text);
    }

    fn on_enter(&self, id: &tracing::Id, _: Context<'_, S>) {
        self.0
            .lock()
            .unwrap()
            .push(format!("enter {}", id.into_u64()));
    }
}

#[test]
fn a_task_has_a_span_that_is_entered_whenever_it_is_polled() {
    let spans = Spans::default();
    let subscriber = tracing_subscriber::registry().with(spans.clone());
    tracing::subscriber::with_default(subscriber, || {
        Builder::new().run_with(VirtualClock::new(), async {
            spawn_named("worker", yield_now()).await.unwrap();
        });
    });
    let events = spans.0.lock().unwrap();
    let made = events
        .iter()
        .find(|event| event.contains("name=\"worker\""))
        .unwrap_or_else(|| panic!("no span in {events:?}"));
    assert!(made.contains("tracing_spans.rs"), "{made}");
    let id = made.split(' ').nth(1).unwrap();
    let entered = events
        .iter()
        .filter(|event| **event == format!("enter {id}"));
    assert_eq!(entered.count(), 2, "{events:?}");
}
