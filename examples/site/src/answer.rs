//! What is answered for a file, or in its place.

use mkernel::fs::{FileSystem, Metadata};
use mkernel::http::Body;
use mkernel::http::hyper::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue, LAST_MODIFIED, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use mkernel::http::hyper::{Method, Request, Response, StatusCode};

use crate::conditions::Validators;
use crate::content::Content;
use crate::range::{self, Part};
use crate::site::status_of;

/// A file that a request is for.
pub(crate) struct Found {
    /// Of what is sent: of the compressed file if that is it.
    pub(crate) path: String,
    pub(crate) metadata: Metadata,
    /// Of the file that was asked for.
    pub(crate) media_type: &'static str,
    pub(crate) is_compressed: bool,
    /// Whether another client would be sent another file.
    pub(crate) varies: bool,
}

/// A value that every field can have.
pub(crate) const fn value(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

/// A status, and what it is called.
pub(crate) fn status(status: StatusCode) -> Response<Content> {
    let text = match status {
        StatusCode::NOT_MODIFIED => String::new(),
        _ => format!("{status}\n"),
    };
    let mut response = Response::new(Content::text(text));
    *response.status_mut() = status;
    if status != StatusCode::NOT_MODIFIED {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, const { value("text/plain; charset=utf-8") });
    }
    response
}

/// The file, the part of it that is asked for, or what the request's conditions come to.
pub(crate) fn file(
    files: &FileSystem,
    found: &Found,
    request: &Request<Body>,
) -> Response<Content> {
    let validators = Validators::new(&found.metadata, found.is_compressed);
    let mut response = match validators.refusal(request.headers()) {
        Some(refusal) => status(refusal),
        None => content(files, found, &validators, request),
    };
    if matches!(response.status().as_u16(), 200 | 206 | 304 | 412 | 416) {
        describe(response.headers_mut(), found, &validators);
    }
    response
}

fn content(
    files: &FileSystem,
    found: &Found,
    validators: &Validators,
    request: &Request<Body>,
) -> Response<Content> {
    let len = found.metadata.len;
    let headers = request.headers();
    let part = match headers.get(RANGE).map(HeaderValue::to_str) {
        Some(Ok(field)) if request.method() == Method::GET && validators.allow_range(headers) => {
            range::parse(field, len)
        }
        _ => Part::All,
    };
    let (code, octets) = match part {
        Part::All => (StatusCode::OK, 0..len),
        Part::Octets(octets) => (StatusCode::PARTIAL_CONTENT, octets),
        Part::None => {
            let mut response = status(StatusCode::RANGE_NOT_SATISFIABLE);
            insert(response.headers_mut(), format!("bytes */{len}"));
            return response;
        }
    };
    let range = format!(
        "bytes {}-{}/{len}",
        octets.start,
        octets.end.saturating_sub(1)
    );
    let content_len = octets.end - octets.start;
    let content = match *request.method() {
        // Nothing is opened for it.
        Method::HEAD => Content::text(String::new()),
        _ => match open(files, found, octets) {
            Ok(content) => content,
            Err(code) => return status(code),
        },
    };
    let mut response = Response::new(content);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, content_len.into());
    headers.insert(CONTENT_TYPE, value(found.media_type));
    if found.is_compressed {
        headers.insert(CONTENT_ENCODING, const { value("gzip") });
    }
    if code == StatusCode::PARTIAL_CONTENT {
        insert(headers, range);
    }
    response
}

fn open(
    files: &FileSystem,
    found: &Found,
    octets: std::ops::Range<u64>,
) -> Result<Content, StatusCode> {
    let file = files.open(&found.path).map_err(|error| {
        mkernel::log::error!("{error}");
        status_of(error.kind())
    })?;
    Content::file(file, octets).map_err(|error| {
        mkernel::log::error!("{error}");
        StatusCode::INTERNAL_SERVER_ERROR
    })
}

fn insert(headers: &mut HeaderMap, range: String) {
    if let Ok(range) = range.try_into() {
        headers.insert(CONTENT_RANGE, range);
    }
}

/// What is said of the file whether it is sent or not.
fn describe(headers: &mut HeaderMap, found: &Found, validators: &Validators) {
    headers.insert(ACCEPT_RANGES, const { value("bytes") });
    headers.insert(X_CONTENT_TYPE_OPTIONS, const { value("nosniff") });
    if let Ok(tag) = validators.tag.as_str().try_into() {
        headers.insert(ETAG, tag);
    }
    let modified = validators.modified.map(httpdate::fmt_http_date);
    if let Some(Ok(modified)) = modified.map(TryInto::try_into) {
        headers.insert(LAST_MODIFIED, modified);
    }
    if found.varies {
        headers.insert(VARY, const { value("accept-encoding") });
    }
}
