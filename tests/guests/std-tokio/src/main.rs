//! tokio and axum in a unikernel. The first argument names the case.

use std::error::Error;
use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mkernel as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match &arguments[..] {
        [case] if case == "current_thread" => run(Builder::new_current_thread(), inside()),
        [case] if case == "multi_thread" => run(Builder::new_multi_thread(), inside()),
        [case] if case == "busy" => run(workers(), busy(inside())),
        [case, address] if case == "upload" => run(Builder::new_current_thread(), upload(address)),
        [case, address] if case == "axum" => run(Builder::new_current_thread(), serve(address)),
        [case, address] if case == "axum_multi_thread" => {
            run(Builder::new_multi_thread(), serve(address))
        }
        [case, address] if case == "axum_busy" => run(workers(), busy(serve(address))),
        other => {
            eprintln!("no case {other:?}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = done {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    println!("SUCCESS");
    ExitCode::SUCCESS
}

fn run(mut builder: Builder, work: impl Future<Output = Outcome>) -> Outcome {
    builder.enable_all().build()?.block_on(work)
}

/// As many as would be there on a larger machine.
fn workers() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(4);
    builder
}

/// Does `work` beside a task that is always ready.
async fn busy(work: impl Future<Output = Outcome>) -> Outcome {
    // Until all workers wait, one of them for events: it is another that has the task then.
    sleep(Duration::from_millis(10)).await;
    let ready = tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    let outcome = work.await;
    ready.abort();
    outcome
}

/// Connections, datagrams, time and channels inside of the program.
async fn inside() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let mut tasks = Vec::new();
        for _ in 0..50 {
            let (mut stream, _) = listener.accept().await.expect("a client");
            tasks.push(tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await.expect("an echo")
            }));
        }
        let mut octets = 0;
        for task in tasks {
            octets += task.await.expect("no panic");
        }
        octets
    });
    let (sender, mut receiver) = mpsc::channel(4);
    for number in 0..50_u32 {
        let sender = sender.clone();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("a listener");
            let data = vec![number as u8; 100_000];
            let (mut from, mut to) = stream.split();
            let write = async {
                to.write_all(&data).await.expect("an echo");
                to.shutdown().await.expect("connected");
            };
            let mut back = Vec::new();
            let (_, read) = tokio::join!(write, from.read_to_end(&mut back));
            read.expect("an echo");
            assert_eq!(back, data);
            sender.send(number).await.expect("a receiver");
        });
    }
    drop(sender);
    let mut sum = 0;
    while let Some(number) = receiver.recv().await {
        sum += number;
    }
    assert_eq!((sum, server.await?), (49 * 25, 5_000_000));

    let began = Instant::now();
    sleep(Duration::from_millis(30)).await;
    assert!(began.elapsed() >= Duration::from_millis(30));
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let mut buffer = [0; 64];
    let waited = timeout(Duration::from_millis(10), socket.recv_from(&mut buffer)).await;
    assert!(waited.is_err());
    socket.send_to(b"to itself", socket.local_addr()?).await?;
    assert_eq!(socket.recv_from(&mut buffer).await?.0, 9);
    files().await
}

/// Files, which are read and written on threads of their own; and no processes.
async fn files() -> Outcome {
    tokio::fs::create_dir_all("/tmp/of/tokio").await?;
    let mut file = tokio::fs::File::create("/tmp/of/tokio/file").await?;
    file.write_all(&[b'x'; 100_000]).await?;
    file.sync_all().await?;
    assert_eq!(tokio::fs::read("/tmp/of/tokio/file").await?.len(), 100_000);
    let mut entries = tokio::fs::read_dir("/tmp/of/tokio").await?;
    assert!(entries.next_entry().await?.is_some());
    tokio::fs::remove_dir_all("/tmp/of").await?;
    let absent = tokio::fs::read("/tmp/of/tokio/file").await;
    assert_eq!(absent.unwrap_err().kind(), ErrorKind::NotFound);
    let process = tokio::process::Command::new("true").status().await;
    assert_eq!(process.unwrap_err().kind(), ErrorKind::Unsupported);
    Ok(())
}

/// Sends more than any buffer holds to a server outside, which then answers how much has come.
async fn upload(address: &str) -> Outcome {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&vec![b'x'; 4_000_000]).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    println!("{answer} octets");
    Ok(())
}

async fn serve(address: &str) -> Outcome {
    let app = axum::Router::new().route("/", axum::routing::get(|| async { "Hello World!\n" }));
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
