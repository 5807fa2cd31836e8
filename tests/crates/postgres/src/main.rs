//! Counts its starts in a table of PostgreSQL's, and prints the count: a service whose state is elsewhere.

use std::error::Error;
use std::net::SocketAddrV4;
use std::process::ExitCode;

use clap::Parser;
use mkernel::cli;
use mkernel::net::TcpStream;
use tokio_postgres::{Config, NoTls};
use tokio_util::compat::FuturesAsyncReadCompatExt;

/// Counts its starts in PostgreSQL
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
    /// The server
    #[arg(long, default_value = "10.0.0.1:5432")]
    server: SocketAddrV4,
    /// The password of the user `unikernel`
    #[arg(long)]
    password: String,
}

fn main() -> ExitCode {
    cli::run(count)
}

async fn count(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let stream = TcpStream::connect(&online.stack, arguments.server).await?;
    let mut config = Config::new();
    config
        .user("unikernel")
        .dbname("postgres")
        .password(arguments.password);
    let (mut client, connection) = config.connect_raw(stream.compat(), NoTls).await?;
    // It carries requests and answers for as long as there is a client.
    let connection = mkernel::spawn(connection);

    client
        .batch_execute("CREATE TABLE IF NOT EXISTS starts (at TEXT, number BIGINT)")
        .await?;
    let transaction = client.transaction().await?;
    let row = transaction
        .query_one("SELECT count(*) FROM starts WHERE at = $1", &[&"here"])
        .await?;
    let number = row.try_get::<_, i64>(0)? + 1;
    transaction
        .execute("INSERT INTO starts VALUES ($1, $2)", &[&"here", &number])
        .await?;
    transaction.commit().await?;
    println!("start {number}");

    drop(client);
    connection
        .await
        .map_err(|_| "the connection's task has panicked")??;
    Ok(())
}
