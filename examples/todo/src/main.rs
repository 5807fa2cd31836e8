//! What is to be done, over HTTP, in PostgreSQL: a service of axum and tokio-postgres, written as for Linux.

mod database;
mod routes;

use std::env;
use std::error::Error;
use std::process::ExitCode;

/// All that makes it a unikernel, too.
use mkernel as _;
use tokio::net::TcpListener;

use crate::database::Database;

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("todo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let url = env::var("DATABASE_URL").map_err(|error| {
        format!("DATABASE_URL: {error}: expected as postgres://user:password@10.0.0.1/todo")
    })?;
    let listen = env::args().nth(1).unwrap_or_else(|| "0.0.0.0:8080".into());
    let database = Database::new(&url).map_err(|error| format!("DATABASE_URL: {error}"))?;
    let listener = TcpListener::bind(&listen).await;
    let listener = listener.map_err(|error| format!("{listen}: {error}"))?;
    if let Err(error) = database.is_there().await {
        eprintln!("todo: no database yet: {error}");
    }
    println!("listening on {}", listener.local_addr()?);
    Ok(axum::serve(listener, routes::router(database)).await?)
}
