//! The services over TCP.
use std::{io, net::Ipv6Addr, time::Duration};

use futures_lite::future;
use mkernel::{
    Care, Orphans,
    net::{
        Stack, TcpListener, TcpStream,
        netstack::proto::tcp::{Options, congestion::MakeController},
    },
    timeout,
};

use crate::{CHARGEN_TEXT, daytime_line, told_to_end};

/// Connections that may wait to be accepted.
const BACKLOG: usize = 128;

/// How long clients may take to finish once the unikernel is told to end: less than the tender's ten seconds.
const GRACE: Duration = Duration::from_secs(5);

/// Accepts connections and has each served by a task of its own, until the unikernel is told to end.
pub(crate) async fn serve<S>(
    stack: Stack,
    port: u16,
    congestion: MakeController,
    service: impl Fn(TcpStream) -> S,
) -> io::Result<()>
where
    S: Future<Output = io::Result<()>> + 'static,
{
    let options = Options::default().congestion(congestion);
    let listener =
        TcpListener::bind_with(&stack, (Ipv6Addr::UNSPECIFIED, port), BACKLOG, &options)?;
    let mut connections = Orphans::new();
    let accept = async {
        loop {
            let (stream, _) = listener.accept().await?;
            connections.spawn(service(stream));
            // A connection that failed is its client's affair.
            while let Care::Finished(_) = connections.care() {}
        }
    };
    future::or(told_to_end(), accept).await?;
    drop(listener);
    // Clients that have not finished then are cut off.
    let finish = async { while connections.next().await.is_some() {} };
    let _ = timeout(GRACE, finish).await;
    Ok(())
}

pub(crate) async fn echo(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
        stream.write_chunk(chunk).await?;
    }
    stream.shutdown()?;
    stream.flushed().await
}

pub(crate) async fn discard(stream: TcpStream) -> io::Result<()> {
    while stream.read_chunk(usize::MAX).await?.is_some() {}
    stream.shutdown()
}

/// Sends until the client has closed; what it sends is thrown away.
pub(crate) async fn chargen(mut stream: TcpStream) -> io::Result<()> {
    let text = &*CHARGEN_TEXT;
    let (mut reader, mut writer) = stream.split();
    let read = async {
        while reader.read_chunk(usize::MAX).await?.is_some() {}
        Ok(())
    };
    let write = async {
        loop {
            writer.write_chunk(text.clone()).await?;
        }
    };
    future::or(read, write).await
}

/// Says the time, and closes first.
pub(crate) async fn daytime(stream: TcpStream) -> io::Result<()> {
    stream.write_chunk(daytime_line()).await?;
    stream.shutdown()?;
    while stream.read_chunk(usize::MAX).await?.is_some() {}
    Ok(())
}
