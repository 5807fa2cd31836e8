//! Answers each line that arrives over TCP with the same one, once it has been logged in a line of 1,000 octets; ends
//! when it is told to `quit`.
#![forbid(unsafe_code)]

use std::io::{self, Write};

use mkernel::{
    Care, Orphans,
    net::{self, Config, TcpListener, TcpStream},
};

/// Octets of a line of the log, without its end.
const LOG_LINE: usize = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::default().address("10.0.0.2/24".parse()?);
    mkernel::run(async move {
        let stack = net::start(mkernel::net!("service")?, config)?;
        let listener = TcpListener::bind(&stack, ([0, 0, 0, 0], 3000))?;
        let mut connections = Orphans::new();
        loop {
            let (stream, _) = listener.accept().await?;
            connections.spawn(serve(stream));
            while let Care::Finished(_) = connections.care() {}
        }
    })
}

async fn serve(stream: TcpStream) -> io::Result<()> {
    let mut received = Vec::new();
    while let Some(chunk) = stream.read_chunk(usize::MAX).await? {
        received.extend_from_slice(&chunk);
        while let Some(end) = received.iter().position(|&octet| octet == b'\n') {
            let request: Vec<u8> = received.drain(..=end).collect();
            if request == b"quit\n" {
                std::process::exit(0);
            }
            log(&request)?;
            stream.write_all(&request).await?;
        }
    }
    stream.shutdown()
}

/// Writes a line at once, so that it is lost whole or not at all.
fn log(request: &[u8]) -> io::Result<()> {
    let request = String::from_utf8_lossy(request.trim_ascii());
    let line = format!("{:<LOG_LINE$}\n", format!("request {request}"));
    io::stdout().write_all(line.as_bytes())
}
