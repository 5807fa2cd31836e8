//! `/etc/resolv.conf`: the network tells of name servers and domains once it has started, and a program without sockets has none
//! of it.

use core::cell::Cell;
use std::net::IpAddr;

use crate::arguments;
use crate::sockets::address::with_zone;

/// What the network tells of names.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) servers: Vec<IpAddr>,
    pub(crate) domains: Vec<String>,
}

global! {
    static TOLD: Cell<Option<fn() -> Told>> = Cell::new(None);
}

/// From now on the network is asked.
#[cfg(solo5)]
pub(crate) fn ask(network: fn() -> Told) {
    TOLD.with(|told| told.set(Some(network)));
}

/// What the file says now: the servers of the settings, or else those that the network tells of, and its domains.
pub(crate) fn text() -> Vec<u8> {
    let told = TOLD.with(Cell::get).map_or_else(Told::default, |ask| ask());
    arguments::with(|settings| write(&settings.dns, &told)).into_bytes()
}

fn write(set: &[IpAddr], told: &Told) -> String {
    let servers = if set.is_empty() { &told.servers } else { set };
    let lines = servers
        .iter()
        .map(|server| format!("nameserver {}\n", with_zone(*server)));
    let mut text: String = lines.collect();
    if !told.domains.is_empty() {
        text += &format!("search {}\n", told.domains.join(" "));
    }
    text
}

#[test]
fn servers_that_are_set_stand_for_those_that_are_told() {
    let servers = ["10.0.0.1", "fe80::1", "fd00::1"].map(|it| it.parse().expect("an address"));
    let mut told = Told {
        servers: servers.to_vec(),
        domains: Vec::new(),
    };
    let all = "nameserver 10.0.0.1\nnameserver fe80::1%1\nnameserver fd00::1\n";
    assert_eq!(write(&[], &told), all);
    told.domains = vec!["lan".to_owned(), "example.org".to_owned()];
    let one = "nameserver fd00::1\nsearch lan example.org\n";
    assert_eq!(write(&servers[2..], &told), one);
    assert_eq!(write(&[], &Told::default()), "");
}
