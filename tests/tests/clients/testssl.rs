//! testssl.sh, which tries what TLS has ever been attacked with.

use std::path::Path;
use std::process::Command;

use system_tests::HttpServer;
use tempfile::TempDir;

use crate::{output, secured};

/// `SEVERITY id finding` of each finding for which jq's `filter` is true.
fn findings(report: &Path, filter: &str) -> String {
    let program = format!(r#".[] | select({filter}) | "\(.severity) \(.id) \(.finding)""#);
    output(
        Command::new("jq")
            .args(["--raw-output", &program])
            .arg(report),
    )
}

#[test]
fn nothing_above_low() {
    let (server, authority) = secured();
    let folder = TempDir::new().unwrap();
    let report = folder.path().join("report.json");
    server.with(|_| {
        // Its status counts findings of whatever severity.
        let run = Command::new("testssl")
            .args([
                "--quiet",
                "--color",
                "0",
                "--warnings",
                "off",
                "--nodns",
                "none",
            ])
            .arg("--add-ca")
            .arg(authority.certificate())
            .arg("--jsonfile")
            .arg(&report)
            .args(["--ip", HttpServer::ADDRESS, "https://server.example/"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(report.exists(), "{said}");
        let good = r#".severity | IN("OK", "INFO")"#;
        println!("{}", findings(&report, &format!("{good} | not")));
        // It has looked.
        for id in [
            "TLS1_2",
            "TLS1_3",
            "cipherlist_STRONG",
            "heartbleed",
            "cert_chain_of_trust",
        ] {
            let found = findings(&report, &format!("({good}) and .id == {id:?}"));
            assert!(found.starts_with("OK "), "{id}: {found}\n{said}");
        }
        // That this machine's openssl lacks old ciphers is a warning, and not about the server.
        let bad = findings(
            &report,
            r#".severity | IN("OK", "INFO", "LOW", "WARN") | not"#,
        );
        assert_eq!(bad, "", "{said}");
        // And so is that openssl left before the tickets came: it does not wait for them when its input has ended. It
        // misses those of every server at times; `system` looks at resumption.
        let warnings = findings(
            &report,
            r#".severity == "WARN" and .id != "engine_problem"
                and (.id == "sessionresumption_ticket" and (.finding | endswith("connect problem")) | not)"#,
        );
        assert_eq!(warnings, "");
    });
}
