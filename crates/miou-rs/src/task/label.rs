//! What is kept of some tasks only, apart from their headers.

use core::panic::Location;
use std::borrow::Cow;

/// A task's name, and its span.
pub(crate) struct Label {
    name: Option<Cow<'static, str>>,
    #[cfg(feature = "tracing")]
    span: Option<tracing::Span>,
}

impl Label {
    /// `None` for a task without a name, unless somebody listens to its span.
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables))]
    pub(crate) fn new(
        name: Option<Cow<'static, str>>,
        location: &'static Location<'static>,
    ) -> Option<Self> {
        #[cfg(feature = "tracing")]
        {
            let span = tracing::trace_span!(
                target: "miou_rs::task",
                "task",
                name = name.as_deref(),
                file = location.file(),
                line = location.line(),
            );
            let span = (!span.is_disabled()).then_some(span);
            (name.is_some() || span.is_some()).then_some(Self { name, span })
        }
        #[cfg(not(feature = "tracing"))]
        name.is_some().then_some(Self { name })
    }

    pub(crate) fn name(&self) -> Option<Cow<'static, str>> {
        self.name.clone()
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn span(&self) -> Option<tracing::Span> {
        self.span.clone()
    }
}
