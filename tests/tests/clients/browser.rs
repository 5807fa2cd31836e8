//! Chromium, without a window, driven over pipes by the protocol of its developer tools.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use system_tests::HttpServer;
use tempfile::TempDir;

use crate::{output, secured};

/// For a page to be there.
const LIMIT: Duration = Duration::from_secs(120);

/// A browser of its own, which ends with this.
struct Browser {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    number: u32,
}

impl Browser {
    /// Starts one whose user's folder is `home`.
    fn start(home: &TempDir) -> Self {
        // It reads commands from descriptor 3, and answers on 4.
        let script = "exec chromium --headless --no-sandbox --disable-gpu --remote-debugging-pipe \
                      3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut process = Command::new("sh")
            .args(["-c", script])
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            commands: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
            number: 0,
        }
    }

    /// Sends a command in JSON without its id; returns the answer to it.
    #[track_caller]
    fn command(&mut self, command: &str) -> String {
        self.number += 1;
        let id = format!(r#"{{"id":{},"#, self.number);
        write!(self.commands, "{id}{command}}}\0").unwrap();
        loop {
            let mut message = Vec::new();
            self.answers.read_until(0, &mut message).unwrap();
            assert!(
                message.pop().is_some(),
                "chromium has ended; is it installed?"
            );
            let message = String::from_utf8(message).unwrap();
            // Events have no id.
            if message.starts_with(&id) {
                return message;
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The text that `name` has in a message.
#[track_caller]
fn text<'a>(message: &'a str, name: &str) -> &'a str {
    let name = format!(r#""{name}":""#);
    let (_, rest) = message
        .split_once(&name)
        .unwrap_or_else(|| panic!("no {name}: {message}"));
    rest.split('"').next().unwrap()
}

#[test]
fn the_page_and_its_websocket() {
    let (server, authority) = secured();
    let home = TempDir::new().unwrap();
    // Where Chromium looks for authorities that a user trusts.
    let store = format!("sql:{}", home.path().join(".pki/nssdb").display());
    std::fs::create_dir_all(home.path().join(".pki/nssdb")).unwrap();
    output(Command::new("certutil").args(["-N", "--empty-password", "-d", &store]));
    let trust = ["-A", "-n", "authority", "-t", "C,,", "-d", &store, "-i"];
    output(
        Command::new("certutil")
            .args(trust)
            .arg(authority.certificate()),
    );
    server.with(|_| {
        let mut browser = Browser::start(&home);
        let url = format!("https://{}/", HttpServer::ADDRESS);
        let open = format!(r#""method":"Target.createTarget","params":{{"url":"{url}"}}"#);
        let target = text(&browser.command(&open), "targetId").to_owned();
        let attach = format!(
            r#""method":"Target.attachToTarget","params":{{"targetId":"{target}","flatten":true}}"#
        );
        let session = text(&browser.command(&attach), "sessionId").to_owned();
        let look = format!(
            r#""sessionId":"{session}","method":"Runtime.evaluate","params":{{"expression":"{LOOK}"}}"#
        );
        let wanted = format!("{url} true h2 A unikernel: hello");
        let deadline = Instant::now() + LIMIT;
        loop {
            let seen = browser.command(&look);
            if seen.contains(&wanted) {
                break;
            }
            assert!(Instant::now() < deadline, "{seen}");
            thread::sleep(Duration::from_millis(100));
        }
    });
}

/// Where the page is from, whether by TLS with a certificate that is trusted, by which version of HTTP, its heading, and
/// what its WebSocket has said.
const LOOK: &str = "`${location.href} ${isSecureContext} \
    ${performance.getEntriesByType('navigation')[0].nextHopProtocol} \
    ${document.querySelector('h1').textContent}: ${document.getElementById('answer').textContent}`";
