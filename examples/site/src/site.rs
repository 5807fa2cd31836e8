//! Which file a request is for.

use mkernel::fs::{ErrorKind, FileSystem, FileType, Metadata};
use mkernel::http::Body;
use mkernel::http::hyper::header::{ACCEPT_ENCODING, ALLOW, HeaderMap, LOCATION};
use mkernel::http::hyper::{Method, Request, Response, StatusCode};

use crate::answer::{self, Found};
use crate::content::Content;

/// What a directory shows.
const INDEX: &str = "index.html";

/// The files, and how they are asked for.
pub(crate) struct Site {
    files: FileSystem,
}

impl Site {
    pub(crate) fn new(files: FileSystem) -> Self {
        Self { files }
    }

    pub(crate) fn answer(&self, request: &Request<Body>) -> Response<Content> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = answer::status(StatusCode::METHOD_NOT_ALLOWED);
            response
                .headers_mut()
                .insert(ALLOW, const { answer::value("GET, HEAD") });
            return response;
        }
        let Some(path) = decode(request.uri().path()) else {
            return answer::status(StatusCode::BAD_REQUEST);
        };
        match self.find(path, request.headers()) {
            Ok(Some(found)) => answer::file(&self.files, &found, request),
            Ok(None) => redirect(request.uri().path()),
            Err(status) => answer::status(status),
        }
    }

    /// The file at `path`; none if that is a directory without a `/` at the end.
    fn find(&self, mut path: String, headers: &HeaderMap) -> Result<Option<Found>, StatusCode> {
        let mut metadata = self.metadata(&path)?;
        if metadata.file_type == FileType::Directory {
            if !path.ends_with('/') {
                return Ok(None);
            }
            path.push_str(INDEX);
            metadata = self.metadata(&path)?;
        } else if path.ends_with('/') {
            return Err(StatusCode::NOT_FOUND);
        }
        if metadata.file_type != FileType::File {
            return Err(StatusCode::NOT_FOUND);
        }
        let compressed = format!("{path}.gz");
        let beside = self.files.metadata(&compressed).ok();
        let beside = beside.filter(|beside| beside.file_type == FileType::File);
        let mut found = Found {
            media_type: crate::media_type::of(&path),
            path,
            metadata,
            is_compressed: false,
            varies: beside.is_some(),
        };
        if let Some(metadata) = beside.filter(|_| accepts_gzip(headers)) {
            found.path = compressed;
            found.metadata = metadata;
            found.is_compressed = true;
        }
        Ok(Some(found))
    }

    fn metadata(&self, path: &str) -> Result<Metadata, StatusCode> {
        self.files.metadata(path).map_err(|error| {
            let status = status_of(error.kind());
            if status.is_server_error() {
                mkernel::log::error!("{error}");
            }
            status
        })
    }
}

/// What a client is told of an error.
pub(crate) fn status_of(kind: &ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Device(_) => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Damaged(_) | ErrorKind::Unsupported(_) | ErrorKind::LimitExceeded(_) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        _ => StatusCode::NOT_FOUND,
    }
}

/// To the same place with a `/` at the end, so that what is relative to it is found. As it begins with `./` it stays on
/// this server, whatever it is.
fn redirect(path: &str) -> Response<Content> {
    let name = path.rsplit('/').next().unwrap_or_default();
    match format!("./{name}/").try_into() {
        Ok(location) => {
            let mut response = answer::status(StatusCode::MOVED_PERMANENTLY);
            response.headers_mut().insert(LOCATION, location);
            response
        }
        Err(_) => answer::status(StatusCode::BAD_REQUEST),
    }
}

/// Octets for `%` and two digits.
fn decode(path: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let octet = digit()? << 4 | digit()?;
                u8::try_from(octet).ok()?
            }
            _ => octet,
        });
    }
    String::from_utf8(octets).ok()
}

/// Whether gzip is named, or everything, and not with a weight of 0 (RFC 9110 section 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let all = headers.get_all(ACCEPT_ENCODING).iter();
    let codings = all.filter_map(|value| value.to_str().ok());
    let mut everything = false;
    for coding in codings.flat_map(|codings| codings.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let is_accepted = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|q| q > 0.0));
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            return is_accepted;
        }
        everything |= name == "*" && is_accepted;
    }
    everything
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once() {
        assert_eq!(decode("/a%20b/%C3%BC").as_deref(), Some("/a b/ü"));
        assert_eq!(decode("/%252e").as_deref(), Some("/%2e"));
        assert_eq!(decode("/%2"), None);
        assert_eq!(decode("/%zz"), None);
        assert_eq!(decode("/%ff"), None);
    }

    #[test]
    fn gzip_is_accepted_by_who_says_so() {
        for (value, expected) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("*", true),
            ("*, gzip;q=0", false),
            ("*;q=0", false),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().expect("a value"));
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
