//! Protocols of the network, each end against the other in memory: sockets are netstack's, and a crate that takes any
//! stream takes those too.

mod http;
mod quic;
mod shell;
mod sockets;

use std::future::Future;
use std::process::ExitCode;

fn main() -> ExitCode {
    rows::run(&[
        ("hyper", http::hyper),
        ("axum", http::axum),
        ("tower-http", http::tower_http),
        ("h2", http::h2),
        ("tungstenite", sockets::tungstenite),
        ("ureq", sockets::ureq),
        ("quinn-proto", quic::quinn_proto),
        ("russh", shell::russh),
    ])
}

/// Runs a future in tokio's current-thread runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}
