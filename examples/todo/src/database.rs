//! The table of what is to be done.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::tokio_postgres::{self, Config, NoTls, Row};
use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use serde::Serialize;
use tokio::sync::OnceCell;

const CONNECTIONS: usize = 16;
/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
const TABLE: &str = "CREATE TABLE IF NOT EXISTS todos (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title TEXT NOT NULL,
    done BOOLEAN NOT NULL DEFAULT FALSE
)";

/// Something to be done.
#[derive(Serialize)]
pub(crate) struct Todo {
    id: i64,
    title: String,
    done: bool,
}

/// Connections to the database, which come back when it does.
pub(crate) struct Database {
    pool: Pool,
    /// Set once the table is there.
    table: OnceCell<()>,
}

/// Why there is no answer.
pub(crate) enum Error {
    /// The database is not there, or has no room: it may be, later.
    Away(String),
    /// It does not do what it is asked for.
    Failed(String),
}

impl Database {
    /// Does not connect yet.
    pub(crate) fn new(url: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let config: Config = url.parse()?;
        // A connection that has ended is replaced when the next request wants it.
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .build()?;
        let table = OnceCell::new();
        Ok(Self { pool, table })
    }

    /// Whether it answers.
    pub(crate) async fn is_there(&self) -> Result<(), Error> {
        let client = self.client().await?;
        Ok(client.batch_execute("").await?)
    }

    /// The first `limit` after the one with the number `after`.
    pub(crate) async fn list(&self, after: i64, limit: i64) -> Result<Vec<Todo>, Error> {
        const LIST: &str = "SELECT id, title, done FROM todos WHERE id > $1 ORDER BY id LIMIT $2";
        let client = self.client().await?;
        let list = client.prepare_cached(LIST).await?;
        let rows = client.query(&list, &[&after, &limit]).await?;
        rows.into_iter().map(Todo::read).collect()
    }

    pub(crate) async fn find(&self, id: i64) -> Result<Option<Todo>, Error> {
        let client = self.client().await?;
        let find = client
            .prepare_cached("SELECT id, title, done FROM todos WHERE id = $1")
            .await?;
        let row = client.query_opt(&find, &[&id]).await?;
        row.map(Todo::read).transpose()
    }

    pub(crate) async fn add(&self, title: &str) -> Result<Todo, Error> {
        const ADD: &str = "INSERT INTO todos (title) VALUES ($1) RETURNING id, title, done";
        let client = self.client().await?;
        let add = client.prepare_cached(ADD).await?;
        Todo::read(client.query_one(&add, &[&title]).await?)
    }

    /// Whether there was one to complete.
    pub(crate) async fn complete(&self, id: i64) -> Result<bool, Error> {
        self.change("UPDATE todos SET done = TRUE WHERE id = $1", id)
            .await
    }

    /// Whether there was one to delete.
    pub(crate) async fn delete(&self, id: i64) -> Result<bool, Error> {
        self.change("DELETE FROM todos WHERE id = $1", id).await
    }

    async fn change(&self, statement: &str, id: i64) -> Result<bool, Error> {
        let client = self.client().await?;
        let statement = client.prepare_cached(statement).await?;
        Ok(client.execute(&statement, &[&id]).await? == 1)
    }

    /// A connection of its own, for one request.
    async fn client(&self) -> Result<Object, Error> {
        let client = self.pool.get().await?;
        self.table
            .get_or_try_init(|| client.batch_execute(TABLE))
            .await?;
        Ok(client)
    }
}

impl Todo {
    pub(crate) fn id(&self) -> i64 {
        self.id
    }

    fn read(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get(0)?,
            title: row.try_get(1)?,
            done: row.try_get(2)?,
        })
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => error.into(),
            error => Self::Away(error.to_string()),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        // Its own sources say more.
        let text = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        // Classes of PostgreSQL, appendix A: connections, authorization, resources, an operator's intervention. What has no
        // code is not from the server but about the connection to it.
        let away = error.code().is_none_or(|code| {
            ["08", "28", "53", "57"]
                .iter()
                .any(|class| code.code().starts_with(class))
        });
        if away {
            Self::Away(text)
        } else {
            Self::Failed(text)
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Away(text) | Self::Failed(text)) = self;
        f.write_str(text)
    }
}
