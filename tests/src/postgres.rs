//! A PostgreSQL of the Debian package, with a folder of its own, for as long as a test runs.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, chown};
use tempfile::TempDir;

/// What a database has in its folder.
#[derive(Debug)]
pub struct Postgres(TempDir);

/// A database that runs; ends with this value, at once and with all of its processes, as in a crash.
#[derive(Debug)]
pub struct PostgresServer(Child);

impl Postgres {
    /// Where it listens, for 10.0.0.0/24.
    pub const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 5432);
    /// Of its only user, `unikernel`.
    pub const PASSWORD: &str = "secret";

    /// A new one, empty. Needs root.
    pub fn create() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let this = Self(folder);
        let password = this.0.path().join("password");
        std::fs::write(&password, Self::PASSWORD).expect("room");
        let user = user();
        for path in [this.0.path(), &password] {
            chown(path, Some(user.uid), Some(user.gid)).expect("root");
        }
        let mut make = program("initdb");
        make.args(["--username=unikernel", "--auth=scram-sha-256", "-D"])
            .arg(this.data());
        make.arg("--pwfile").arg(&password).stdout(Stdio::null());
        assert!(make.status().expect("initdb").success());
        let rules = "host all all 10.0.0.0/24 scram-sha-256\n";
        std::fs::write(this.data().join("pg_hba.conf"), rules).expect("room");
        this
    }

    /// Starts it, in the network that the caller is in, and waits until it takes clients. What it says goes to the file `log`
    /// of its folder.
    pub fn start(&self) -> PostgresServer {
        let mut server = program("postgres");
        server.arg("-D").arg(self.data()).arg("-k").arg(self.data());
        let host = Self::ADDRESS.ip().to_string();
        server.args(["-c", &format!("listen_addresses={host}")]);
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.0.path().join("log"));
        server.stderr(log.expect("room"));
        let server = PostgresServer(server.spawn().expect("postgres"));
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut asks = program("pg_isready");
        asks.args(["--quiet", "--host", &host]);
        while !asks.status().expect("pg_isready").success() {
            let is_late = Instant::now() >= deadline;
            assert!(!is_late, "no server at {}", Self::ADDRESS);
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGQUIT);
        let _ = self.0.wait();
    }
}

/// It refuses to be root.
fn user() -> User {
    User::from_name("postgres")
        .expect("users")
        .expect("the package's user")
}

/// A program of the newest release that is installed.
fn program(name: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let versions = versions.expect("the package postgresql: ci/setup postgresql");
    let newest = versions
        .map(|version| version.expect("a folder").path())
        .max();
    let mut command = Command::new(newest.expect("a release").join("bin").join(name));
    let user = user();
    command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    command
}
