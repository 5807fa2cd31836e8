//! Programs that others have made, as clients of the example `http` on spt: `ci/long clients`, which installs them.
//! `tests/system` has curl and `openssl s_client`, in short and on both targets.
//!
//! - [`browser`]: headless Chromium loads the page, and its WebSocket echoes.
//! - [`downloads`]: curl gets a gigabyte from 32 MiB.
//! - [`http2`]: nghttp, and h2load with thousands of requests.
//! - [`testssl`]: testssl.sh finds nothing above LOW.

mod browser;
mod downloads;
mod http2;
mod testssl;

use std::process::{Command, Output};
use std::time::Duration;

use system_tests::certificates::Authority;
use system_tests::{Guest, HttpServer, Target};

/// The example with 32 MiB; with TLS, known by a certificate of the authority that comes with it.
fn server() -> HttpServer {
    let guest = Guest::build_release("http-server", Target::Spt).option("--mem=32");
    HttpServer::new(guest.limit(Duration::from_secs(900)))
}

fn secured() -> (HttpServer, Authority) {
    let authority = Authority::new();
    let names = format!("DNS:server.example,IP:{}", HttpServer::ADDRESS);
    // As long as who looks for certificates that end soon wants it.
    let signed = authority.sign("server.example", &names, 120);
    (server().secured_by(&signed), authority)
}

/// What `program` prints; it has to succeed.
#[track_caller]
fn output(program: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = program.output().unwrap_or_else(|error| {
        panic!("cannot run {program:?}, which `ci/long clients` installs: {error}")
    });
    let [stdout, stderr] = [stdout, stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    assert!(
        status.success(),
        "{program:?}: {status}\n{stdout}\n{stderr}"
    );
    stdout
}
