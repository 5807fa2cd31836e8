//! The events of `tracing`.

use std::fmt;

use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Event, Field, Interest, LevelFilter, Metadata, Subscriber, field::Visit};

use super::decimal::Decimal;
use super::filter::Filter;
use super::line::Line;
use super::spans::{self, Spans};

/// Makes lines of events, and has `print` take them.
pub(super) struct Console {
    filter: Filter,
    spans: Spans,
    print: fn(Line),
}

impl Console {
    pub(super) fn new(filter: Filter, print: fn(Line)) -> Self {
        Self {
            filter,
            spans: Spans::default(),
            print,
        }
    }
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.filter.level(metadata.target())
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match self.enabled(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter.most())
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.spans.add(attributes)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.spans.record(span, values);
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = Line::new(metadata.level().as_str(), metadata.target());
        if event.parent().is_some() || event.is_contextual() {
            let path = self.spans.path(event.parent());
            line.push(format_args!("{path}"));
        }
        event.record(&mut Message(&mut line));
        (self.print)(line);
    }

    fn enter(&self, span: &Id) {
        spans::enter(span);
    }

    fn exit(&self, span: &Id) {
        spans::exit(span);
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.spans.keep(id);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.spans.release(&id)
    }

    fn current_span(&self) -> Current {
        self.spans.current()
    }
}

/// The message of an event, which comes first, and its fields.
struct Message<'a>(&'a mut Line);

impl Message<'_> {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        match field.name() {
            "message" => self.0.push(value),
            name => self.0.push(format_args!(" {name}={value}")),
        }
    }
}

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, format_args!("{}", Decimal(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.add(field, format_args!("{value}")),
            _ => self.add(field, format_args!("{value:?}")),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, format_args!("{value}"));
    }
}
