//! The example `todo` with a PostgreSQL of Debian's, in a unikernel and, from the same source, on Linux.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::{Guest, HttpClient, Network, Postgres, Running, Target, host_program};

/// How often the database is ended under load.
const RESTARTS: usize = if cfg!(feature = "long") { 20 } else { 2 };
const WRITERS: usize = 8;
/// For one step of the test.
const LIMIT: Duration = Duration::from_secs(60);

fn url() -> String {
    let (password, address) = (Postgres::PASSWORD, Postgres::ADDRESS);
    format!("postgres://unikernel:{password}@{address}/postgres")
}

#[test]
#[ignore = "needs root and a PostgreSQL: ci/test system, or with wrk beside it ci/long deploy"]
fn spt_a_service_of_axum_and_tokio_postgres_outlives_its_database() {
    let guest = Guest::build("todo", Target::Spt)
        .option("--net:service=tap0")
        .option("--mem=128")
        .argument("--ipv4=10.0.0.2/24")
        .argument(format!("--env=DATABASE_URL={}", url()))
        .limit(Duration::from_secs(600));
    check([10, 0, 0, 2], || guest.start());
}

#[test]
#[ignore = "needs root and a PostgreSQL: ci/test system, or with wrk beside it ci/long deploy"]
fn linux_a_service_of_axum_and_tokio_postgres_outlives_its_database() {
    let program = host_program("todo", "todo");
    check([10, 0, 0, 1], || {
        let mut command = Command::new(&program);
        command.env("DATABASE_URL", url());
        Running::start(command, Duration::from_secs(600))
    });
}

fn check(host: [u8; 4], start: impl FnOnce() -> Running + Send) {
    let postgres = Postgres::create();
    let address = SocketAddr::from((host, 8080));
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let mut running = start();
        let mut client = {
            drop(running.connect(address, LIMIT));
            HttpClient::connect(address).unwrap()
        };
        // The service is there before its database.
        assert_eq!(client.ask("GET", "/todos", b"").unwrap().0, 503);
        let mut server = Some(postgres.start());
        every_call(&mut client);
        let writers: Vec<Writer> = (0..WRITERS).map(|_| Writer::default()).collect();
        let over = AtomicBool::new(false);
        let writes = || {
            wait_for("writes", &writers, |writer| {
                writer.acknowledged.load(Relaxed)
            })
        };
        let refusals = || wait_for("refusals", &writers, |writer| writer.refused.load(Relaxed));
        thread::scope(|scope| {
            let _end = End(&over);
            for (number, writer) in writers.iter().enumerate() {
                let over = &over;
                scope.spawn(move || writer.write(address, number, over));
            }
            if cfg!(feature = "long") {
                scope.spawn(move || load(address));
            }
            for _ in 0..RESTARTS {
                writes();
                server = None;
                assert_eq!(client.ask("GET", "/healthz", b"").unwrap().0, 503);
                refusals();
                server = Some(postgres.start());
            }
            writes();
        });
        every_acknowledged_one_is_there(&mut client, &writers);
        assert!(!running.has_ended());
        drop(server);
    });
}

/// Tells the writers to end, also where the test has failed.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Readers beside the writers, for as long as the restarts take about.
fn load(address: SocketAddr) {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads=1", "--connections=64", "--duration=40"]);
    let output = wrk.arg(format!("http://{address}/todos/2")).output();
    let output = output.expect("the package wrk: ci/setup wrk");
    let text = String::from_utf8_lossy(&output.stdout);
    let (before, _) = text
        .split_once(" requests in ")
        .unwrap_or_else(|| panic!("{output:?}"));
    let requests: u64 = before
        .rsplit(char::is_whitespace)
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(requests > 1000, "{text}");
    println!("{text}");
}

/// Each route, with what it answers where all is well and where it is asked for what makes no sense.
fn every_call(client: &mut HttpClient) {
    let mut ask =
        |method: &str, path: &str, content: &str| client.ask_json(method, path, content).unwrap();
    assert_eq!(ask("GET", "/healthz", ""), (200, "ok\n".into()));
    assert_eq!(ask("GET", "/todos", ""), (200, "[]".into()));
    let first = r#"{"id":1,"title":"buy \"milk\"","done":false}"#;
    let added = ask("POST", "/todos", r#"{"title": "buy \"milk\""}"#);
    assert_eq!(added, (201, first.into()));
    let second = r#"{"id":2,"title":"Größe","done":false}"#;
    assert_eq!(
        ask("POST", "/todos", r#"{"title": "Größe"}"#),
        (201, second.into())
    );
    assert_eq!(
        ask("GET", "/todos", ""),
        (200, format!("[{first},{second}]"))
    );
    assert_eq!(
        ask("GET", "/todos?limit=1", ""),
        (200, format!("[{first}]"))
    );
    assert_eq!(
        ask("GET", "/todos?after=1", ""),
        (200, format!("[{second}]"))
    );
    assert_eq!(ask("PUT", "/todos/2/done", ""), (204, String::new()));
    let second = second.replace("false", "true");
    assert_eq!(ask("GET", "/todos/2", ""), (200, second.clone()));
    assert_eq!(ask("DELETE", "/todos/1", ""), (204, String::new()));
    assert_eq!(ask("GET", "/todos", ""), (200, format!("[{second}]")));
    for (method, path) in [
        ("GET", "/todos/1"),
        ("DELETE", "/todos/1"),
        ("PUT", "/todos/1/done"),
        ("GET", "/x"),
    ] {
        assert_eq!(
            ask(method, path, ""),
            (404, String::new()),
            "{method} {path}"
        );
    }
    let long = "a".repeat(9000);
    let long = format!("{{\"title\": \"{long}\"}}");
    for (content, status) in [
        (&*long, 413),
        ("{", 400),
        ("{}", 422),
        (r#"{"title": ""}"#, 422),
        (r#"{"title": "\u0000"}"#, 422),
    ] {
        assert_eq!(ask("POST", "/todos", content).0, status, "{content}");
    }
    assert_eq!(ask("GET", "/todos/one", "").0, 400);
    assert_eq!(ask("GET", "/todos?limit=0", "").0, 422);
}

/// What a writer knows of one that was acknowledged; nothing where a change of it was not answered.
struct Entry {
    title: String,
    done: Option<bool>,
    there: Option<bool>,
}

/// Adds, completes and deletes, and keeps account of what was acknowledged.
#[derive(Default)]
struct Writer {
    acknowledged: AtomicU64,
    refused: AtomicU64,
    entries: Mutex<HashMap<u64, Entry>>,
}

impl Writer {
    fn write(&self, address: SocketAddr, number: usize, over: &AtomicBool) {
        let mut client = HttpClient::connect(address).unwrap();
        let mut change = |method: &str, path: &str, content: &str, expected| {
            let (status, content) = client.ask_json(method, path, content).unwrap();
            match status {
                503 => {
                    self.refused.fetch_add(1, Relaxed);
                    thread::sleep(Duration::from_millis(5));
                    return None;
                }
                status => assert_eq!(status, expected, "{method} {path}: {content}"),
            }
            self.acknowledged.fetch_add(1, Relaxed);
            Some(content)
        };
        for count in 0_u64.. {
            if over.load(Relaxed) {
                return;
            }
            let title = format!("{number}: {count}");
            let content = format!("{{\"title\": \"{title}\"}}");
            let Some(added) = change("POST", "/todos", &content, 201) else {
                continue;
            };
            let id = serde_json::from_str::<Value>(&added).unwrap()["id"]
                .as_u64()
                .unwrap();
            let path = format!("/todos/{id}");
            let (mut done, mut there) = (Some(false), Some(true));
            if count % 2 == 0 {
                done = change("PUT", &format!("{path}/done"), "", 204).map(|_| true);
            }
            if count % 3 == 0 {
                there = change("DELETE", &path, "", 204).map(|_| false);
            }
            let entry = Entry { title, done, there };
            let before = self.entries.lock().unwrap().insert(id, entry);
            assert!(before.is_none(), "{id} was given twice");
        }
    }
}

/// Waits until each writer has had so much more of what `count` counts.
fn wait_for(what: &str, writers: &[Writer], count: impl Fn(&Writer) -> u64) {
    const MORE: u64 = 20;
    let before: Vec<u64> = writers.iter().map(&count).collect();
    let deadline = Instant::now() + LIMIT;
    while writers
        .iter()
        .zip(&before)
        .any(|(writer, before)| count(writer) < before + MORE)
    {
        assert!(
            Instant::now() < deadline,
            "{what}: not {MORE} more for each writer"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

fn every_acknowledged_one_is_there(client: &mut HttpClient, writers: &[Writer]) {
    let mut found = HashMap::new();
    let mut after = 0;
    loop {
        let (status, content) = client
            .ask("GET", &format!("/todos?after={after}&limit=500"), b"")
            .unwrap();
        assert_eq!(status, 200, "{content}");
        let page: Vec<Value> = serde_json::from_str(&content).unwrap();
        let Some(last) = page.last() else { break };
        after = last["id"].as_u64().unwrap();
        found.extend(
            page.into_iter()
                .map(|todo| (todo["id"].as_u64().unwrap(), todo)),
        );
    }
    let mut kept = 0;
    for (id, entry) in writers
        .iter()
        .flat_map(|writer| std::mem::take(&mut *writer.entries.lock().unwrap()))
    {
        let todo = found.get(&id);
        assert!(
            entry.there.is_none_or(|there| there == todo.is_some()),
            "{id}: {todo:?}"
        );
        let Some(todo) = todo else { continue };
        assert_eq!(todo["title"], entry.title, "{id}");
        assert!(
            entry.done.is_none_or(|done| todo["done"] == done),
            "{id}: {todo:?}"
        );
        kept += 1;
    }
    let refused: u64 = writers
        .iter()
        .map(|writer| writer.refused.load(Relaxed))
        .sum();
    println!("{RESTARTS} restarts, {kept} entries kept, {refused} requests refused");
}
