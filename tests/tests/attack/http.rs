//! Clients of HTTP that are slow, in great number: the example `http` with 32 MiB. All of them together hold no more
//! than their part, and an honest client is served beside them. Below are what [`crate::http2`] and [`crate::tls`]
//! begin with too.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use system_tests::certificates::Authority;
use system_tests::{Guest, HttpServer, Running, Target};

/// Connections at a time.
pub(crate) const CROWD: usize = if cfg!(feature = "long") { 2_000 } else { 500 };
/// How long an attack goes on.
pub(crate) const TIME: Duration = Duration::from_secs(if cfg!(feature = "long") { 20 } else { 3 });

/// For each step of an honest client, and of one that waits for its end, on a machine that may have more to do.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// How long a client waits for each step that has more to do than to be answered.
pub(crate) const PATIENCE: Duration = Duration::from_millis(100);

/// Makes tests of functions that take a [`Way`].
macro_rules! on_each_way {
    ($($test:ident),* $(,)?) => {
        mod plain {
            $(#[test] fn $test() { super::$test(crate::http::Way::Plain) })*
        }
        #[cfg(feature = "long")]
        mod secured {
            $(#[test] fn $test() { super::$test(crate::http::Way::Secured) })*
        }
    };
}
pub(crate) use on_each_way;

on_each_way! {
    headers_that_come_octet_by_octet, content_that_comes_octet_by_octet, answers_that_nobody_reads, websockets_that_stay,
    websockets_whose_pongs_nobody_reads,
}

/// How the server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    /// By TLS.
    Secured,
}

pub(crate) trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// The server that is attacked.
pub(crate) struct Service<'a> {
    server: &'a HttpServer,
    running: &'a mut Running,
    tls: Option<Arc<ClientConfig>>,
    visits: Vec<Duration>,
}

/// Boots the example, has `attack` go on beside honest visits, and looks whether it is there afterwards.
pub(crate) fn with_server(way: Way, attack: impl FnOnce(&mut Service) + Send) {
    with_guest(build("http-server").option("--mem=32"), way, attack);
}

pub(crate) fn build(package: &str) -> Guest {
    match cfg!(feature = "long") {
        true => Guest::build_release(package, Target::Spt),
        false => Guest::build(package, Target::Spt),
    }
}

/// The same with `guest`.
pub(crate) fn with_guest(guest: Guest, way: Way, attack: impl FnOnce(&mut Service) + Send) {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let mut server = HttpServer::new(guest.limit(Duration::from_secs(900)));
    let authority = (way == Way::Secured).then(Authority::new);
    if let Some(authority) = &authority {
        let address = format!("IP:{}", HttpServer::ADDRESS);
        server = server.secured_by(&authority.sign("server", &address, 2));
    }
    let tls = authority.map(|authority| Arc::new(trusting(&authority)));
    server.with(|mut running| {
        let mut service = Service {
            server: &server,
            running: &mut running,
            tls,
            visits: Vec::new(),
        };
        service.visit();
        attack(&mut service);
        service.visit();
        let visits = &service.visits;
        println!(
            "{} honest clients served, {:.1} ms at most; {:.1} s of the tender's CPU, {:.1} MB resident",
            visits.len(),
            visits.iter().max().unwrap().as_secs_f64() * 1e3,
            service.running.processor_time().as_secs_f64(),
            service.running.resident_memory() as f64 / 1e6,
        );
    });
}

fn trusting(authority: &Authority) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(authority.certificate()).unwrap();
    roots.add(certificate).unwrap();
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

impl Service<'_> {
    /// Connects, without TLS, with this limit for each step.
    #[track_caller]
    pub(crate) fn connect(&mut self, limit: Duration) -> TcpStream {
        let stream = self.running.connect(self.server.address(), LIMIT);
        stream.set_read_timeout(Some(limit)).unwrap();
        stream.set_write_timeout(Some(limit)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The client's end of TLS, which has said nothing yet.
    pub(crate) fn client(&self) -> ClientConnection {
        let tls = self.tls.clone().expect("the server speaks TLS");
        let name = ServerName::try_from(HttpServer::ADDRESS).unwrap();
        ClientConnection::new(tls, name).unwrap()
    }

    /// Connects; the handshake of TLS comes with the first octets.
    #[track_caller]
    pub(crate) fn enter(&mut self, limit: Duration) -> Box<dyn Stream> {
        let stream = self.connect(limit);
        match self.tls {
            None => Box::new(stream),
            Some(_) => Box::new(StreamOwned::new(self.client(), stream)),
        }
    }

    /// The same for HTTP/2, which with TLS has to be agreed upon.
    #[track_caller]
    pub(crate) fn enter_http2(&mut self, limit: Duration) -> Box<dyn Stream> {
        if let Some(tls) = &mut self.tls {
            Arc::make_mut(tls).alpn_protocols = vec![b"h2".to_vec()];
        }
        let stream = self.enter(limit);
        if let Some(tls) = &mut self.tls {
            Arc::make_mut(tls).alpn_protocols.clear();
        }
        stream
    }

    /// An honest client: it is answered.
    #[track_caller]
    pub(crate) fn visit(&mut self) {
        let start = Instant::now();
        let answer = self.ask().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        self.visits.push(start.elapsed());
    }

    /// The same where all may have a moment's work: one that is told so, or makes room, comes again.
    #[track_caller]
    pub(crate) fn visit_again(&mut self) {
        let start = Instant::now();
        let mut answer = self.ask();
        let is_sent_away = |answer: &io::Result<String>| match answer {
            Ok(answer) => answer.starts_with("HTTP/1.1 503 "),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        };
        while is_sent_away(&answer) && start.elapsed() < LIMIT {
            sleep(PATIENCE);
            answer = self.ask();
        }
        let answer = answer.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        self.visits.push(start.elapsed());
    }

    #[track_caller]
    fn ask(&mut self) -> io::Result<String> {
        let mut stream = self.enter(LIMIT);
        let request = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        stream.write_all(request)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// A crowd whose members each come by `join`, and then say an octet of `next` now and then; a member that is
    /// sent away comes again.
    pub(crate) fn crowd<S: Write>(
        &mut self,
        mut join: impl FnMut(&mut Self) -> io::Result<S>,
        next: &[u8],
    ) {
        // Who is refused at once is no less of a crowd.
        let mut members: Vec<_> = (0..CROWD).map(|_| join(self)).collect();
        let end = Instant::now() + TIME;
        let mut again = 0;
        let mut octets = next.iter().cycle();
        while Instant::now() < end {
            let octet = *octets.next().unwrap();
            // All at one time would be more than waits for the unikernel in the host.
            for some in members.chunks_mut(250) {
                for member in some {
                    let said = member.as_mut().map(|member| member.write_all(&[octet]));
                    if !matches!(said, Ok(Ok(()))) {
                        *member = join(self);
                        again += 1;
                    }
                }
                self.visit();
            }
        }
        println!("{CROWD} connections, opened again {again} times");
    }
}

/// A crowd that begins with `first`.
fn slow(way: Way, first: &[u8], next: &[u8]) {
    with_server(way, |service| come_slowly(service, first, next));
}

fn come_slowly(service: &mut Service, first: &[u8], next: &[u8]) {
    let join = |service: &mut Service| {
        let mut stream = service.enter(LIMIT);
        stream.write_all(first).map(|()| stream)
    };
    service.crowd(join, next);
}

fn headers_that_come_octet_by_octet(way: Way) {
    slow(way, b"GET / HTTP/1.1\r\nhost: a\r\nx: ", b"y");
}

fn content_that_comes_octet_by_octet(way: Way) {
    let first = b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n";
    slow(way, first, b"z");
}

fn answers_that_nobody_reads(way: Way) {
    let first = b"GET /download/1000000000 HTTP/1.1\r\nhost: a\r\n\r\n";
    slow(way, first, b"\r\n");
}

const WEBSOCKET: &[u8] =
    b"GET /ws HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// They send nothing but pings, and nobody else can have their places, of which there are few.
fn websockets_that_stay(way: Way) {
    let mebibytes = if cfg!(feature = "long") { 12 } else { 32 };
    let guest = build("http-server").option(format!("--mem={mebibytes}"));
    let pings = b"\x89\x80\0\0\0\0";
    with_guest(guest, way, |service| come_slowly(service, WEBSOCKET, pings));
}

/// One sends more pings than there is memory for their answers.
fn websockets_whose_pongs_nobody_reads(way: Way) {
    let ping = [&b"\x89\xfd\0\0\0\0"[..], &[b'x'; 125]].concat();
    let pings = ping.repeat(2_000);
    with_server(way, |service| {
        let mut stream = service.enter(PATIENCE);
        stream.write_all(WEBSOCKET).unwrap();
        let mut said = 0;
        while said < 48 << 20 && stream.write_all(&pings).is_ok() {
            said += pings.len();
            service.visit();
        }
        println!("{said} octets of pings");
    });
}
