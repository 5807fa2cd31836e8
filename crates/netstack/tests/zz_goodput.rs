mod sim;
#[path = "sim/transfer.rs"]
mod transfer;
use core::time::Duration;
use netstack::proto::tcp::{Config, Options, congestion};
use sim::Link;
use transfer::{complete, pair};
#[test]
fn goodput() {
    for loss in [200_000] {
        for cc in 0..1 {
            for rate in [None::<u64>] {
            let link = Link { delay: Duration::from_millis(20), loss, rate, queue: Duration::from_millis(20), ..Link::default() };
            let mut config = Config::default();
            if cc == 1 { config.congestion = congestion::new_reno; }
            let mut options = Options::default(); options.send_buffer = 4<<20;
            let mut network = pair(1_000_000, 0, link, 1, &config, &options);
            let took = complete(&mut network, Duration::from_secs(100_000));
            println!("loss {loss} cc {cc} rate {rate:?}: {:.3} MB/s; {:?}", 20.0 / took.as_secs_f64(), network.a.tcp.counters().entries().filter(|e| e.1 != 0).collect::<Vec<_>>());
            }
        }
    }
}
