//! What is asked, and answered.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use tower_http::timeout::TimeoutLayer;

use crate::database::{Database, Error, Todo};

const USAGE: &str = "\
GET /todos?after=ID&limit=N
POST /todos {\"title\": TEXT}
GET /todos/ID
PUT /todos/ID/done
DELETE /todos/ID
";
/// Octets of a title.
const LONGEST: usize = 1000;
/// Octets of a request's content: each of a title may be written as six.
const LONGEST_CONTENT: usize = 8 << 10;
/// How long a request may take, its content and the waits for the database among it.
const LIMIT: Duration = Duration::from_secs(30);
/// Entries in one answer.
const MOST: i64 = 1000;

type Shared = State<Arc<Database>>;

pub(crate) fn router(database: Database) -> Router {
    let limit = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, LIMIT);
    Router::new()
        .route("/", get(async || USAGE))
        .route("/healthz", get(health))
        .route("/todos", get(list).post(add))
        .route("/todos/{id}", get(find).delete(delete))
        .route("/todos/{id}/done", put(complete))
        .layer((limit, DefaultBodyLimit::max(LONGEST_CONTENT)))
        .with_state(Arc::new(database))
}

async fn health(State(database): Shared) -> Result<&'static str, Error> {
    database.is_there().await.map(|()| "ok\n")
}

#[derive(Deserialize)]
#[serde(default)]
struct Part {
    after: i64,
    limit: i64,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            after: 0,
            limit: 100,
        }
    }
}

async fn list(State(database): Shared, Query(part): Query<Part>) -> Result<Response, Error> {
    if !(1..=MOST).contains(&part.limit) {
        let text = format!("limit {}: expected 1 to {MOST}\n", part.limit);
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, text).into_response());
    }
    let todos = database.list(part.after, part.limit).await?;
    Ok(Json(todos).into_response())
}

#[derive(Deserialize)]
struct New {
    title: String,
}

async fn add(State(database): Shared, Json(new): Json<New>) -> Result<Response, Error> {
    if !(1..=LONGEST).contains(&new.title.len()) || new.title.contains('\0') {
        let text = format!(
            "title of {} octets: expected 1 to {LONGEST}, none of them zero\n",
            new.title.len()
        );
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, text).into_response());
    }
    let todo = database.add(&new.title).await?;
    let location = [(header::LOCATION, format!("/todos/{}", todo.id()))];
    Ok((StatusCode::CREATED, location, Json(todo)).into_response())
}

async fn find(State(database): Shared, Path(id): Path<i64>) -> Result<Json<Todo>, Response> {
    let todo = database.find(id).await.map_err(Error::into_response)?;
    todo.map(Json)
        .ok_or_else(|| StatusCode::NOT_FOUND.into_response())
}

async fn complete(State(database): Shared, Path(id): Path<i64>) -> Result<StatusCode, Error> {
    database.complete(id).await.map(done)
}

async fn delete(State(database): Shared, Path(id): Path<i64>) -> Result<StatusCode, Error> {
    database.delete(id).await.map(done)
}

fn done(was_there: bool) -> StatusCode {
    if was_there {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Away(text) => (StatusCode::SERVICE_UNAVAILABLE, text),
            Self::Failed(text) => (StatusCode::INTERNAL_SERVER_ERROR, text),
        };
        tell(&text);
        status.into_response()
    }
}

/// What the database says is for who runs the service: once a second, as every request may meet with it.
fn tell(text: &str) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_none_or(|last| last.elapsed() >= Duration::from_secs(1)) {
        *last = Some(Instant::now());
        eprintln!("todo: {text}");
    }
}
