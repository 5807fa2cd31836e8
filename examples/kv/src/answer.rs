//! What the service answers.

use bytes::Bytes;
use http_body_util::Full;
use mkernel::http::hyper::{Response, StatusCode, header};
use mkernel::store::{CommitError, StoreError, TooLarge};

pub(crate) type Answer = Response<Full<Bytes>>;

/// A status, with a line that says why.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    reason: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { status, reason }
    }

    pub(crate) fn answer(self) -> Answer {
        text(self.status, self.reason + "\n")
    }
}

/// 507 (RFC 4918 section 11.5) when there is no room, and 503 otherwise.
fn status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!("{error}");
        Self::new(status(&error), error.to_string())
    }
}

impl From<CommitError> for Refusal {
    fn from(error: CommitError) -> Self {
        tracing::error!("{error}");
        Self::new(status(error.get_ref()), error.to_string())
    }
}

impl From<TooLarge> for Refusal {
    fn from(error: TooLarge) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
    }
}

pub(crate) fn text(status: StatusCode, content: impl Into<Bytes>) -> Answer {
    typed(status, "text/plain; charset=utf-8", content)
}

pub(crate) fn octets(content: Bytes) -> Answer {
    typed(StatusCode::OK, "application/octet-stream", content)
}

pub(crate) fn done() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

fn typed(status: StatusCode, content_type: &'static str, content: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(content.into()));
    *answer.status_mut() = status;
    let value = header::HeaderValue::from_static(content_type);
    answer.headers_mut().insert(header::CONTENT_TYPE, value);
    answer
}
