//! The services of `examples/inetd` as a user of Linux would write them:
//! tokio's current-thread runtime over the kernel's sockets.

use std::io::Result;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    tokio::try_join!(
        serve(3000, echo),
        serve(3009, discard),
        serve(3019, chargen)
    )?;
    Ok(())
}

async fn serve<F>(port: u16, service: impl Fn(TcpStream) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(service(stream));
    }
}

async fn echo(mut stream: TcpStream) -> Result<()> {
    let mut buffer = Vec::new();
    loop {
        // No buffer while it waits: an idle connection costs no more than it must.
        stream.readable().await?;
        buffer.resize(64 << 10, 0);
        match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => stream.write_all(&buffer[..read]).await?,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn discard(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; 256 << 10];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

async fn chargen(mut stream: TcpStream) -> Result<()> {
    let pattern = vec![b'm'; 256 << 10];
    loop {
        stream.write_all(&pattern).await?;
    }
}
