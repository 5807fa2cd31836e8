//! The example `kv`: what it answers, and what it has kept when it was killed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use system_tests::{Guest, HttpClient, HttpServer, Target};
use tempfile::TempDir;

on_each_target! {
    long: values_are_kept_and_found_again, what_is_wrong_is_said, a_full_store_takes_deletes_and_then_more,
}

/// `ci/long` has more of them.
const KILLS: u32 = if cfg!(feature = "long") { 200 } else { 2 };

/// A device of zeros, in a folder of its own.
fn disk(bytes: u64) -> TempDir {
    let folder = TempDir::new().unwrap();
    let image = File::create(folder.path().join("data")).unwrap();
    image.set_len(bytes).unwrap();
    folder
}

fn server(target: Target, folder: &Path) -> HttpServer {
    let image = folder.join("data");
    let guest = Guest::build("kv", target);
    HttpServer::new(guest.option(format!("--block:data={}", image.display())))
}

/// The example's client; panics where there is no answer.
struct Client(HttpClient);

impl Client {
    fn new(server: &HttpServer) -> Self {
        Self(HttpClient::connect(server.address()).unwrap())
    }

    fn ask(&mut self, method: &str, path: &str, content: &[u8]) -> (u16, String) {
        self.0.ask(method, path, content).unwrap()
    }
}

fn done() -> (u16, String) {
    (204, String::new())
}

fn values_are_kept_and_found_again(target: Target) {
    let folder = disk(4 << 20);
    let server = server(target, folder.path());
    server.with(|running| {
        let mut client = Client::new(&server);
        for (key, value) in [("a", "1"), ("b%2Fc", "two words"), ("d", "")] {
            assert_eq!(
                client.ask("PUT", &format!("/k/{key}"), value.as_bytes()),
                done()
            );
        }
        assert_eq!(
            client.ask("GET", "/k/b%2fc", b""),
            (200, "two words".into())
        );
        let batch = b"DELETE a\nPUT e%20f %00\nPUT d 4\n";
        assert_eq!(client.ask("POST", "/batch", batch), done());
        assert_eq!(client.ask("GET", "/k/a", b"").0, 404);
        drop(running);
    });
    // It was killed: what it had answered is there.
    server.with(|running| {
        let mut client = Client::new(&server);
        let all = "b%2Fc two%20words\nd 4\ne%20f %00\n";
        assert_eq!(client.ask("GET", "/range", b""), (200, all.into()));
        let some = client.ask("GET", "/range?from=d&to=e%20f&limit=5", b"");
        assert_eq!(some, (200, "d 4\n".into()));
        let after = client.ask("GET", "/range?after=b%2fc&limit=1", b"");
        assert_eq!(after, (200, "d 4\n".into()));
        assert_eq!(
            client.ask("GET", "/range?from=z&to=a", b""),
            (200, String::new())
        );
        assert_eq!(client.ask("DELETE", "/k/d", b""), done());
        assert_eq!(client.ask("DELETE", "/k/d", b""), done());
        assert_eq!(client.ask("GET", "/k/d", b"").0, 404);
        running.signal(Signal::SIGTERM);
    });
}

fn what_is_wrong_is_said(target: Target) {
    let folder = disk(16 << 20);
    let server = server(target, folder.path());
    server.with(|_| {
        let mut client = Client::new(&server);
        let long = "k".repeat(1025);
        let wrong = [
            ("GET", "/nowhere", "", 404, "expected /k/KEY"),
            ("PATCH", "/k/a", "", 405, "expected GET, HEAD, PUT, DELETE"),
            ("GET", "/batch", "", 405, "expected POST"),
            ("GET", "/k/%4", "", 400, "\"%4\" has a % without"),
            (
                "PUT",
                &format!("/k/{long}"),
                "v",
                413,
                "key of 1025 bytes, expected 1024 at most",
            ),
            (
                "GET",
                "/range?limit=0",
                "",
                400,
                "limit=\"0\", expected 1 to 1000",
            ),
            (
                "GET",
                "/range?frm=a",
                "",
                400,
                "\"frm=a\", expected from=KEY",
            ),
            (
                "POST",
                "/batch",
                "PUT a 1\nPUT b\n",
                400,
                "line 2, \"PUT b\": expected PUT KEY VALUE",
            ),
        ];
        for (method, path, content, status, reason) in wrong {
            let (found, text) = client.ask(method, path, content.as_bytes());
            assert!(
                found == status && text.starts_with(reason),
                "{method} {path}: {found} {text}"
            );
        }
        // Nothing of the batch was done.
        assert_eq!(client.ask("GET", "/range", b""), (200, String::new()));
        assert_eq!(client.ask("PUT", "/k/v", &vec![b'v'; 1 << 20]), done());
        assert_eq!(client.ask("PUT", "/k/v", &vec![b'v'; (1 << 20) + 1]).0, 413);
    });
}

fn a_full_store_takes_deletes_and_then_more(target: Target) {
    let folder = disk(2 << 20);
    let server = server(target, folder.path());
    server.with(|_| {
        let mut client = Client::new(&server);
        let value = vec![b'v'; 100_000];
        let mut kept = Vec::new();
        let mut refused = 0;
        // What a failure gives back may let in one more.
        for i in 0..60 {
            if refused == 3 {
                break;
            }
            match client.ask("PUT", &format!("/k/{i}"), &value) {
                (204, _) => kept.push(i),
                (507, text) if text.starts_with("the store is full") => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(refused == 3 && kept.len() > 4, "{kept:?} in 2 MiB");
        // What was kept is kept, and there is room again.
        for i in &kept {
            let (status, text) = client.ask("GET", &format!("/k/{i}"), b"");
            assert_eq!((status, text.len()), (200, value.len()));
        }
        for i in &kept[..kept.len() / 2] {
            assert_eq!(client.ask("DELETE", &format!("/k/{i}"), b""), done());
        }
        assert_eq!(client.ask("PUT", "/k/more", &value), done());
        assert_eq!(client.ask("GET", "/k/more", b"").1.len(), value.len());
    });
}

/// Sends the head of a PUT whose length is not said, and so much of its content.
fn begin_to_put(server: &HttpServer, key: &str, octets: usize) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = format!("PUT /k/{key} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    let mut sent = head.into_bytes();
    sent.extend(format!("{octets:x}\r\n").bytes());
    sent.extend(vec![b'v'; octets]);
    sent.extend(b"\r\n");
    stream.write_all(&sent).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

#[test]
fn spt_who_sends_content_slowly_keeps_nobody_out_and_is_sent_away() {
    let folder = disk(16 << 20);
    let image = folder.path().join("data");
    let guest = Guest::build("kv", Target::Spt)
        .option(format!("--block:data={}", image.display()))
        .argument("--content-time=5");
    let server = HttpServer::new(guest);
    server.with(|_| {
        let mut client = Client::new(&server);
        let value = vec![b'v'; 1 << 20];
        assert_eq!(client.ask("PUT", "/k/v", &value), done());
        // Little has come from these, and so they hold little.
        let mut slow: Vec<_> = (0..20).map(|_| begin_to_put(&server, "s", 1)).collect();
        for _ in 0..3 {
            assert_eq!(client.ask("PUT", "/k/v", &value), done());
        }
        // Of these so much that there is no room for more; a value is found all the same.
        slow.extend((0..5).map(|_| begin_to_put(&server, "s", (1 << 20) - 1)));
        let deadline = Instant::now() + Duration::from_secs(4);
        while client.ask("PUT", "/k/w", &value).0 != 503 {
            assert!(Instant::now() < deadline, "there is room");
        }
        assert_eq!(client.ask("GET", "/k/v", b"").1.len(), value.len());
        // Something comes again and again, and the time is over all the same.
        for stream in &mut slow {
            let _ = stream.write_all(b"1\r\nv\r\n");
        }
        for stream in &mut slow {
            let mut status = [0; 12];
            stream.read_exact(&mut status).unwrap();
            assert_eq!(&status, b"HTTP/1.1 408");
        }
        assert_eq!(client.ask("PUT", "/k/w", &value), done());
    });
}

/// For hvt the image is copied into the machine that it runs in, so it cannot be cut short from here.
#[test]
fn spt_an_image_that_is_cut_short_is_said_and_what_is_there_again_is_served() {
    let folder = disk(4 << 20);
    let path = folder.path().join("data");
    let server = server(Target::Spt, folder.path());
    let mut whole = Vec::new();
    server.with(|running| {
        let mut client = Client::new(&server);
        assert_eq!(client.ask("PUT", "/k/a", b"1"), done());
        whole = fs::read(&path).unwrap();
        let image = File::options().write(true).open(&path).unwrap();
        image.set_len(4096).unwrap();
        let (status, text) = client.ask("PUT", "/k/b", b"2");
        assert_eq!(status, 503, "{text}");
        assert!(!text.is_empty());
        // It goes on, and promises nothing more.
        assert_eq!(client.ask("PUT", "/k/c", b"3").0, 503);
        assert_eq!(client.ask("GET", "/nowhere", b"").0, 404);
        drop(running);
    });
    fs::write(&path, whole).unwrap();
    server.with(|_| {
        let mut client = Client::new(&server);
        assert_eq!(client.ask("GET", "/k/a", b""), (200, "1".into()));
        assert_eq!(client.ask("GET", "/k/b", b"").0, 404);
        assert_eq!(client.ask("PUT", "/k/b", b"2"), done());
    });
}

/// Has the host refuse what the process writes to a file from there on, as a full disk does.
fn limit_files(process: u32, octets: &str) {
    let mut command = Command::new("prlimit");
    command.args([format!("--pid={process}"), format!("--fsize={octets}")]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn spt_a_full_disk_of_the_host_is_said_and_the_service_goes_on_once_there_is_room() {
    let folder = disk(8 << 20);
    let server = server(Target::Spt, folder.path());
    let value = vec![b'v'; 100_000];
    let mut kept = Vec::new();
    server.with(|running| {
        let mut client = Client::new(&server);
        limit_files(running.id(), "2000000:");
        let mut refused = 0;
        for i in 0..80 {
            let (status, text) = client.ask("PUT", &format!("/k/{i}"), &value);
            match status {
                204 => kept.push(i),
                503 | 507 => refused += 1,
                _ => panic!("{status} {text}"),
            }
            if refused == 3 {
                break;
            }
        }
        assert!(refused == 3 && kept.len() > 4, "{kept:?}");
        limit_files(running.id(), "8388608:");
        assert_eq!(client.ask("PUT", "/k/more", &value), done());
        assert_eq!(client.ask("GET", "/k/more", b"").1.len(), value.len());
    });
    server.with(|_| {
        let mut client = Client::new(&server);
        for i in kept
            .into_iter()
            .map(|i| i.to_string())
            .chain(["more".into()])
        {
            let (status, text) = client.ask("GET", &format!("/k/{i}"), b"");
            assert_eq!((status, text.len()), (200, value.len()), "{i}");
        }
    });
}

/// Writers, each with a key of its own, to which it gives ever greater numbers.
const WRITERS: usize = 8;

#[test]
fn spt_what_was_answered_survives_a_kill_under_load() {
    let folder = disk(4 << 20);
    let server = server(Target::Spt, folder.path());
    let answered: [AtomicU32; WRITERS] = Default::default();
    for kill in 0..KILLS {
        server.with(|running| {
            check(&server, &answered);
            thread::scope(|scope| {
                for (writer, answered) in answered.iter().enumerate() {
                    let client = HttpClient::connect(server.address()).unwrap();
                    scope.spawn(move || write_until_killed(client, writer, answered));
                }
                // Not always at the same point of what it does.
                thread::sleep(Duration::from_millis(20 + u64::from(kill * 7 % 50)));
                running.signal(Signal::SIGKILL);
            });
        });
    }
    server.with(|_| check(&server, &answered));
    let all: u32 = answered.iter().map(|answered| answered.load(Relaxed)).sum();
    println!("{KILLS} kills, {all} writes answered, none lost");
    assert!(all > KILLS, "{all} writes in {KILLS} runs");
}

/// Has a batch of two keys written again and again: both have the same number, whatever happens.
fn write_until_killed(mut client: HttpClient, writer: usize, answered: &AtomicU32) {
    // Who is killed says nothing.
    let patience = Some(Duration::from_secs(1));
    client.stream().set_read_timeout(patience).unwrap();
    for number in answered.load(Relaxed) + 1.. {
        let batch = format!("PUT a{writer} {number}\nPUT b{writer} {number}\n");
        match client.ask("POST", "/batch", batch.as_bytes()) {
            Ok(answer) => assert_eq!(answer, done()),
            Err(_) => return,
        }
        answered.store(number, Relaxed);
    }
}

fn check(server: &HttpServer, answered: &[AtomicU32; WRITERS]) {
    let mut client = Client::new(server);
    for (writer, answered) in answered.iter().enumerate() {
        let least = answered.load(Relaxed);
        let [a, b] =
            ["a", "b"].map(
                |key| match client.ask("GET", &format!("/k/{key}{writer}"), b"") {
                    (404, _) => 0,
                    (_, number) => number.parse().unwrap(),
                },
            );
        assert_eq!(a, b, "a batch is there in part");
        // What was under way may be there.
        assert!(
            a == least || a == least + 1,
            "{a} is there, and {least} was answered"
        );
        answered.store(a, Relaxed);
    }
}
