//! What is asked for, and done.

use std::ops::Bound;

use bytes::Bytes;
use http_body_util::BodyExt;
use mkernel::block::Disk;
use mkernel::http::Body;
use mkernel::http::hyper::body::Body as _;
use mkernel::http::hyper::header::{ALLOW, HeaderValue, LINK};
use mkernel::http::hyper::{Method, Request, StatusCode, Uri};
use mkernel::store::{Batch, Kv, MOST_BATCH_BYTES};

use crate::answer::{Answer, Refusal, done, octets, text};
use crate::lines;
use crate::room::Room;

/// Entries of a range, if the client does not say how many.
const ENTRIES: usize = 100;
/// Most entries of a range.
const MOST_ENTRIES: usize = 1000;
/// Most bytes of the entries of a range, but for one entry.
const MOST_BYTES: usize = 256 << 10;

pub(crate) async fn answer(kv: &Kv<Disk>, room: &Room, request: Request<Body>) -> Answer {
    let (head, body) = request.into_parts();
    let outcome = match head.uri.path() {
        "/batch" => batch(kv, room, &head.method, body).await,
        "/range" => range(kv, room, &head.method, &head.uri),
        "/healthz" => health(kv, &head.method),
        path => match path.strip_prefix("/k/") {
            Some(key) => entry(kv, room, &head.method, key, body).await,
            None => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "expected /k/KEY, /range, /batch or /healthz",
            )),
        },
    };
    outcome.unwrap_or_else(Refusal::answer)
}

async fn entry(
    kv: &Kv<Disk>,
    room: &Room,
    method: &Method,
    key: &str,
    body: Body,
) -> Result<Answer, Refusal> {
    let key = lines::decode(key)?;
    let mut batch = Batch::new();
    let _place = room.take(most(&body))?;
    match *method {
        Method::GET | Method::HEAD => {
            let Some(value) = kv.get(&key)? else {
                return Err(Refusal::new(StatusCode::NOT_FOUND, "no such key"));
            };
            return Ok(octets(room.hold(value)?));
        }
        Method::PUT => batch.put(&key, &content(body).await?)?,
        Method::DELETE => batch.delete(&key)?,
        _ => return Ok(not_allowed("GET, HEAD, PUT, DELETE")),
    }
    kv.commit(batch).await?;
    Ok(done())
}

async fn batch(kv: &Kv<Disk>, room: &Room, method: &Method, body: Body) -> Result<Answer, Refusal> {
    if method != Method::POST {
        return Ok(not_allowed("POST"));
    }
    let _place = room.take(most(&body))?;
    let batch = lines::read(&content(body).await?)?;
    kv.commit(batch).await?;
    Ok(done())
}

/// A request of a range, as its query says.
struct Query {
    from: Bound<Vec<u8>>,
    to: Option<Vec<u8>>,
    limit: usize,
}

fn range(kv: &Kv<Disk>, room: &Room, method: &Method, uri: &Uri) -> Result<Answer, Refusal> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Ok(not_allowed("GET, HEAD"));
    }
    let query = query(uri.query().unwrap_or_default())?;
    let to = query
        .to
        .as_deref()
        .map_or(Bound::Unbounded, Bound::Excluded);
    let from = query.from.as_ref().map(Vec::as_slice);
    let entries = kv.range(from, to, query.limit, MOST_BYTES)?;
    let mut answer = text(StatusCode::OK, room.hold(lines::write(&entries).into())?);
    // As long as there are entries there may be more (RFC 8288).
    if let Some((last, _)) = entries.last() {
        let to = query
            .to
            .map_or(String::new(), |to| format!("&to={}", lines::encode(&to)));
        let (after, limit) = (lines::encode(last), query.limit);
        let link = format!("</range?after={after}{to}&limit={limit}>; rel=\"next\"");
        if let Ok(link) = HeaderValue::try_from(link) {
            answer.headers_mut().insert(LINK, link);
        }
    }
    Ok(answer)
}

fn query(text: &str) -> Result<Query, Refusal> {
    let mut query = Query {
        from: Bound::Unbounded,
        to: None,
        limit: ENTRIES,
    };
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("from", key)) => query.from = Bound::Included(lines::decode(key)?),
            Some(("after", key)) => query.from = Bound::Excluded(lines::decode(key)?),
            Some(("to", key)) => query.to = Some(lines::decode(key)?),
            Some(("limit", number)) => {
                let limit = number
                    .parse()
                    .ok()
                    .filter(|limit| (1..=MOST_ENTRIES).contains(limit));
                query.limit = limit.ok_or_else(|| {
                    let reason = format!("limit={number:?}, expected 1 to {MOST_ENTRIES}");
                    Refusal::new(StatusCode::BAD_REQUEST, reason)
                })?;
            }
            _ => {
                let reason =
                    format!("{pair:?}, expected from=KEY, after=KEY, to=KEY or limit=NUMBER");
                return Err(Refusal::new(StatusCode::BAD_REQUEST, reason));
            }
        }
    }
    Ok(query)
}

fn health(kv: &Kv<Disk>, method: &Method) -> Result<Answer, Refusal> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Ok(not_allowed("GET, HEAD"));
    }
    kv.get(b"")?;
    let (used, capacity) = kv.usage();
    Ok(text(
        StatusCode::OK,
        format!("ok, {used} of {capacity} bytes\n"),
    ))
}

/// Most bytes that the client will send.
fn most(body: &Body) -> usize {
    let most = body.size_hint().upper();
    most.map_or(MOST_BATCH_BYTES, |most| {
        usize::try_from(most).map_or(MOST_BATCH_BYTES, |most| most.min(MOST_BATCH_BYTES))
    })
}

/// What the client sent; the server answers in place of this service if it is too much.
async fn content(body: Body) -> Result<Bytes, Refusal> {
    match body.collect().await {
        Ok(content) => Ok(content.to_bytes()),
        Err(error) => Err(Refusal::new(StatusCode::BAD_REQUEST, error.to_string())),
    }
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("expected {methods}"),
    )
    .answer();
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(methods));
    answer
}
