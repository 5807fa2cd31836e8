//! `ci/bench block`: a block device of a unikernel under `solo5-spt` beside a Linux process on the same file; `examples/kv` beside
//! Redis; and what an echo notices of a copy, and of flushes.
//!
//! `block-bench [--rounds N] [--seconds N] [--case PART]... [--subject NAME]... [--json FILE]`

mod echo;
mod kv;
mod raw;

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_common::{CLIENT_CPU, Options, Ratio, Report, SERVER_CPU, Start, build, network};

const ROUNDS: usize = 5;
const SECONDS: u64 = 2;
/// Octets of an image: more than caches of processors hold, less than the host's memory.
const IMAGE: u64 = 256 << 20;
const SUBJECTS: [&str; 5] = [
    "mkernel",
    "linux",
    "io_uring",
    "redis-always",
    "redis-everysec",
];

/// Where what is measured runs.
const SERVER: Start = Start {
    cpu: SERVER_CPU,
    namespace: None,
};
/// Where who asks it runs.
const CLIENT: Start = Start {
    cpu: CLIENT_CPU,
    namespace: None,
};

/// What all cases need.
struct Bench {
    options: Options,
    tender: PathBuf,
    /// The unikernels, built before anything is measured.
    block_load: PathBuf,
    kv: PathBuf,
    copying_echo: PathBuf,
    root: PathBuf,
    folder: PathBuf,
}

fn main() -> Result<()> {
    let options = Options::parse(ROUNDS, SECONDS, &[])?;
    options.check_subjects(&SUBJECTS)?;
    let root = build::repository();
    let folder = root.join("target/bench/block");
    fs::create_dir_all(&folder)?;
    let bench = Bench {
        tender: build::tender(&root, "solo5-spt")?,
        block_load: build::unikernel(&root, "block-load", "release")?,
        kv: build::unikernel(&root, "kv", "release")?,
        copying_echo: build::unikernel(&root, "copying-echo", "release")?,
        options,
        root,
        folder,
    };
    network::enter_namespace()?;
    let mut report = Report::default();
    raw::measure(&bench, &mut report)?;
    kv::measure(&bench, &mut report)?;
    echo::measure(&bench, &mut report)?;
    println!(
        "client on CPU {CLIENT_CPU}, server on CPU {SERVER_CPU}; {} interleaved rounds of {} s; medians",
        bench.options.rounds, bench.options.seconds
    );
    let ratios = [
        Ratio {
            title: "/ linux",
            to: &SUBJECTS[1..2],
        },
        Ratio {
            title: "/ io_uring",
            to: &SUBJECTS[2..3],
        },
        Ratio {
            title: "/ redis-always",
            to: &SUBJECTS[3..4],
        },
    ];
    report.print_table(&SUBJECTS, &ratios);
    let file = bench.options.json.clone();
    report.save(&file.unwrap_or_else(|| bench.root.join("target/bench/block.json")))
}

impl Bench {
    /// A new image, all of it written, as one that is in use.
    fn image(&self, name: &str) -> Result<PathBuf> {
        self.new_image(name, 0xa5)
    }

    /// A new image of zeros that are there.
    fn blank_image(&self, name: &str) -> Result<PathBuf> {
        self.new_image(name, 0)
    }

    fn new_image(&self, name: &str, octet: u8) -> Result<PathBuf> {
        let path = self.folder.join(name);
        write_image(&path, octet).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}

/// Waits until a service takes a connection.
fn connect(address: SocketAddr) -> Result<TcpStream> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() > deadline => {
                return Err(error).context(address.to_string());
            }
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn write_image(path: &Path, octet: u8) -> Result<()> {
    let mut file = File::create(path)?;
    let piece = vec![octet; 1 << 20];
    for _ in 0..IMAGE >> 20 {
        file.write_all(&piece)?;
    }
    Ok(file.sync_all()?)
}
