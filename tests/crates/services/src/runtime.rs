//! Runtimes.

use std::io::ErrorKind;
use std::time::Duration;

use rayon::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, UnixStream};
use tokio::runtime::Builder;
use tokio::sync::{broadcast, watch};
use tokio::time::{interval, timeout};

use crate::listen;

/// Both runtimes with all that `enable_all` has.
pub(crate) fn tokio() {
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        builder.enable_all().build().unwrap().block_on(async {
            net().await;
            time_and_sync().await;
            fs().await;
            process().await;
        });
    }
}

async fn net() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut from, mut to) = stream.into_split();
        tokio::io::copy(&mut from, &mut to).await.unwrap()
    });
    let mut stream = TcpStream::connect(("localhost", address.port()))
        .await
        .unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(b"there and back").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut back = String::new();
    stream.read_to_string(&mut back).await.unwrap();
    assert_eq!(
        (back.as_str(), server.await.unwrap()),
        ("there and back", 14)
    );

    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(socket.local_addr().unwrap()).await.unwrap();
    socket.send(b"to itself").await.unwrap();
    let mut buffer = [0; 64];
    assert_eq!(socket.recv(&mut buffer).await.unwrap(), 9);

    let (mut one, mut other) = UnixStream::pair().unwrap();
    one.write_all(b"pair").await.unwrap();
    drop(one);
    let mut text = String::new();
    other.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "pair");
}

async fn time_and_sync() {
    let mut ticks = interval(Duration::from_millis(2));
    for _ in 0..3 {
        ticks.tick().await;
    }
    let never = std::future::pending::<()>();
    assert!(timeout(Duration::from_millis(2), never).await.is_err());
    let (sender, mut first) = broadcast::channel(4);
    let mut second = sender.subscribe();
    let (seen, mut sees) = watch::channel(0);
    tokio::spawn(async move {
        sender.send(7).unwrap();
        seen.send(1).unwrap();
    });
    assert_eq!((first.recv().await, second.recv().await), (Ok(7), Ok(7)));
    assert_eq!(*sees.wait_for(|seen| *seen == 1).await.unwrap(), 1);
    assert_eq!(tokio::task::spawn_blocking(|| 6 * 7).await.unwrap(), 42);
}

async fn fs() {
    let folder = "/tmp/tokio";
    tokio::fs::create_dir_all(folder).await.unwrap();
    let mut file = tokio::fs::File::create(format!("{folder}/file"))
        .await
        .unwrap();
    file.write_all(&[b'x'; 100_000]).await.unwrap();
    file.sync_all().await.unwrap();
    let read = tokio::fs::read(format!("{folder}/file")).await.unwrap();
    assert_eq!(read.len(), 100_000);
    let mut entries = tokio::fs::read_dir(folder).await.unwrap();
    let entry = entries.next_entry().await.unwrap().unwrap();
    assert_eq!(entry.file_name(), "file");
    let absent = tokio::fs::read("/tmp/absent").await.unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    tokio::fs::remove_dir_all(folder).await.unwrap();
}

/// There are none, and the error says so.
async fn process() {
    let error = tokio::process::Command::new("true").status().await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);
    let error = tokio::process::Command::new("true").output().await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);
}

/// A pool of several threads, which take turns.
pub(crate) fn rayon() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build();
    pool.unwrap().install(|| {
        let sum: u64 = (1..=100_000_u64).into_par_iter().map(|it| it * 2).sum();
        assert_eq!(sum, 10_000_100_000);
        let mut numbers: Vec<u32> = (0..10_000).map(|it| it * 7_919 % 10_007).collect();
        numbers.par_sort_unstable();
        assert!(numbers.is_sorted());
    });
    assert_eq!(rayon::join(|| 1, || 2), (1, 2));
}
