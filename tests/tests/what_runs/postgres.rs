//! A client of PostgreSQL in a unikernel, and the server that Debian has.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use system_tests::Network;

use super::build;

/// The newest that is installed.
fn program(name: &str) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("the package postgresql");
    let mut versions: Vec<_> = versions.map(|version| version.unwrap().path()).collect();
    versions.sort();
    let mut command = Command::new(versions.last().unwrap().join("bin").join(name));
    // It refuses to be root.
    let user = User::from_name("postgres")
        .unwrap()
        .expect("the package's user");
    command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    command
}

struct Server(Child);

impl Server {
    fn start(folder: &Path) -> Self {
        let mut server = program("postgres");
        server.arg("-D").arg(folder).arg("-k").arg(folder);
        server.args(["-c", "listen_addresses=10.0.0.1"]);
        let server = Self(server.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 5432));
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "no server at {address}");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // At once, with all of its processes.
        let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGQUIT);
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs root and a PostgreSQL: ci/long deploy"]
fn a_unikernel_keeps_its_state_in_postgresql() {
    let guest = build("postgres");
    let folder = tempfile::tempdir().unwrap();
    let user = User::from_name("postgres")
        .unwrap()
        .expect("the package's user");
    nix::unistd::chown(folder.path(), Some(user.uid), Some(user.gid)).unwrap();
    let data = folder.path().join("data");
    let password = folder.path().join("password");
    std::fs::write(&password, "secret").unwrap();
    nix::unistd::chown(&password, Some(user.uid), Some(user.gid)).unwrap();
    let mut make = program("initdb");
    make.args(["--username=unikernel", "--auth=scram-sha-256", "-D"])
        .arg(&data);
    make.arg("--pwfile").arg(&password);
    assert!(make.status().unwrap().success());
    let rules = "host all all 10.0.0.0/24 scram-sha-256\n";
    std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let _server = Server::start(&data);
        let guest = guest
            .option("--net:service=tap0")
            .argument("--ipv4=10.0.0.2/24");
        for start in 1..=3 {
            let outcome = guest.clone().argument("--password=secret").run();
            assert!(
                outcome.stdout.ends_with(&format!("start {start}\n")),
                "{outcome}"
            );
            assert_eq!(outcome.status, 0, "{outcome}");
        }
        let outcome = guest.argument("--password=wrong").run();
        assert_eq!(outcome.status, 1, "{outcome}");
        assert!(
            outcome.stdout.contains("password authentication failed"),
            "{outcome}"
        );
    });
}
