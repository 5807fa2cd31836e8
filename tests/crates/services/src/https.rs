//! Clients of HTTPS, with the cryptography that each brings: `aws-lc-rs` is reqwest's, `ring` ureq's.

use std::error::Error;
use std::process::ExitCode;

use ureq::tls::{PemItem, TlsConfig};

use crate::block_on;

/// Asks for a page by each client, and prints its first line.
pub(crate) fn ask(url: &str) -> ExitCode {
    let answers = [
        ("reqwest", block_on(by_reqwest(url))),
        ("ureq", by_ureq(url)),
    ];
    let mut status = ExitCode::SUCCESS;
    for (name, answer) in answers {
        match answer {
            Ok(text) => println!("{name}: {}", text.lines().next().unwrap_or_default()),
            Err(error) => {
                status = ExitCode::FAILURE;
                print!("{name}: {error}");
                let mut cause = error.source();
                while let Some(error) = cause {
                    print!(": {error}");
                    cause = error.source();
                }
                println!();
            }
        }
    }
    status
}

/// As it comes, it looks for the system's authorities.
async fn by_reqwest(url: &str) -> Result<String, Box<dyn Error>> {
    Ok(reqwest::get(url).await?.text().await?)
}

/// It has authorities of its own, unless it is given others.
fn by_ureq(url: &str) -> Result<String, Box<dyn Error>> {
    let authorities = std::fs::read("/etc/ssl/cert.pem")?;
    let certificates = ureq::tls::parse_pem(&authorities).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let tls = TlsConfig::builder().root_certs(certificates.collect::<Vec<_>>().into());
    let agent = ureq::Agent::config_builder()
        .tls_config(tls.build())
        .build();
    let answer = agent.new_agent().get(url).call()?;
    Ok(answer.into_body().read_to_string()?)
}
