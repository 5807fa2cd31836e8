//! The spans that are open, each as the text that stands in a line for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Field, Metadata, field::Visit};

use super::decimal::Decimal;

/// Octets of a span's text beyond which no field is added to it.
const LIMIT: usize = 512;

thread_local! {
    /// The spans that this thread is in, the innermost last.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

struct Span {
    metadata: &'static Metadata<'static>,
    parent: Option<u64>,
    /// Handles, and children.
    references: usize,
    fields: String,
}

#[derive(Default)]
struct Open {
    last: u64,
    spans: HashMap<u64, Span>,
}

/// All open spans.
#[derive(Default)]
pub(super) struct Spans(Mutex<Open>);

impl Spans {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, attributes: &Attributes<'_>) -> Id {
        // Before the lock is taken: a field may log as it is formatted.
        let mut fields = Fields(String::new());
        attributes.record(&mut fields);
        let parent = match attributes.parent() {
            Some(parent) => Some(parent.into_u64()),
            None if attributes.is_contextual() => innermost(),
            None => None,
        };
        let mut open = self.open();
        if let Some(parent) = parent.and_then(|parent| open.spans.get_mut(&parent)) {
            parent.references += 1;
        }
        open.last += 1;
        let span = Span {
            metadata: attributes.metadata(),
            parent,
            references: 1,
            fields: fields.0,
        };
        let id = open.last;
        open.spans.insert(id, span);
        Id::from_u64(id)
    }

    pub(super) fn record(&self, id: &Id, values: &Record<'_>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        let mut open = self.open();
        if let Some(span) = open.spans.get_mut(&id.into_u64())
            && span.fields.len() + fields.0.len() <= LIMIT
        {
            if !span.fields.is_empty() && !fields.0.is_empty() {
                span.fields.push(' ');
            }
            span.fields += &fields.0;
        }
    }

    pub(super) fn keep(&self, id: &Id) {
        if let Some(span) = self.open().spans.get_mut(&id.into_u64()) {
            span.references += 1;
        }
    }

    /// Gives a reference up; whether that was the last one.
    pub(super) fn release(&self, id: &Id) -> bool {
        let mut open = self.open();
        let mut next = Some(id.into_u64());
        let mut closed = false;
        while let Some(id) = next {
            let Some(span) = open.spans.get_mut(&id) else {
                break;
            };
            span.references -= 1;
            if span.references > 0 {
                break;
            }
            closed = true;
            next = open.spans.remove(&id).and_then(|span| span.parent);
        }
        closed
    }

    pub(super) fn current(&self) -> Current {
        let Some(id) = innermost() else {
            return Current::none();
        };
        match self.open().spans.get(&id) {
            Some(span) => Current::new(Id::from_u64(id), span.metadata),
            None => Current::none(),
        }
    }

    /// The text of this span, or of the innermost one that was entered, behind those of its ancestors.
    pub(super) fn path(&self, of: Option<&Id>) -> String {
        let mut next = of.map(Id::into_u64).or_else(innermost);
        let mut path = String::new();
        let open = self.open();
        while let Some(span) = next.and_then(|id| open.spans.get(&id)) {
            let name = span.metadata.name();
            let own = match span.fields.as_str() {
                "" => format!("{name}: "),
                fields => format!("{name}{{{fields}}}: "),
            };
            path.insert_str(0, &own);
            next = span.parent;
        }
        path
    }
}

/// The span that this thread entered last, of those that it is in.
fn innermost() -> Option<u64> {
    ENTERED.with_borrow(|entered| entered.last().copied())
}

pub(super) fn enter(id: &Id) {
    ENTERED.with_borrow_mut(|entered| entered.push(id.into_u64()));
}

pub(super) fn exit(id: &Id) {
    ENTERED.with_borrow_mut(|entered| {
        // Spans may be left in another order than that in which they were entered.
        let at = entered.iter().rposition(|other| *other == id.into_u64());
        at.map(|at| entered.remove(at));
    });
}

/// The fields of a span, up to [`LIMIT`].
struct Fields(String);

impl Fields {
    fn add(&mut self, field: &Field, value: std::fmt::Arguments<'_>) {
        let separator = if self.0.is_empty() { "" } else { " " };
        let before = self.0.len();
        let _ = write!(self.0, "{separator}{field}={value}");
        if self.0.len() > LIMIT {
            self.0.truncate(before);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, format_args!("{}", Decimal(value)));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, format_args!("{value}"));
    }
}
