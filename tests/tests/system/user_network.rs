//! Networks without root and TAP interfaces: behind passt, and at a socket in the file system.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use system_tests::{Guest, Network, Running, Target, host_program};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);
const ECHO: &str = "127.0.0.1:3000";

/// A tender and a unikernel where any user finds them, and `command` before the tender.
struct User {
    folder: TempDir,
    before: Vec<String>,
}

impl User {
    fn of(package: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let tender = host_program("cargo-mkernel", "solo5-spt");
        fs::copy(tender, folder.path().join("solo5-spt")).unwrap();
        let unikernel = Guest::build(package, Target::Spt);
        fs::copy(unikernel.path(), folder.path().join("unikernel")).unwrap();
        // Root of a user namespace is an ordinary user already.
        let map = fs::read_to_string("/proc/self/uid_map").unwrap();
        let before = match map.split_whitespace().eq(["0", "0", "4294967295"]) {
            true => "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all",
            false => "env",
        };
        let before = before.split(' ').map(str::to_owned).collect();
        Self { folder, before }
    }

    fn start(&self, option: &str, arguments: &[&str]) -> Running {
        let mut command = Command::new(&self.before[0]);
        command.args(&self.before[1..]);
        command
            .arg(self.folder.path().join("solo5-spt"))
            .arg(option);
        command
            .arg(self.folder.path().join("unikernel"))
            .arg("--solo5:quiet");
        command.args(arguments);
        Running::start(command, LIMIT)
    }
}

/// Has the service behind `address` echo, once it does: passt takes connections before the unikernel listens, and ends them,
/// some after seconds.
fn echoes(address: &str, unikernel: &mut Running) -> TcpStream {
    let address: SocketAddr = address.parse().unwrap();
    let deadline = Instant::now() + LIMIT;
    loop {
        let attempt = TcpStream::connect(address).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"hello\n")?;
            let mut answer = [0; 6];
            stream.read_exact(&mut answer)?;
            assert_eq!(&answer, b"hello\n");
            Ok(stream)
        });
        match attempt {
            Ok(stream) => return stream,
            Err(error) => assert!(
                Instant::now() < deadline && !unikernel.has_ended(),
                "{error}"
            ),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The processes with that word in their command line.
fn processes(word: &str) -> Vec<Pid> {
    let folders = fs::read_dir("/proc").unwrap().flatten();
    let with_word = folders.filter(|folder| {
        let line = fs::read(folder.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(word)
    });
    let ids = with_word.filter_map(|folder| folder.file_name().to_str()?.parse().ok());
    ids.map(Pid::from_raw).collect()
}

/// Whether a process has ended, and closed what it had open: its memory, and with it its command line, goes before that.
fn has_ended(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| &rest[..1]);
    matches!(state, None | Some("Z" | "X"))
}

#[test]
fn spt_a_service_is_reached_at_its_own_port_by_an_ordinary_user() {
    let user = User::of("echo");
    Network::with(|_| {
        let _taken = TcpListener::bind("127.0.0.1:8080").unwrap();
        let mut unikernel = user.start("--net:service=user", &[]);
        echoes(ECHO, &mut unikernel);
        let outcome = unikernel.stop();
        let said = "\"service\" is 10.0.0.2 behind passt, where these ports lead: ";
        assert!(outcome.stderr.contains(said), "{outcome}");
        assert!(
            outcome
                .stderr
                .contains("port 8080 does not, as it is in use"),
            "{outcome}"
        );
    });
}

#[test]
fn spt_passt_ends_with_the_unikernel_whatever_ends_it() {
    let user = User::of("echo");
    for (port, signal) in [(3911, Signal::SIGTERM), (3912, Signal::SIGKILL)] {
        Network::with(|_| {
            let option = format!("--net:service=user,tcp={port}:3000");
            let mut unikernel = user.start(&option, &[]);
            let host = format!("127.0.0.1:{port}");
            let _connection = echoes(&host, &mut unikernel);
            let passt = processes(&format!("/{port}:3000"));
            // It has the tender's command line, which the guest does not have any more.
            let relay = processes(&option);
            assert!(!passt.is_empty() && !relay.is_empty());
            unikernel.signal(signal);
            unikernel.wait();
            let deadline = Instant::now() + LIMIT;
            for process in passt.into_iter().chain(relay) {
                while !has_ended(process) {
                    assert!(Instant::now() < deadline, "{process} is still there");
                    thread::sleep(Duration::from_millis(20));
                }
            }
            assert!(TcpStream::connect(host).is_err());
        });
    }
}

#[test]
fn spt_a_unikernel_ends_when_passt_does() {
    let user = User::of("echo");
    Network::with(|_| {
        let mut unikernel = user.start("--net:service=user,tcp=3913:3000", &[]);
        echoes("127.0.0.1:3913", &mut unikernel);
        for passt in processes("/3913:3000") {
            kill(passt, Signal::SIGKILL).unwrap();
        }
        let outcome = unikernel.wait();
        assert_eq!(outcome.status, 1, "{outcome}");
        let said = "what was behind network device \"service\" has ended";
        assert!(outcome.stderr.contains(said), "{outcome}");
    });
}

#[test]
fn spt_a_thousand_connections_are_held_at_once() {
    let user = User::of("echo");
    Network::with(|_| {
        let mut unikernel = user.start("--net:service=user", &[]);
        echoes(ECHO, &mut unikernel);
        let streams = (0..1000).map(|_| TcpStream::connect(ECHO).unwrap());
        let mut streams: Vec<TcpStream> = streams.collect();
        for (number, stream) in streams.iter_mut().enumerate() {
            writeln!(stream, "{number:04}").unwrap();
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            let mut answer = [0; 5];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(answer, *format!("{number:04}\n").as_bytes());
        }
    });
}

/// Answers each question for an address with `address` (RFC 1035 section 4.1).
fn resolve(socket: &UdpSocket, address: [u8; 4]) {
    let mut question = [0; 512];
    while let Ok((len, from)) = socket.recv_from(&mut question) {
        let mut answer = question[..len].to_vec();
        answer[2..4].copy_from_slice(&[0x81, 0x80]);
        let is_address = answer.ends_with(&[0, 1, 0, 1]);
        answer[6..12].copy_from_slice(&[0, u8::from(is_address), 0, 0, 0, 0]);
        if is_address {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend(address);
        }
        socket.send_to(&answer, from).unwrap();
    }
}

#[test]
fn spt_names_and_pages_of_the_host_are_reached() {
    let mut user = User::of("fetch");
    Network::with(|network| {
        network.add_tap("tap0", "10.9.0.1/24");
        let names = UdpSocket::bind("10.9.0.1:53").unwrap();
        thread::spawn(move || resolve(&names, [10, 9, 0, 1]));
        let pages = TcpListener::bind("10.9.0.1:80").unwrap();
        let server = thread::spawn(move || {
            let mut stream = pages.accept().unwrap().0;
            let mut request = [0; 1000];
            let len = stream.read(&mut request).unwrap();
            let page = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nhello\n";
            stream.write_all(page).unwrap();
            String::from_utf8_lossy(&request[..len]).into_owned()
        });
        let resolvers = user.folder.path().join("resolv.conf");
        fs::write(&resolvers, "nameserver 10.9.0.1\n").unwrap();
        let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        let resolvers = resolvers.to_str().unwrap();
        let before = ["unshare", "--mount", "sh", "-c", script, resolvers].map(str::to_owned);
        user.before.splice(0..0, before);
        let unikernel = user.start("--net:service=user", &["http://name.example/"]);
        let outcome = unikernel.wait();
        assert_eq!(outcome.status, 0, "{outcome}");
        assert!(
            outcome.stdout.contains("* Connected to 10.9.0.1:80\n"),
            "{outcome}"
        );
        assert!(outcome.stdout.contains("\nhello\n"), "{outcome}");
        let request = server.join().unwrap();
        assert!(request.contains("host: name.example\r\n"), "{request}");
    });
}

#[test]
fn hvt_a_service_is_reached_through_passt() {
    let unikernel = Guest::build("echo", Target::Hvt)
        .option("--net:service=user,tcp=0.0.0.0:3000:3000")
        .hand_on_signals();
    Network::with(|_| {
        let mut unikernel = unikernel.start();
        echoes(ECHO, &mut unikernel);
        let outcome = unikernel.stop();
        let said = "\"service\" is 10.0.0.2 behind passt, where these ports lead: 0.0.0.0:3000\n";
        assert!(outcome.stderr.contains(said), "{outcome}");
    });
}

#[test]
fn spt_what_is_in_the_way_is_named() {
    let user = User::of("echo");
    Network::with(|_| {
        let _taken = TcpListener::bind("127.0.0.1:3914").unwrap();
        for (option, message) in [
            (
                "--net:service=user,tcp=3914:3000",
                "\"service\": cannot listen on tcp port 127.0.0.1:3914: Address already in use",
            ),
            (
                "--net:service=user,udp=1:3000",
                "\"service\": cannot listen on udp port 127.0.0.1:1: Permission denied",
            ),
            (
                "--net:service=unix:/nowhere/wire",
                "\"service\": cannot listen at \"/nowhere/wire\": No such file or directory",
            ),
            (
                "--net:service=unix:/dev/null",
                "\"service\": \"/dev/null\" is no socket",
            ),
        ] {
            user.start(option, &[]).wait().assert_error(1, message);
        }
    });
    let mut without = User::of("echo");
    without
        .before
        .splice(0..0, ["env", "PATH=/sbin:/nowhere"].map(str::to_owned));
    without.before[2] = format!("/usr/bin/{}", without.before[2]);
    let outcome = without
        .start("--net:service=user,tcp=3914:3000", &[])
        .wait();
    outcome.assert_error(
        1,
        "expected the program passt on PATH (apt-get install passt)",
    );
}

#[test]
fn spt_two_unikernels_are_joined_by_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let wire = format!(
        "--net:service=unix:{},mtu=9000",
        folder.path().join("wire").display()
    );
    let server = Guest::build("http-server", Target::Spt)
        .option(&wire)
        .argument("--ipv4=10.0.0.2/24");
    let client = Guest::build("fetch", Target::Spt)
        .option(&wire)
        .argument("--ipv4=10.0.0.3/24")
        .argument("http://10.0.0.2/");
    let _server = server.start();
    let deadline = Instant::now() + LIMIT;
    let mut fetched = 0;
    // Until the first has begun to listen, and once more: it waits for the next that joins it.
    while fetched < 2 {
        let outcome = client.run();
        fetched += u32::from(outcome.status == 0);
        let answered = outcome.stdout.contains("* Connected to 10.0.0.2:80\n");
        assert!(answered || Instant::now() < deadline, "{outcome}");
    }
}

/// An Ethernet frame behind its length: ARP, who has 10.0.0.2? tells 10.0.0.1 (RFC 826).
fn question() -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 42];
    frame.extend([0xff; 6]);
    frame.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    frame
}

#[test]
fn spt_whoever_listens_at_a_socket_is_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire");
    let listener = UnixListener::bind(&path).unwrap();
    let _unikernel = joined(&path).start();
    // When one has gone, the next is looked for.
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().unwrap();
        // No frame, a short one, and one that is longer than any.
        for len in [0_u32, 13, 70_000] {
            stream.write_all(&len.to_be_bytes()).unwrap();
            stream.write_all(&vec![0xff; len as usize]).unwrap();
        }
        assert_eq!(answer(&mut stream)[28..32], [10, 0, 0, 2]);
    }
}

/// Asks until there is an answer: it may not have its address yet.
fn answer(stream: &mut UnixStream) -> Vec<u8> {
    let timeout = Some(Duration::from_millis(100));
    stream.set_read_timeout(timeout).unwrap();
    let deadline = Instant::now() + LIMIT;
    loop {
        assert!(Instant::now() < deadline, "no answer");
        stream.write_all(&question()).unwrap();
        let frame = next_frame(stream).unwrap_or_default();
        if frame.len() >= 42 && frame[12..14] == [8, 6] && frame[20..22] == [0, 2] {
            return frame;
        }
    }
}

fn joined(path: &Path) -> Guest {
    Guest::build("echo", Target::Spt).option(format!("--net:service=unix:{}", path.display()))
}

/// The next frame, if one comes in time.
fn next_frame(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}
