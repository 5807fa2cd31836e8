//! openssl's server of HTTPS.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::certificates::Signed;

/// `openssl s_server`, which answers with a page of its own, and ends with this.
#[derive(Debug)]
pub struct OpensslServer(Child);

impl OpensslServer {
    /// One at this host and port, which is known by `signed` and listens when this returns.
    pub fn start(address: (&str, u16), signed: &Signed) -> Self {
        let (host, port) = address;
        let server = Command::new("openssl")
            .args(["s_server", "-quiet", "-www", "-accept"])
            .arg(format!("{host}:{port}"))
            .arg("-cert")
            .arg(&signed.certificate)
            .arg("-key")
            .arg(&signed.key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self(server);
        // Bounded by the limit of the unikernel's run, had it come up by then or not.
        for _ in 0..200 {
            if TcpStream::connect(address).is_ok() {
                return server;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("openssl s_server does not listen");
    }
}

impl Drop for OpensslServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
