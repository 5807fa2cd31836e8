//! When a request is sent once more.

use std::error::Error;
use std::io;

use ::http::Method;
use h2::Reason;
use hyper::client::conn::TrySendError;

/// Whether a request may be sent once more.
pub(super) struct Retry {
    repeatable: bool,
    /// Whether it was already.
    again: bool,
}

impl Retry {
    pub(super) fn new(method: &Method) -> Self {
        Self {
            // RFC 9110 section 9.2.2.
            repeatable: method.is_idempotent(),
            again: false,
        }
    }

    /// Whether to send it again after `error`, on a connection that was kept or a new one.
    pub(super) fn may_repeat<T>(&mut self, error: &TrySendError<T>, reused: bool) -> bool {
        let unsent = error.message().is_some();
        let error = error.error();
        if unsent && reused {
            // Bounded: the connection has ended and is not taken again.
            return true;
        }
        let repeatable = reused && self.repeatable && was_cut_off(error);
        let again = unsent || was_left_out(error) || repeatable;
        again && !std::mem::replace(&mut self.again, true)
    }
}

/// Whether a connection of HTTP/2 goes on after `error`.
pub(super) fn is_of_stream(error: &hyper::Error) -> bool {
    behind(error).is_some_and(h2::Error::is_reset)
}

/// The error of this type behind `error`, if there is one.
fn behind<E: Error + 'static>(error: &hyper::Error) -> Option<&E> {
    error.source()?.downcast_ref()
}

/// Whether the server of HTTP/2 says that it did not look at the request: RFC 9113 section 8.7.
fn was_left_out(error: &hyper::Error) -> bool {
    behind(error).is_some_and(|error: &h2::Error| {
        let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        // `h2` says this only of streams above that which a GOAWAY names.
        error.is_remote() && (refused || error.is_go_away())
    })
}

/// Whether the connection has ended before there was an answer.
fn was_cut_off(error: &hyper::Error) -> bool {
    let http1 = error.is_incomplete_message() || behind::<io::Error>(error).is_some();
    let http2 = behind(error).is_some_and(h2::Error::is_io);
    // Nor is it the request's own content that has failed.
    (http1 || http2) && !error.is_user()
}
