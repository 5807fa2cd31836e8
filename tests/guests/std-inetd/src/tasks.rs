//! With tokio's runtime of several threads, and a task for each connection.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::{CHARGEN, COUNTS, DAYTIME, DISCARD, ECHO, characters, count, leave};

type Idle = Option<Duration>;

pub(crate) fn serve(idle: Idle, descriptors: Option<usize>) -> io::Result<()> {
    // More than there are processors.
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2).thread_stack_size(256 << 10);
    runtime.enable_all().build()?.block_on(async {
        let listener = |port: u16| TcpListener::bind(("::", port));
        let (echoing, discarding) = (listener(ECHO).await?, listener(DISCARD).await?);
        let (telling, writing) = (listener(DAYTIME).await?, listener(CHARGEN).await?);
        let datagrams = UdpSocket::bind(("::", ECHO)).await?;
        let _taken = descriptors.map(leave).transpose()?;
        tokio::join!(
            accept(&echoing, idle, echo),
            accept(&discarding, idle, discard),
            accept(&telling, idle, daytime),
            accept(&writing, idle, chargen),
            echo_datagrams(&datagrams),
        );
        Ok(())
    })
}

async fn accept<F>(listener: &TcpListener, idle: Idle, service: fn(TcpStream, Idle) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                COUNTS.served.fetch_add(1, Ordering::Relaxed);
                drop(tokio::spawn(service(stream, idle)));
            }
            Err(error) => count(&COUNTS.not_accepted, &error),
        }
    }
}

/// The result, unless that takes longer than is waited for.
async fn within<T>(idle: Idle, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match idle {
        None => work.await,
        Some(limit) => timeout(limit, work).await?,
    }
}

async fn echo(mut stream: TcpStream, idle: Idle) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let octets = within(idle, stream.read(&mut buffer)).await?;
        if octets == 0 {
            return Ok(());
        }
        within(idle, stream.write_all(&buffer[..octets])).await?;
    }
}

async fn discard(mut stream: TcpStream, idle: Idle) -> io::Result<()> {
    let mut buffer = [0; 1024];
    while within(idle, stream.read(&mut buffer)).await? > 0 {}
    Ok(())
}

async fn daytime(mut stream: TcpStream, idle: Idle) -> io::Result<()> {
    within(idle, stream.write_all(COUNTS.told().as_bytes())).await
}

async fn chargen(mut stream: TcpStream, idle: Idle) -> io::Result<()> {
    let characters = characters();
    loop {
        within(idle, stream.write_all(&characters)).await?;
    }
}

async fn echo_datagrams(socket: &UdpSocket) {
    let mut buffer = [0; 2048];
    loop {
        // What cannot be sent back is lost, as on the way.
        if let Ok((octets, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..octets], from).await;
        }
    }
}
