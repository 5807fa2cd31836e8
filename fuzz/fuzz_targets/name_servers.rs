//! The options RDNSS and DNSSL of router advertisements: no panic, bounded lists, names that can be asked for.
#![no_main]

use core::net::Ipv6Addr;
use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use netstack::proto::Instant;
use netstack::proto::dns;
use netstack::proto::ip::Family;
use netstack::proto::ip::v6::name_servers::{DOMAINS, NameServers, SERVERS};

fuzz_target!(|data: &[u8]| {
    let mut held = NameServers::default();
    let mut now = Instant::from_nanos(1);
    let mut rest = data;
    while let [what, length, tail @ ..] = rest {
        let (value, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        let kind = [SERVERS, DOMAINS][usize::from(what & 1)];
        let body = [&[0, 0, 0, 0, 0, what >> 4], value].concat();
        let before: Vec<_> = held.servers().collect();
        // One of four routers, of which two have shown that they are there.
        let router = |number: u8| Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(number));
        let proven = |it: Ipv6Addr| it.to_bits() & 1 != 0;
        let router = router(what >> 2 & 3);
        let changed = held.advertised(now, router, (kind, &body), proven);
        assert!(
            changed || held.servers().eq(before),
            "a change that was not told"
        );
        // As it stands, too.
        held.advertised(now, router, (kind, value), proven);
        assert!(held.servers().count() <= 8 && held.domains().count() <= 8);
        for domain in held.domains() {
            assert!(dns::question(1, domain, Family::V6).is_ok(), "{domain}");
        }
        if what & 2 != 0 {
            now += Duration::from_millis(1500);
        }
        held.poll(now);
        assert!(held.poll_at().is_none_or(|at| at > now));
    }
});
