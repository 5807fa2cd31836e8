//! Two engines back to back in virtual time.

mod sim;

#[path = "sim/echo.rs"]
mod echo;
#[path = "sim/half_open.rs"]
mod half_open;
#[path = "sim/transfer.rs"]
mod transfer;

use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use echo::echo;
use netstack::proto::Instant;
use netstack::proto::tcp::congestion::{self, MakeController};
use netstack::proto::tcp::{Config, Options, State};
use sim::{ADDRESSES, Link, Random};
use transfer::{complete, pair, pair_between};

const MS: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn a_clean_link_carries_both_ways() {
    let link = Link {
        delay: MS(10),
        ..Link::default()
    };
    let mut network = pair(
        3_000_000,
        2_000_000,
        link,
        1,
        &Config::default(),
        &Options::default(),
    );
    let took = complete(&mut network, MS(60_000));
    assert_eq!(
        network.a.tcp.counters().retrans_segs + network.b.tcp.counters().retrans_segs,
        0
    );
    assert!(took < MS(1_000), "{took:?}");
}

#[test]
fn rfc9293_3_8_6_1_two_windows_that_are_closed_and_probed_open_again_at_once() {
    let link = Link {
        delay: MS(10),
        ..Link::default()
    };
    let mut options = Options::default();
    options.receive_buffer = 16 << 10;
    options.send_buffer = 16 << 10;
    for largest in [16 << 10, 4 << 20] {
        options.max_receive_buffer = largest;
        let reads_from = Instant::from_nanos(100_000_000_000);
        let mut network = echo(1 << 20, reads_from, link.clone(), &options);
        network.run_for(MS(98_000));
        assert!(network.a.app.received == 0 && network.a.app.to_send > 0);
        let finished = network.run_until(MS(10_000), |network| network.a.app.received == 1 << 20);
        assert!(finished, "{} octets came back", network.a.app.received);
    }
}

/// A link with this delay each way.
fn slow_link(delay: Duration) -> Link {
    Link {
        delay,
        ..Link::default()
    }
}

#[test]
fn rfc9293_3_5_1_figure_10_an_end_that_has_started_anew_gets_in_with_its_second_syn() {
    let mut network = half_open::connected(slow_link(MS(20)));
    half_open::restart(&mut network);
    half_open::connect(&mut network);
    // The challenge to its SYN, its reset, and the SYN again after a second.
    network.run_for(MS(1_100));
    assert_eq!(half_open::states(&network), [Some(State::Established); 2]);
    assert_eq!(network.b.tcp.connection_counts(), (2, 0));
    assert_eq!(network.b.tcp.counters().estab_resets, 1);
}

#[test]
fn rfc9293_3_5_1_figure_11_data_for_an_end_that_has_started_anew_is_reset() {
    let mut network = half_open::connected(slow_link(MS(20)));
    half_open::restart(&mut network);
    let id = network.b.app.id.unwrap();
    assert!(network.b.tcp.send(id, b"data").is_ready());
    network.run_for(MS(41));
    assert_eq!(half_open::states(&network), [None, Some(State::Closed)]);
    assert_eq!(network.b.tcp.counters().retrans_segs, 0);
}

#[test]
fn rfc5961_7_ends_that_disagree_do_not_answer_each_other_for_ever() {
    for delay in [1, 15, 100, 400] {
        let mut network = half_open::connected(slow_link(MS(delay)));
        network.trace = Some(Vec::new());
        // Each end says something, and so shows its numbers.
        for host in [&mut network.a, &mut network.b] {
            let id = host.app.id.unwrap();
            assert!(host.tcp.send(id, b"data").is_ready());
        }
        network.run_for(MS(5_000));
        half_open::slip_in(&mut network);
        network.trace = Some(Vec::new());
        network.run_for(Duration::from_secs(60));
        let answers = network.trace.as_ref().map_or(0, Vec::len);
        assert!((2..=12).contains(&answers), "{delay} ms: {answers}");
        // It is dead, and who sends finds out (§3.8.3, R2): its peer knows nothing of it afterwards.
        let id = network.a.app.id.unwrap();
        assert!(network.a.tcp.send(id, b"more").is_ready());
        network.run_for(Duration::from_secs(3_600));
        assert_eq!(half_open::states(&network)[0], Some(State::Closed));
    }
}

/// A link that is bad in ways that the seed chooses.
fn bad_link(random: &mut Random) -> Link {
    let mut up_to = |limit: u64| random.below(limit + 1);
    let delay = Duration::from_micros(10 + up_to(30_000));
    let percent = |value: u64| (value * 10_000) as u32;
    Link {
        delay,
        jitter: if up_to(1) == 0 {
            Duration::ZERO
        } else {
            delay / (1 + up_to(4) as u32)
        },
        loss: percent(up_to(3) * up_to(5)),
        duplicate: percent(up_to(2) * up_to(5)),
        corrupt: percent(up_to(1) * up_to(4)),
        reorder: percent(up_to(2) * up_to(5)),
        ..Link::default()
    }
}

fn run_seed(addresses: [IpAddr; 2], seed: u64, congestion: Option<MakeController>) {
    let mut random = Random::new(seed);
    let link = bad_link(&mut random);
    let mut config = Config::default();
    // Over IPv6 no link carries less than 1,280 octets.
    let least = if addresses[0].is_ipv4() { 576 } else { 1280 };
    config.mtu = [least, 1500, 9000][random.below(3) as usize];
    if random.below(3) == 0 {
        config.congestion = congestion::new_reno;
    }
    let mut options = Options::default();
    options.nodelay = random.below(2) == 0;
    options.ecn = random.below(4) == 0;
    options.congestion = congestion;
    options.receive_buffer = 4096 << random.below(6);
    options.max_receive_buffer = options.receive_buffer << random.below(4);
    options.send_buffer = 2000 << random.below(8);
    let (up, down) = (random.below(60_000) as usize, random.below(60_000) as usize);
    let mut network = pair_between(addresses, (up, down), link, seed, &config, &options);
    network.a.app.chunk = 1 + random.below(5_000) as usize;
    network.b.app.chunk = 1 + random.below(5_000) as usize;
    complete(&mut network, Duration::from_secs(3_600));
}

/// Runs seeds on both processors; the seed is in the message of a failure.
fn run_seeds(
    addresses: [IpAddr; 2],
    seeds: core::ops::Range<u64>,
    congestion: Option<MakeController>,
) {
    let middle = seeds.start + (seeds.end - seeds.start) / 2;
    std::thread::scope(|scope| {
        for part in [seeds.start..middle, middle..seeds.end] {
            scope.spawn(move || {
                for seed in part {
                    let result = std::panic::catch_unwind(|| run_seed(addresses, seed, congestion));
                    assert!(result.is_ok(), "seed {seed} failed");
                }
            });
        }
    });
}

#[test]
fn ten_thousand_seeds_of_loss_reordering_duplication_corruption_and_delay() {
    run_seeds(ADDRESSES.map(IpAddr::V4), 0..10_000, None);
}

#[test]
fn the_same_ten_thousand_seeds_over_ipv6() {
    let addresses = [1, 2].map(|last| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last));
    run_seeds(addresses.map(IpAddr::V6), 0..10_000, None);
}

#[test]
fn a_thousand_seeds_with_bbr() {
    run_seeds(
        ADDRESSES.map(IpAddr::V4),
        10_000..11_000,
        Some(congestion::bbr),
    );
}
