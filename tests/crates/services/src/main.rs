//! Services and clients over sockets, with threads and files, as they come from crates.io: by `mkernel`'s feature `posix`.
//!
//! A row has both ends in the program. `serve` and `ask ADDRESS` have one each, for two unikernels; `https URL` asks
//! whoever is there, and trusts whom the command line names, or Mozilla.

mod files;
mod grpc;
mod http;
mod https;
mod quic;
mod runtime;
mod sockets;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use mkernel as _;
use tokio::net::TcpListener;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [word] if word == "serve" => block_on(serve()),
        [word, address] if word == "ask" => ask(address.parse().expect("an address")),
        [word, url] if word == "https" => return https::ask(url),
        _ => {
            return rows::run(&[
                ("tokio", runtime::tokio),
                ("rayon", runtime::rayon),
                ("axum", http::axum),
                ("hyper-util", http::hyper_util),
                ("reqwest", http::reqwest),
                ("ureq", http::ureq),
                ("tonic", grpc::tonic),
                ("tokio-tungstenite", sockets::tokio_tungstenite),
                ("quinn", quic::quinn),
                ("tracing-appender", files::tracing_appender),
                ("notify", files::notify),
            ]);
        }
    }
    println!("SUCCESS");
    ExitCode::SUCCESS
}

/// Runs a future in tokio's runtime of several threads.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

/// A listener of the program's own, and where it is.
async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

const HTTP: u16 = 8080;
const HYPER: u16 = 8081;
const GRPC: u16 = 50051;
const WEB_SOCKETS: u16 = 9001;

/// All services, one after the other on a port of its own, until the unikernel is ended.
async fn serve() {
    let bind = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
    let hyper = bind(HYPER).await.unwrap();
    let grpc = bind(GRPC).await.unwrap();
    let web_sockets = bind(WEB_SOCKETS).await.unwrap();
    // The last, so that who reaches it reaches all.
    let http = bind(HTTP).await.unwrap();
    tokio::join!(
        http::serve(http),
        http::serve_by_hyper_util(hyper, std::future::pending::<()>()),
        grpc::serve(grpc),
        sockets::serve(web_sockets),
    );
}

/// Asks all services of a host.
fn ask(host: IpAddr) {
    let at = |port| SocketAddr::from((host, port));
    block_on(async {
        http::ask_by_reqwest(at(HTTP)).await;
        http::ask_by_hyper_util(at(HYPER)).await;
        grpc::ask(at(GRPC)).await;
        sockets::ask(at(WEB_SOCKETS)).await;
    });
    http::ask_by_ureq(at(HTTP));
}
