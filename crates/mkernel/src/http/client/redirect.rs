//! Answers that lead elsewhere: RFC 9110 section 15.4.

use ::http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_TYPE, COOKIE, EXPECT, HOST, LAST_MODIFIED, LOCATION, PROXY_AUTHORIZATION, TRAILER,
    TRANSFER_ENCODING,
};
use ::http::request::Parts;
use ::http::uri::Scheme;
use ::http::{Method, Response, StatusCode, Uri};

use super::error::ClientError;

/// Where the answer to a request for `asked` leads, if it does.
pub(super) fn target<B>(asked: &Uri, response: &Response<B>) -> Result<Option<Uri>, ClientError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(location.as_bytes());
    let target = resolve(asked, &text);
    target
        .map(Some)
        .ok_or_else(|| ClientError::Location(text.into_owned()))
}

/// A reference, relative or not, against the URL that it was found at: RFC 3986 section 5.2.
fn resolve(base: &Uri, reference: &str) -> Option<Uri> {
    let reference = reference.split('#').next()?;
    let has_scheme = |scheme: &str| {
        let start = reference.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if has_scheme("http://") || has_scheme("https://") {
        return reference.parse().ok();
    }
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let path = match path {
        _ if reference.starts_with("//") => return format!("{scheme}:{reference}").parse().ok(),
        // Of another scheme.
        path if path.split('/').next()?.contains(':') => return None,
        "" => base.path().to_owned(),
        path if path.starts_with('/') => without_dots(path),
        path => {
            let folder = base
                .path()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            without_dots(&format!("{folder}/{path}"))
        }
    };
    let query = query.or(base.query().filter(|_| reference.is_empty()));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{authority}{path}{query}").parse().ok()
}

/// RFC 3986 section 5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<_> = path.split('/').skip(1).collect();
    for segment in &segments {
        match *segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    if matches!(segments.last(), Some(&"." | &"..")) {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

/// Whether a redirect leads from `https` to what everybody on the way can read and change.
pub(super) fn is_insecure(asked: &Uri, target: &Uri) -> bool {
    asked.scheme() == Some(&Scheme::HTTPS) && target.scheme() != Some(&Scheme::HTTPS)
}

/// Makes of the request the one that follows it to `target`; tells whether it goes without content now.
pub(super) fn follow(parts: &mut Parts, target: Uri, status: StatusCode) -> bool {
    let headers = &mut parts.headers;
    let same = parts.uri.authority() == target.authority() && parts.uri.scheme() == target.scheme();
    headers.remove(HOST);
    if !same {
        // What is for one server is none of another's business.
        for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
            headers.remove(secret);
        }
    }
    parts.uri = target;
    let becomes_get = match status.as_u16() {
        303 => parts.method != Method::HEAD,
        // RFC 9110 sections 15.4.2 and 15.4.3: as everybody does.
        301 | 302 => parts.method == Method::POST,
        _ => false,
    };
    if becomes_get {
        parts.method = Method::GET;
        for of_content in [
            CONTENT_LENGTH,
            CONTENT_TYPE,
            CONTENT_ENCODING,
            CONTENT_LANGUAGE,
            CONTENT_LOCATION,
            LAST_MODIFIED,
            EXPECT,
            TRAILER,
            TRANSFER_ENCODING,
        ] {
            headers.remove(of_content);
        }
    }
    becomes_get
}

#[cfg(test)]
mod tests;
