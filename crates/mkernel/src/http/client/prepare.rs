//! Requests as they are sent.

use ::http::header::{HOST, USER_AGENT};
use ::http::request::Parts;
use ::http::uri::Scheme;
use ::http::{HeaderValue, Method, Request, Uri, Version};

use super::connect::Origin;
use super::error::ClientError;
use super::link::Link;
use super::outgoing::Outgoing;

/// Makes of a request for a URL one for a server: RFC 9112 section 3.2, RFC 9113 section 8.3.1.
pub(super) fn prepare(
    parts: &Parts,
    body: Outgoing,
    origin: &Origin,
    link: &Link,
) -> Result<Request<Outgoing>, ClientError> {
    let no_url = || ClientError::Url(parts.uri.to_string());
    let mut request = Request::from_parts(parts.clone(), body);
    let headers = request.headers_mut();
    if !headers.contains_key(HOST) {
        let host = HeaderValue::from_str(&origin.authority()).map_err(|_| no_url())?;
        headers.insert(HOST, host);
    }
    let agent = HeaderValue::from_static(concat!("mkernel/", env!("CARGO_PKG_VERSION")));
    headers.entry(USER_AGENT).or_insert(agent);
    if parts.method == Method::CONNECT {
        // RFC 9112 section 3.2.3, RFC 9113 section 8.5.
        let target = Uri::builder().authority(origin.host_and_port());
        *request.uri_mut() = target.build().map_err(|_| no_url())?;
        if matches!(link, Link::Http2(_)) {
            request.headers_mut().remove(HOST);
            *request.version_mut() = Version::HTTP_2;
        }
        return Ok(request);
    }
    let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let path = match path.starts_with('?') {
        true => format!("/{path}"),
        false => path.to_owned(),
    };
    let mut uri = Uri::builder().path_and_query(path);
    if matches!(link, Link::Http2(_)) {
        let host = headers.remove(HOST).ok_or_else(no_url)?;
        uri = uri.scheme(Scheme::HTTPS).authority(host.as_bytes());
        *request.version_mut() = Version::HTTP_2;
    }
    *request.uri_mut() = uri.build().map_err(|_| no_url())?;
    Ok(request)
}
