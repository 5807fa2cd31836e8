//! One test for each crate; on a host they pass too.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use chrono::{Datelike as _, TimeZone as _};
use clap::Parser as _;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Device {
    name: String,
    mtu: Option<u16>,
    tags: Vec<String>,
}

#[test]
fn serde_json() {
    let text = r#"{"name":"service","mtu":1500,"tags":["a","\u00e9\n"]}"#;
    let device: Device = serde_json::from_str(text).unwrap();
    assert_eq!(device.tags[1], "é\n");
    let again: Device =
        serde_json::from_slice(&serde_json::to_vec_pretty(&device).unwrap()).unwrap();
    assert_eq!(again, device);
    let error = serde_json::from_str::<Device>(r#"{"name": 1}"#).unwrap_err();
    assert_eq!((error.line(), error.column()), (1, 10));
}

#[test]
fn regex() {
    let date = regex::Regex::new(r"(?P<year>\d{4})-(?P<month>\d\d)").unwrap();
    let text = "from 2024-02 to 2026-11, ünïcode";
    let years: Vec<_> = date
        .captures_iter(text)
        .map(|found| found["year"].to_owned())
        .collect();
    assert_eq!(years, ["2024", "2026"]);
    assert_eq!(
        date.replace_all(text, "$month/$year"),
        "from 02/2024 to 11/2026, ünïcode"
    );
    assert!(regex::Regex::new(r"(?i)Ü\p{L}+").unwrap().is_match(text));
}

#[derive(clap::Parser, Debug)]
#[command(name = "unikernel")]
struct Options {
    /// A number.
    #[arg(long, default_value_t = 42)]
    foo: i32,
    #[arg(long, default_value = "Hello World!")]
    bar: String,
}

#[test]
fn clap() {
    let options = Options::try_parse_from(["unikernel", "--foo=-7"]).unwrap();
    assert_eq!((options.foo, options.bar.as_str()), (-7, "Hello World!"));
    let help = Options::try_parse_from(["unikernel", "--help"]).unwrap_err();
    assert_eq!(help.kind(), clap::error::ErrorKind::DisplayHelp);
    assert!(
        help.to_string()
            .contains("--foo <FOO>  A number [default: 42]"),
        "{help}"
    );
}

/// FIPS 180-2's example, and a million letters, as NIST gives it.
#[test]
fn sha2() {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_eq!(
        hex(&sha2::Sha256::digest(b"abc")),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        hex(&sha2::Sha256::digest(vec![b'a'; 1_000_000])),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    );
}

/// The local time zone of a unikernel is UTC: there is no file that says otherwise.
#[test]
fn chrono() {
    let now = chrono::Utc::now();
    assert!(now.year() >= 2025, "{now}");
    let leap_day = chrono::Utc.with_ymd_and_hms(2024, 2, 29, 12, 0, 0).unwrap();
    assert_eq!(leap_day.to_rfc2822(), "Thu, 29 Feb 2024 12:00:00 +0000");
    assert!(chrono::Local::now().timestamp() >= now.timestamp());
}

#[test]
fn jiff() {
    let now = jiff::Timestamp::now();
    assert!(now.as_second() > 1_760_000_000, "{now}");
    let departure: jiff::Zoned = "2024-07-11T01:14-04[America/New_York]".parse().unwrap();
    let arrival = departure.with_time_zone(jiff::tz::TimeZone::get("Europe/Paris").unwrap());
    assert_eq!(
        arrival.to_string(),
        "2024-07-11T07:14:00+02:00[Europe/Paris]"
    );
}

/// It asks libc for the calendar.
#[test]
fn time() {
    let now = time::OffsetDateTime::now_utc();
    let offset = time::UtcOffset::local_offset_at(now);
    assert!(now.year() >= 2025, "{now}");
    assert!(
        !cfg!(solo5) || offset == Ok(time::UtcOffset::UTC),
        "{offset:?}"
    );
}

/// Through rustix, which on Linux makes system calls by itself: here it must ask libc.
#[test]
fn tempfile() {
    let file = tempfile::tempfile().map(drop).map_err(|error| error.kind());
    let expected = if cfg!(solo5) {
        Err(io::ErrorKind::Unsupported)
    } else {
        Ok(())
    };
    assert_eq!(file, expected);
}

#[test]
fn tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let start = std::time::Instant::now();
    let duration = std::time::Duration::from_millis(20);
    let answer = runtime.block_on(async {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            sender.send(42).unwrap();
        });
        let answer = receiver.await.unwrap();
        task.await.unwrap();
        answer
    });
    assert_eq!(answer, 42);
    assert!(start.elapsed() >= duration);
}

/// From the operating system's source of randomness, and from a seed.
#[test]
fn rand() {
    let mut generator = rand::rng();
    let numbers: HashSet<u64> = (0..1_000).map(|_| generator.random()).collect();
    assert_eq!(numbers.len(), 1_000);
    let seeded = || rand::rngs::StdRng::seed_from_u64(7).random_range(0..1_000_000);
    assert_eq!(seeded(), seeded());
}

/// The releases before, which take a lock of libc's and ask to be told of a fork.
#[test]
fn rand_0_8() {
    use rand_0_8::Rng as _;

    let mut generator = rand_0_8::thread_rng();
    let numbers: HashSet<u64> = (0..1_000).map(|_| generator.r#gen()).collect();
    assert_eq!(numbers.len(), 1_000);
    let mut bytes = [0; 32];
    getrandom_0_2::getrandom(&mut bytes).unwrap();
    assert_ne!(bytes, [0; 32]);
}

/// C and assembly behind it. RFC 4231, test case 2; and a signature of its own.
#[test]
fn ring() {
    use ring::signature::{Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
    use ring::{hmac, rand, signature};

    let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
    let tag = hmac::sign(&key, b"what do ya want for nothing?");
    assert_eq!(tag.as_ref()[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    let pair = Ed25519KeyPair::generate_pkcs8(&rand::SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
    let public = UnparsedPublicKey::new(&signature::ED25519, pair.public_key());
    let signature = pair.sign(b"frame");
    assert!(public.verify(b"frame", signature.as_ref()).is_ok());
    assert!(public.verify(b"Frame", signature.as_ref()).is_err());
}

/// The assembly, which is chosen at run time, against the same octets one by one, which it is not used for.
#[test]
fn blake3() {
    let data: Vec<u8> = (0..100_000_u32).map(|index| (index % 251) as u8).collect();
    let mut slowly = blake3::Hasher::new();
    for octet in &data {
        slowly.update(std::slice::from_ref(octet));
    }
    assert_eq!(blake3::hash(&data), slowly.finalize());
    let empty = blake3::hash(b"").to_hex();
    assert!(empty.starts_with("af1349b9f5f9a1a6a0404dea36dcc949"));
}

/// C code.
#[test]
fn zstd() {
    let text = "A crate that brings C code. ".repeat(4_000);
    let small = zstd::encode_all(text.as_bytes(), 3).unwrap();
    assert!(small.len() < text.len() / 100, "{}", small.len());
    assert_eq!(zstd::decode_all(&small[..]).unwrap(), text.as_bytes());
    assert!(zstd::decode_all(&small[..small.len() - 1]).is_err());
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[test]
fn tracing() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let _span = tracing::info_span!("connection", peer = 7).entered();
        tracing::warn!(bytes = 1_500, "frame dropped");
    });
    let bytes = log.0.lock().unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("WARN connection{peer=7}"), "{text}");
    assert!(text.contains("frame dropped bytes=1500"), "{text}");
}

#[test]
fn anyhow() {
    let read = || -> anyhow::Result<u8> { "300".parse::<u8>().context("reading the port") };
    let error = read().unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "reading the port: number too large to fit in target type"
    );
    assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
}
