//! Transfers, checked octet by octet.

use netstack::proto::tcp::Options;
use netstack::proto::tcp::congestion::{self, Bbr, Controller, MakeController, Parameters};
use netstack::{Stack, TcpListener, TcpStream};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Instant;

use crate::Scenario;
use crate::family;
use crate::host::{Host, Spawner, connect};
use crate::link::Conditions;
use crate::namespace::{is_long, kernel_tcp, kernel_uses_bbr};
use crate::stream::Octets;

pub(crate) const SCENARIOS: &[Scenario] = &[
    ("transfer-1500-clean", || {
        matrix(1500, 0, 100000, Some("transfer-1500-clean"))
    }),
    ("transfer-576-clean", || {
        matrix(576, 0, 100000, Some("transfer-576-clean"))
    }),
    ("transfer-9000-clean", || {
        matrix(9000, 0, 100000, Some("transfer-9000-clean"))
    }),
    ("transfer-1500-loss-1", || {
        matrix(1500, 10, 100000, Some("transfer-1500-loss-1"))
    }),
    ("transfer-576-loss-1", || matrix(576, 10, 100000, None)),
    ("transfer-9000-loss-1", || matrix(9000, 10, 100000, None)),
    ("transfer-1500-loss-5", || {
        matrix(1500, 50, 100000, Some("transfer-1500-loss-5"))
    }),
    ("transfer-576-loss-5", || matrix(576, 50, 100000, None)),
    ("transfer-9000-loss-5", || matrix(9000, 50, 100000, None)),
    ("transfer-1500-loss-20", || {
        matrix(1500, 200, 500, Some("transfer-1500-loss-20"))
    }),
    ("transfer-576-loss-20", || matrix(576, 200, 200, None)),
    ("transfer-9000-loss-20", || matrix(9000, 200, 2000, None)),
    ("transfer-1500-bbr-loss-1", || {
        bbr(1500, 10, 100000, congestion::bbr)
    }),
    ("transfer-1500-bbr-loss-5", || {
        bbr(1500, 50, 100000, congestion::bbr)
    }),
    ("transfer-576-bbr-loss-5", || {
        bbr(576, 50, 20000, congestion::bbr)
    }),
    ("transfer-9000-bbr-loss-5", || {
        bbr(9000, 50, 100000, congestion::bbr)
    }),
    ("transfer-1500-bbr-loss-20", || {
        bbr(1500, 200, 100000, tolerant_bbr)
    }),
    ("transfer-576-bbr-loss-20", || {
        bbr(576, 200, 100000, tolerant_bbr)
    }),
    ("transfer-9000-bbr-loss-20", || {
        bbr(9000, 200, 100000, tolerant_bbr)
    }),
    ("transfer-reordered", reordered),
    ("transfer-duplicated", duplicated),
    ("transfer-corrupted", corrupted),
    ("thousand-connections", thousand_connections),
    ("half-close", half_close),
];

/// Serves `upload` on port 9 (receives and checks octets, then says so) and `download` on port 19
/// (sends as many as it is asked for).
async fn serve(stack: Stack, spawner: Spawner) -> io::Result<()> {
    serve_with(stack, spawner, None).await
}

/// As [`serve`], with a congestion controller.
async fn serve_with(
    stack: Stack,
    spawner: Spawner,
    congestion: Option<MakeController>,
) -> io::Result<()> {
    let mut options = Options::default();
    options.congestion = congestion;
    let upload = TcpListener::bind(&stack, (family::any(), 9))?;
    let download = TcpListener::bind_with(&stack, (family::any(), 19), 8, &options)?;
    let uploads = spawner.clone();
    spawner
        .spawn(async move {
            while let Ok((stream, _)) = upload.accept().await {
                uploads.spawn(receive(stream)).detach();
            }
        })
        .detach();
    loop {
        let (stream, _) = download.accept().await?;
        spawner.spawn(send(stream)).detach();
    }
}

async fn receive(stream: TcpStream) {
    let (mut octets, mut count) = (Octets::new(1), 0u64);
    while let Some(chunk) = stream.read_chunk(usize::MAX).await.expect("a chunk") {
        octets.check(&chunk);
        count += chunk.len() as u64;
    }
    stream
        .write_all(&count.to_be_bytes())
        .await
        .expect("an answer");
}

async fn send(stream: TcpStream) {
    let mut count = [0; 8];
    let mut have = 0;
    while have < count.len() {
        have += stream.read(&mut count[have..]).await.expect("how many");
    }
    let mut left = u64::from_be_bytes(count) as usize;
    let (mut octets, mut buffer) = (Octets::new(2), vec![0; 64 << 10]);
    while left > 0 {
        let len = left.min(buffer.len());
        octets.fill(&mut buffer[..len]);
        stream.write_all(&buffer[..len]).await.expect("sent");
        left -= len;
    }
}

/// Transfers `count` octets each way; what the table shows.
fn both_ways(host: &Host, count: usize) -> String {
    transfer(host, count, count)
}

/// Transfers octets to the stack, then from it; what the table shows.
fn transfer(host: &Host, to: usize, from: usize) -> String {
    let kernel_before = kernel_tcp("RetransSegs");
    let start = Instant::now();
    let mut stream = connect(9);
    Octets::new(1).send(&mut stream, to).expect("sent");
    stream.shutdown(Shutdown::Write).expect("half-closed");
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(u64::from_be_bytes(answer), to as u64);
    let up = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let mut stream = connect(19);
    stream
        .write_all(&(from as u64).to_be_bytes())
        .expect("asked");
    assert_eq!(Octets::new(2).receive(&mut stream).expect("received"), from);
    let down = start.elapsed().as_secs_f64();
    let rate = |count: usize, seconds: f64| count as f64 / seconds / 1e6;
    format!(
        "{:>6} kB at {:>6.2} MB/s to the stack, {:>6} kB at {:>6.2} from it, {} frames lost; \
         sent again {} by the kernel, {} by the stack",
        to / 1000,
        rate(to, up),
        from / 1000,
        rate(from, down),
        host.control.lost(),
        kernel_tcp("RetransSegs") - kernel_before,
        host.counters().tcp.retrans_segs,
    )
}

/// How many octets a cell of the matrix transfers each way, whose long form has `kilobytes`.
fn octets(kilobytes: usize) -> usize {
    kilobytes * if is_long() { 1000 } else { 100 }
}

fn matrix(mtu: usize, loss: u32, kilobytes: usize, capture: Option<&'static str>) -> String {
    both_ways(&lossy(mtu, loss, capture, None), octets(kilobytes))
}

/// A cell of the matrix with BBR instead of CUBIC on the stack's side.
fn bbr(mtu: usize, loss: u32, kilobytes: usize, congestion: MakeController) -> String {
    let count = octets(kilobytes);
    // Reno and CUBIC in the kernel would take an hour for 100 MB at 20 %.
    let to = if kernel_uses_bbr() {
        count
    } else {
        count * 10 / loss.pow(2) as usize
    };
    transfer(&lossy(mtu, loss, None, Some(congestion)), to, count)
}

/// A stack behind a link that loses `loss` per mille of the frames.
fn lossy(
    mtu: usize,
    loss: u32,
    capture: Option<&'static str>,
    congestion: Option<MakeController>,
) -> Host {
    let conditions = Conditions {
        mtu,
        loss,
        capture,
        ..Conditions::default()
    };
    Host::start(conditions, move |stack, spawner| {
        serve_with(stack, spawner, congestion)
    })
}

/// At 20 % nothing else sends 100 MB in a minute.
fn tolerant_bbr(parameters: &Parameters) -> Box<dyn Controller> {
    Box::new(Bbr::with_loss_thresh(parameters, 50))
}

fn reordered() -> String {
    let capture = Some("transfer-reordered");
    let conditions = Conditions {
        reordering: 20,
        capture,
        ..Conditions::default()
    };
    both_ways(&Host::start(conditions, serve), 50_000_000)
}

fn duplicated() -> String {
    let capture = Some("transfer-duplicated");
    let conditions = Conditions {
        duplication: 50,
        capture,
        ..Conditions::default()
    };
    both_ways(&Host::start(conditions, serve), 50_000_000)
}

/// One bit changes in each fiftieth packet; no checksum may let it through. There is no capture:
/// it would be as wrong as it should be.
fn corrupted() -> String {
    let conditions = Conditions {
        corruption: 20,
        ..Conditions::default()
    };
    let host = Host::start(conditions, serve);
    let text = both_ways(&host, 10_000_000);
    let counters = host.counters();
    let refused = counters.tcp.in_csum_errors + counters.ip.in_hdr_errors;
    assert!(refused > 0, "nothing was corrupted");
    format!("{text}; {refused} refused by the stack's checksums")
}

fn thousand_connections() -> String {
    const CONNECTIONS: usize = 1000;
    const COUNT: usize = 4096;
    let conditions = Conditions {
        capture: Some("thousand-connections"),
        ..Conditions::default()
    };
    let _host = Host::start(conditions, serve);
    let mut streams: Vec<_> = (0..CONNECTIONS).map(|_| connect(9)).collect();
    for stream in &mut streams {
        Octets::new(1).send(stream, COUNT).expect("sent");
    }
    for stream in &mut streams {
        stream.shutdown(Shutdown::Write).expect("half-closed");
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(u64::from_be_bytes(answer), COUNT as u64);
    }
    format!("{CONNECTIONS} connections open at once, {COUNT} octets on each")
}

fn half_close() -> String {
    let conditions = Conditions {
        capture: Some("half-close"),
        ..Conditions::default()
    };
    let _host = Host::start(conditions, serve);
    let mut stream = connect(19);
    stream
        .write_all(&1_000_000u64.to_be_bytes())
        .expect("asked");
    stream.shutdown(Shutdown::Write).expect("half-closed");
    let count = Octets::new(2).receive(&mut stream).expect("received");
    assert_eq!(count, 1_000_000);
    format!("{count} octets after our side had closed")
}
