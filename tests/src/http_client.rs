//! A client of HTTP/1.1 that sees what is on the wire.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a service may take to answer.
const LIMIT: Duration = Duration::from_secs(60);

/// A connection on which requests are made, one after the other.
#[derive(Debug)]
pub struct HttpClient(TcpStream);

impl HttpClient {
    /// Connects to a service.
    ///
    /// # Errors
    ///
    /// When it does not take the connection.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(Self(stream))
    }

    /// The connection.
    pub fn stream(&self) -> &TcpStream {
        &self.0
    }

    /// The status and the content of the answer, whose length its head has to say.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn ask(&mut self, method: &str, path: &str, content: &[u8]) -> io::Result<(u16, String)> {
        self.ask_with(method, path, "", content)
    }

    /// Likewise, of content that is JSON.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub fn ask_json(
        &mut self,
        method: &str,
        path: &str,
        content: &str,
    ) -> io::Result<(u16, String)> {
        let field = "content-type: application/json\r\n";
        self.ask_with(method, path, field, content.as_bytes())
    }

    fn ask_with(
        &mut self,
        method: &str,
        path: &str,
        fields: &str,
        content: &[u8],
    ) -> io::Result<(u16, String)> {
        let length = content.len();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: a\r\n{fields}content-length: {length}\r\n\r\n"
        )
        .into_bytes();
        request.extend(content);
        self.0.write_all(&request)?;
        let head = read_head(&mut self.0)?;
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().expect("a length"));
        let mut content = vec![0; length];
        self.0.read_exact(&mut content)?;
        let status = head[9..12].parse().expect("a status");
        Ok((status, String::from_utf8_lossy(&content).into_owned()))
    }
}

/// The head of a message, with the empty line at its end, and nothing of what follows.
///
/// # Errors
///
/// When it does not come.
pub fn read_head(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet)?;
        head.push(octet[0]);
    }
    Ok(String::from_utf8(head).expect("a head is ASCII"))
}
