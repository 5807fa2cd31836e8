//! The services of `examples/inetd` as a user of Linux would write them:
//! tokio's current-thread runtime over the kernel's sockets.

use std::{
    cell::RefCell,
    io::{Error, ErrorKind, Result},
};

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
    let listener = TcpListener::bind(("::", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(service(stream));
    }
}

thread_local! {
    /// One buffer for all: an idle connection costs no more than it must.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 << 10]);
}

async fn echo(mut stream: TcpStream) -> Result<()> {
    loop {
        stream.readable().await?;
        let echoed = BUFFER.with_borrow_mut(|buffer| {
            let read = stream.try_read(buffer)?;
            let written = match stream.try_write(&buffer[..read]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                written => written?,
            };
            Ok::<_, Error>((read, buffer[written..read].to_vec()))
        });
        match echoed {
            Ok((0, _)) => return Ok(()),
            Ok((_, left)) => stream.write_all(&left).await?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
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
