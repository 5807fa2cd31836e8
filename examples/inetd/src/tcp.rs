//! The services over TCP.
use std::io;

use futures_lite::future;
use mkernel::{
    Care, Orphans,
    net::{
        Stack, TcpListener, TcpStream,
        netstack::proto::tcp::{Options, congestion::MakeController},
    },
};

use crate::{CHARGEN_TEXT, daytime_line};

/// Connections that may wait to be accepted.
const BACKLOG: usize = 128;

/// Accepts connections and has each served by a task of its own.
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
    let listener = TcpListener::bind_with(&stack, ([0, 0, 0, 0], port), BACKLOG, &options)?;
    let mut connections = Orphans::new();
    loop {
        let (stream, _) = listener.accept().await?;
        connections.spawn(service(stream));
        // A connection that failed is its client's affair.
        while let Care::Finished(_) = connections.care() {}
    }
}

pub(crate) async fn echo(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
        stream.write_chunk(chunk).await?;
    }
    stream.shutdown()
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
