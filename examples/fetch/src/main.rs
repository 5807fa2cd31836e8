//! An HTTP client: gets a URL and prints what it says and hears, as `curl --verbose` does, and ends with the exit status
//! that `curl` would.

mod status;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mkernel::cli::{self, Failure};
use mkernel::http::hyper::{HeaderMap, Request, Uri, Version};
use mkernel::http::{Client, ClientError, ClientEvent, ClientOptions};
use mkernel::tls;

/// Gets a URL
#[derive(Parser)]
#[command(name = "fetch")]
struct Arguments {
    #[command(flatten)]
    network: cli::Network,
    /// What to get
    url: String,
    /// Say HEAD in place of GET
    #[arg(long)]
    head: bool,
    /// Redirects to follow
    #[arg(long, default_value_t = 0)]
    redirects: usize,
    /// Follow redirects from https to http too, which are refused otherwise
    #[arg(long)]
    insecure_redirects: bool,
    /// The most seconds that a connection, the head of the answer and each piece of its content may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// Say nothing of HTTP/2
    #[arg(long)]
    http1: bool,
    /// Authorities to trust in place of those that Mozilla trusts, in PEM or in base64 of that
    #[arg(long, value_name = "PEM")]
    authorities: Option<String>,
}

fn main() -> ExitCode {
    cli::run(fetch)
}

async fn fetch(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let url: Uri = arguments.url.parse().map_err(|_| {
        let no_url = ClientError::Url(arguments.url.clone());
        status::of_head(no_url)
    })?;
    let online = arguments.network.start(mkernel::net!("service")?).await?;
    let mut tls = tls::ClientOptions::default();
    if arguments.http1 {
        tls = tls.protocols(["http/1.1"]);
    }
    tls.authorities = arguments.authorities.as_deref().map(cli::pem);
    let tls = tls::Client::new(tls)
        .map_err(|error| Failure::new(cli::USAGE, format!("--authorities: {error}")))?;
    let timeout = Duration::from_secs(arguments.timeout);
    let options = ClientOptions::default()
        .connect_time(timeout)
        .answer_time(timeout)
        .idle_time(timeout)
        .redirects(arguments.redirects)
        .insecure_redirects(arguments.insecure_redirects)
        .tls(tls)
        .observer(tell);
    let client = Client::new(&online.stack, online.resolver, options);
    let method = if arguments.head { "HEAD" } else { "GET" };
    let request = Request::builder().method(method).uri(url);
    let request = request.header("accept", "*/*").body(String::new())?;
    let mut response = client.request(request).await.map_err(status::of_head)?;
    println!("< {} {}", name(response.version()), response.status());
    tell_fields("<", response.headers());
    let mut octets = 0;
    let mut output = io::stdout();
    while let Some(piece) = response.body_mut().next().await {
        let piece = piece.map_err(status::of_content)?;
        octets += piece.len();
        output.write_all(&piece)?;
    }
    output.flush()?;
    println!("* {octets} octets received");
    Ok(())
}

/// Prints a step.
fn tell(event: &ClientEvent<'_>) {
    match event {
        ClientEvent::Resolved {
            host, addresses, ..
        } => println!("* {host} is {addresses:?}"),
        ClientEvent::Connected { peer, .. } => println!("* Connected to {peer}"),
        ClientEvent::Secured { stream, .. } => {
            let version = stream
                .version()
                .map_or_else(String::new, |it| format!("{it:?}"));
            let suite = stream.cipher_suite().unwrap_or("an unknown cipher suite");
            let protocol = stream
                .protocol()
                .map_or("none".into(), String::from_utf8_lossy);
            println!("* {version} with {suite}, protocol {protocol}");
        }
        ClientEvent::Sent {
            request, reused, ..
        } => {
            if *reused {
                println!("* On the same connection");
            }
            let uri = request.uri();
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            println!("> {} {path} {}", request.method(), name(request.version()));
            if let Some(authority) = uri.authority() {
                println!("> host: {authority}");
            }
            tell_fields(">", request.headers());
        }
        ClientEvent::Redirected { target, .. } => println!("* Redirected to {target}"),
        _ => {}
    }
}

fn name(version: Version) -> String {
    match version {
        Version::HTTP_2 => "HTTP/2".to_owned(),
        version => format!("{version:?}"),
    }
}

fn tell_fields(direction: &str, fields: &HeaderMap) {
    for (name, value) in fields {
        println!(
            "{direction} {name}: {}",
            String::from_utf8_lossy(value.as_bytes())
        );
    }
    println!("{direction}");
}
