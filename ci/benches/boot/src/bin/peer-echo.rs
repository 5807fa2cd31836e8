//! `examples/echo` as a user of Linux would write it: tokio's current-thread runtime.

use std::{io, net::Ipv4Addr};

use tokio::{
    io::copy,
    net::{TcpListener, TcpStream},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 3000)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream));
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<u64> {
    let (mut reader, mut writer) = stream.split();
    copy(&mut reader, &mut writer).await
}
