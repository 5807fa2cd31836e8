//! Cookies of HTTP/2, which come in crumbs.

use ::http::header::COOKIE;
use ::http::{HeaderMap, HeaderValue};

/// Makes one field of them, for who knows nothing of HTTP/2: RFC 9113 section 8.2.3.
pub(super) fn join(headers: &mut HeaderMap) {
    let crumbs: Vec<_> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if crumbs.len() < 2 {
        return;
    }
    // What is between good values is good too.
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, whole);
    }
}
