//! The example `site`, with curl as client.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::{Guest, HttpServer, Target};
use tempfile::TempDir;

on_each_target! {
    long: each_kind_of_image_is_served, requests_are_answered_as_the_rfc_says,
}

/// What is in the site beside the texts: more than fits in what lies between.
const LARGE: usize = 3_000_000;

/// A site, and a place for images of it.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let public = folder.path().join("public");
        fs::create_dir_all(public.join("sub dir")).unwrap();
        fs::write(public.join("index.html"), "<h1>front</h1>\n").unwrap();
        fs::write(public.join("sub dir/index.html"), "<h1>sub</h1>\n").unwrap();
        fs::write(
            public.join("style.css"),
            "body { color: green }\n".repeat(100),
        )
        .unwrap();
        fs::write(public.join("empty.txt"), "").unwrap();
        fs::write(public.join("Grüße.txt"), "hällo\n").unwrap();
        fs::write(public.join("large.bin"), large()).unwrap();
        let site = Self { folder };
        let compress = "gzip --keep --no-name style.css";
        site.run(compress);
        site
    }

    /// Runs a command in the directory of the site.
    fn run(&self, command: &str) {
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-ec", command])
            .current_dir(self.folder.path().join("public"))
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }

    fn image(&self, command: &str) -> PathBuf {
        self.run(command);
        let image = self.folder.path().join("image");
        // Blocks of 512 octets.
        let len = fs::metadata(&image).unwrap().len().next_multiple_of(512);
        let file = fs::File::options().write(true).open(&image).unwrap();
        file.set_len(len).unwrap();
        image
    }
}

fn large() -> Vec<u8> {
    (0..LARGE).map(|at| (at * 31 + at / 251) as u8).collect()
}

fn server(target: Target, image: &Path) -> HttpServer {
    let guest = Guest::build("site", target).option(format!("--block:site={}", image.display()));
    HttpServer::new(guest)
}

/// Asks for `path`; the answer's head, its names in lower case, and its content.
#[track_caller]
fn curl(path: &str, options: &[&str]) -> (String, Vec<u8>) {
    let folder = TempDir::new().unwrap();
    let head = folder.path().join("head");
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--path-as-is",
        ])
        .arg("--dump-header")
        .arg(&head)
        .args(options)
        .arg(format!("http://{}{path}", HttpServer::ADDRESS))
        .output()
        .unwrap_or_else(|error| panic!("cannot run curl, which ci/setup installs: {error}"));
    assert!(output.status.success(), "{path} {options:?}: {output:?}");
    (
        fs::read_to_string(head).unwrap().to_lowercase(),
        output.stdout,
    )
}

#[track_caller]
fn assert_status(path: &str, options: &[&str], status: u16) -> String {
    let (head, _) = curl(path, options);
    let first = format!("http/1.1 {status} ");
    assert!(head.starts_with(&first), "{path} {options:?}: {head}");
    head
}

fn each_kind_of_image_is_served(target: Target) {
    let site = Site::new();
    let commands = [
        "tar -cf ../image .",
        "rm ../image; mksquashfs . ../image -quiet",
        "rm ../image; mkfs.fat -C ../image 16384; LC_ALL=C.UTF-8 mcopy -s -i ../image * ::/",
        "rm ../image; mkfs.ext4 -q -d . ../image 16M",
    ];
    for command in commands {
        let image = site.image(command);
        server(target, &image).with(|_| {
            assert_eq!(curl("/", &[]).1, b"<h1>front</h1>\n");
            assert_eq!(curl("/sub%20dir/", &[]).1, b"<h1>sub</h1>\n");
            assert_eq!(curl("/Gr%C3%BC%C3%9Fe.txt", &[]).1, "hällo\n".as_bytes());
            assert_eq!(curl("/empty.txt", &[]).1, b"");
            assert!(curl("/large.bin", &[]).1 == large(), "{command}");
            assert_status("/nowhere", &[], 404);
        });
    }
}

fn requests_are_answered_as_the_rfc_says(target: Target) {
    let site = Site::new();
    let image = site.image("tar -cf ../image .");
    server(target, &image).with(|_| {
        paths();
        conditions();
        ranges();
        compression();
    });
}

fn paths() {
    let head = assert_status("/", &[], 200);
    assert!(
        head.contains("content-type: text/html; charset=utf-8\r\n"),
        "{head}"
    );
    let head = assert_status("/sub%20dir", &[], 301);
    assert!(head.contains("location: ./sub%20dir/\r\n"), "{head}");
    let (_, content) = curl("/sub%20dir", &["--location"]);
    assert_eq!(content, b"<h1>sub</h1>\n");
    for path in [
        "/../../index.html",
        "/sub%20dir/%2e%2e/index.html",
        "/sub%20dir/../",
    ] {
        assert_eq!(curl(path, &[]).1, b"<h1>front</h1>\n", "{path}");
    }
    for path in [
        "/nowhere",
        "/index.html/",
        "/index.html/x",
        "/%00",
        "/..%2fetc/passwd",
    ] {
        assert_status(path, &[], 404);
    }
    assert_status("/%zz", &[], 400);
    let head = assert_status("/", &["--request", "DELETE"], 405);
    assert!(head.contains("allow: get, head\r\n"), "{head}");
    let (head, content) = curl("/large.bin", &["--head"]);
    assert!(
        head.contains(&format!("content-length: {LARGE}\r\n")),
        "{head}"
    );
    assert_eq!(content, head_as_content(&head, &content));
}

/// `curl --head` prints the head itself, in whatever case.
fn head_as_content(head: &str, content: &[u8]) -> Vec<u8> {
    assert_eq!(
        head.len(),
        content.len(),
        "there is content behind the head"
    );
    content.to_vec()
}

fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let value = head
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name} in {head}"))
}

fn conditions() {
    let head = assert_status("/index.html", &[], 200);
    let tag = field(&head, "etag");
    let modified = head
        .lines()
        .find(|line| line.starts_with("last-modified: "))
        .unwrap();
    let date = modified.trim_start_matches("last-modified: ");
    let with = |name: &str, value: &str| format!("{name}: {value}");
    let header = |field: &str, status| {
        let (head, content) = curl("/index.html", &["--header", field]);
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{field}: {head}"
        );
        assert_eq!(content.is_empty(), status == 304, "{field}");
    };
    header(&with("if-none-match", tag), 304);
    header(&with("if-none-match", &format!("\"x\", W/{tag}")), 304);
    header(&with("if-none-match", "\"x\""), 200);
    header(&with("if-match", "\"x\""), 412);
    // A date in lower case is none: RFC 9110 section 5.6.7.
    header(&with("if-modified-since", date), 200);
    header("if-modified-since: Fri, 01 Jan 2100 00:00:00 GMT", 304);
    header("if-unmodified-since: Sat, 01 Jan 2000 00:00:00 GMT", 412);
}

fn ranges() {
    let all = large();
    for (range, octets) in [
        ("0-0", 0..1),
        ("100-199", 100..200),
        ("-5", LARGE - 5..LARGE),
        ("2999999-", LARGE - 1..LARGE),
        ("1000000-2000000", 1_000_000..2_000_001),
    ] {
        let (head, content) = curl("/large.bin", &["--range", range]);
        assert!(head.starts_with("http/1.1 206 "), "{head}");
        let expected = format!("bytes {}-{}/{LARGE}", octets.start, octets.end - 1);
        assert_eq!(field(&head, "content-range"), expected);
        assert!(content == all[octets], "{range}");
    }
    let head = assert_status("/large.bin", &["--range", "3000000-"], 416);
    assert_eq!(field(&head, "content-range"), "bytes */3000000");
    let (head, content) = curl("/large.bin", &["--range", "0-0,5-6"]);
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(content == all);
    let tag = format!("if-range: {}", field(&head, "etag"));
    assert_status("/large.bin", &["--range", "5-9", "--header", &tag], 206);
    assert_status(
        "/large.bin",
        &["--range", "5-9", "--header", "if-range: \"x\""],
        200,
    );
}

fn compression() {
    let text = "body { color: green }\n".repeat(100);
    let (head, content) = curl("/style.css", &[]);
    assert_eq!(content, text.as_bytes());
    assert!(!head.contains("content-encoding"), "{head}");
    assert_eq!(field(&head, "vary"), "accept-encoding");
    let plain = String::from(field(&head, "etag"));
    let (head, content) = curl("/style.css", &["--compressed"]);
    assert_eq!(content, text.as_bytes());
    assert_eq!(field(&head, "content-encoding"), "gzip");
    assert_eq!(field(&head, "content-type"), "text/css; charset=utf-8");
    assert_eq!(field(&head, "vary"), "accept-encoding");
    assert_ne!(field(&head, "etag"), plain);
}
