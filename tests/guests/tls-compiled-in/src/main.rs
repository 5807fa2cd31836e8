//! Says back over TLS, on port 443, one line that it hears. It is known by a certificate that is part of the program.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use futures_lite::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, split};
use mkernel::cli;
use mkernel::net::TcpListener;
use mkernel::tls::{Identity, Server, ServerOptions};

const CERTIFICATE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/certificate.pem"));
const KEY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/key.pem"));

/// Says back over TLS a line that it hears
#[derive(Parser)]
struct Arguments {
    /// Print the certificate, and end
    #[arg(long)]
    certificate: bool,
    #[command(flatten)]
    network: cli::Network,
}

fn main() -> ExitCode {
    cli::run(serve)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    if arguments.certificate {
        print!("{}", str::from_utf8(CERTIFICATE)?);
        return Ok(());
    }
    let identity = Identity::from_pem(CERTIFICATE, KEY)?;
    let server = Server::new([identity], ServerOptions::default())?;
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let listener = TcpListener::bind(&online.stack, ([0, 0, 0, 0], 443))?;
    loop {
        let (stream, _) = listener.accept().await?;
        // Whatever a client does is its affair.
        if let Ok(stream) = server.accept(stream).await {
            let (reader, mut writer) = split(stream);
            let mut line = String::new();
            let _ = BufReader::new(reader).read_line(&mut line).await;
            let _ = writer.write_all(line.as_bytes()).await;
            let _ = writer.close().await;
        }
    }
}
