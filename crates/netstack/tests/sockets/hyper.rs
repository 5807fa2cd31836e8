//! The traits of `hyper`.

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice};
use std::pin::Pin;

use hyper::rt::{Read, ReadBuf, Write};
use netstack::TcpStream;

use crate::tcp::pair;
use crate::world::World;

async fn read(stream: &TcpStream, room: usize) -> std::io::Result<Vec<u8>> {
    let mut buffer = vec![0; room];
    let mut buffer = ReadBuf::new(&mut buffer);
    poll_fn(|context| Read::poll_read(Pin::new(&mut &*stream), context, buffer.unfilled())).await?;
    Ok(buffer.filled().to_vec())
}

async fn write(stream: &TcpStream, parts: &[&[u8]]) -> std::io::Result<usize> {
    let parts: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    poll_fn(|context| Write::poll_write_vectored(Pin::new(&mut &*stream), context, &parts)).await
}

async fn shutdown(stream: &TcpStream) -> std::io::Result<()> {
    poll_fn(|context| Write::poll_shutdown(Pin::new(&mut &*stream), context)).await
}

#[test]
fn all_parts_are_written_at_once_and_read_into_one_buffer() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        assert!(client.is_write_vectored());
        let written = write(&client, &[b"GET ", b"", b"/ HTTP"]).await;
        assert_eq!(written.expect("room"), 10);
        assert_eq!(read(&server, 100).await.expect("there"), b"GET / HTTP");
        // What arrived in two segments is read at once too, and no more than fits.
        for part in [&b"ab"[..], b"cdef"] {
            write(&client, &[part]).await.expect("room");
            client.flushed().await.expect("acknowledged");
        }
        assert_eq!(read(&server, 5).await.expect("there"), b"abcde");
        assert_eq!(read(&server, 5).await.expect("there"), b"f");
    });
}

#[test]
fn the_end_is_read_as_nothing_after_what_came_before() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        write(&client, &[b"last"]).await.expect("room");
        shutdown(&client).await.expect("ended");
        shutdown(&client).await.expect("a second time is none");
        let error = write(&client, &[b"more"]).await.expect_err("ended");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(read(&server, 100).await.expect("there"), b"last");
        assert_eq!(read(&server, 100).await.expect("the end"), b"");
    });
}

#[test]
fn a_full_send_buffer_takes_the_first_parts() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        let part = vec![7; 40_000];
        let parts = vec![&part[..]; 50];
        let written = write(&client, &parts).await.expect("some room");
        assert!(written > 0 && written < 50 * part.len(), "{written}");
        let mut received = 0;
        while received < written {
            received += read(&server, 100_000).await.expect("there").len();
        }
        assert_eq!(received, written);
        client.abort();
        let error = read(&server, 100).await.expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}
