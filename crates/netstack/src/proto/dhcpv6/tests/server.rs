//! What a server reads and writes, octet by octet.

use core::net::Ipv6Addr;

pub(crate) const SOLICIT: u8 = 1;
pub(crate) const ADVERTISE: u8 = 2;
pub(crate) const REQUEST: u8 = 3;
pub(crate) const CONFIRM: u8 = 4;
pub(crate) const RENEW: u8 = 5;
pub(crate) const REBIND: u8 = 6;
pub(crate) const REPLY: u8 = 7;
pub(crate) const RELEASE: u8 = 8;
pub(crate) const DECLINE: u8 = 9;
pub(crate) const INFORMATION_REQUEST: u8 = 11;

/// The DUID of the server, and of another.
pub(crate) const SERVER: &[u8] = &[0, 2, 0, 0, 0, 9, 1];
pub(crate) const OTHER: &[u8] = &[0, 2, 0, 0, 0, 9, 2];

/// An option as it is written.
pub(crate) fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [
        &code.to_be_bytes()[..],
        &(value.len() as u16).to_be_bytes(),
        value,
    ]
    .concat()
}

/// The value of the first option `code` among these.
pub(crate) fn value(mut options: &[u8], code: u16) -> Option<&[u8]> {
    while let [a, b, c, d, rest @ ..] = options {
        let (value, rest) = rest.split_at(u16::from_be_bytes([*c, *d]).into());
        if u16::from_be_bytes([*a, *b]) == code {
            return Some(value);
        }
        options = rest;
    }
    assert!(options.is_empty(), "half an option");
    None
}

/// The addresses in a client's IA_NA.
pub(crate) fn asked(message: &[u8]) -> Vec<Ipv6Addr> {
    let mut within = &value(&message[4..], 3).expect("an association")[12..];
    let mut addresses = Vec::new();
    while let Some(address) = value(within, 5) {
        let octets: [u8; 16] = *address.first_chunk().expect("an address");
        addresses.push(octets.into());
        within = &within[4 + address.len()..];
    }
    addresses
}

pub(crate) fn status(code: u16) -> Vec<u8> {
    option(13, &code.to_be_bytes())
}

/// An address with its preferred and its valid time in seconds.
pub(crate) fn address(address: &str, preferred: u32, valid: u32) -> Vec<u8> {
    let address: Ipv6Addr = address.parse().expect("an address");
    let times = [preferred.to_be_bytes(), valid.to_be_bytes()].concat();
    option(5, &[&address.octets()[..], &times].concat())
}

/// The client's IA_NA with T1 and T2 in seconds, and what is in it.
pub(crate) fn association(request: &[u8], (t1, t2): (u32, u32), within: &[Vec<u8>]) -> Vec<u8> {
    let iaid = &value(&request[4..], 3).expect("an association")[..4];
    let head = [iaid, &t1.to_be_bytes(), &t2.to_be_bytes()].concat();
    option(3, &[head, within.concat()].concat())
}

/// An answer of `server` to `request` with these options behind those that every answer has.
pub(crate) fn answer(request: &[u8], kind: u8, server: &[u8], options: &[Vec<u8>]) -> Vec<u8> {
    let client = value(&request[4..], 1).expect("a client");
    let mut message = request[..4].to_vec();
    message[0] = kind;
    message.extend(option(1, client));
    message.extend(option(2, server));
    message.extend(options.concat());
    message
}

/// An answer that grants 2001:db8::50 for so many seconds, preferred for half of them.
pub(crate) fn grant(request: &[u8], kind: u8, valid: u32) -> Vec<u8> {
    let address = address("2001:db8::50", valid / 2, valid);
    let association = association(request, (0, 0), &[address]);
    answer(request, kind, SERVER, &[association])
}
