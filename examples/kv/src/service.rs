//! What is asked for, and done.

use std::ops::Bound;
use std::time::Duration;

use http_body_util::BodyExt;
use mkernel::block::Disk;
use mkernel::http::Body;
use mkernel::http::hyper::header::{ALLOW, HeaderValue, LINK};
use mkernel::http::hyper::{Method, Request, StatusCode, Uri};
use mkernel::store::{Batch, Kv, MOST_BATCH_BYTES, MOST_VALUE_BYTES};

use crate::answer::{Answer, Refusal, done, octets, text};
use crate::lines;
use crate::room::{Place, Room};

/// Entries of a range, if the client does not say how many.
const ENTRIES: usize = 100;
/// Most entries of a range.
const MOST_ENTRIES: usize = 1000;
/// Most bytes of the entries of a range, but for one entry.
const MOST_BYTES: usize = 256 << 10;

/// What holds for the contents of requests.
#[derive(Clone)]
pub(crate) struct Contents {
    pub(crate) room: Room,
    /// How long one may take to come.
    pub(crate) time: Duration,
}

pub(crate) async fn answer(kv: &Kv<Disk>, contents: &Contents, request: Request<Body>) -> Answer {
    let (head, body) = request.into_parts();
    let outcome = match head.uri.path() {
        "/batch" => batch(kv, contents, &head.method, body).await,
        "/range" => range(kv, &contents.room, &head.method, &head.uri),
        "/healthz" => health(kv, &head.method),
        path => match path.strip_prefix("/k/") {
            Some(key) => entry(kv, contents, &head.method, key, body).await,
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
    contents: &Contents,
    method: &Method,
    key: &str,
    body: Body,
) -> Result<Answer, Refusal> {
    let key = lines::decode(key)?;
    let mut batch = Batch::new();
    let mut place = contents.room.enter();
    match *method {
        Method::GET | Method::HEAD => {
            let Some(value) = kv.get(&key)? else {
                return Err(Refusal::new(StatusCode::NOT_FOUND, "no such key"));
            };
            return Ok(octets(contents.room.hold(value)?));
        }
        Method::PUT => {
            let value = contents.read(body, MOST_VALUE_BYTES, &mut place).await?;
            batch.put(&key, &value)?;
        }
        Method::DELETE => batch.delete(&key)?,
        _ => return Ok(not_allowed("GET, HEAD, PUT, DELETE")),
    }
    kv.commit(batch).await?;
    Ok(done())
}

async fn batch(
    kv: &Kv<Disk>,
    contents: &Contents,
    method: &Method,
    body: Body,
) -> Result<Answer, Refusal> {
    if method != Method::POST {
        return Ok(not_allowed("POST"));
    }
    let mut place = contents.room.enter();
    let batch = lines::read(&contents.read(body, MOST_BATCH_BYTES, &mut place).await?)?;
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

impl Contents {
    /// What the client sends, in `place`, which grows as it comes: at most so many bytes.
    async fn read(&self, body: Body, most: usize, place: &mut Place) -> Result<Vec<u8>, Refusal> {
        let read = mkernel::timeout(self.time, collect(body, most, place)).await;
        read.unwrap_or_else(|_| {
            let seconds = self.time.as_secs();
            let reason = format!("content that has not come whole within {seconds} s");
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, reason))
        })
    }
}

async fn collect(mut body: Body, most: usize, place: &mut Place) -> Result<Vec<u8>, Refusal> {
    let mut content = Vec::new();
    while let Some(frame) = body.frame().await {
        // The server answers in place of this service if it is malformed, or late.
        let frame =
            frame.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        let Some(piece) = frame.data_ref() else {
            continue;
        };
        let needed = content.len() + piece.len();
        if needed > most {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("content of more than {most} bytes"),
            ));
        }
        let capacity = content.capacity();
        if needed > capacity {
            let grown = needed.max(2 * capacity).min(most);
            place.grow(grown - capacity)?;
            let full = content.try_reserve_exact(grown - content.len());
            full.map_err(|error| {
                Refusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("no memory: {error}"),
                )
            })?;
        }
        content.extend_from_slice(piece);
    }
    Ok(content)
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
