//! What a server reads and writes, octet by octet.

use core::net::Ipv4Addr;

pub(crate) const DISCOVER: u8 = 1;
pub(crate) const OFFER: u8 = 2;
pub(crate) const REQUEST: u8 = 3;
pub(crate) const DECLINE: u8 = 4;
pub(crate) const ACK: u8 = 5;
pub(crate) const NAK: u8 = 6;
pub(crate) const RELEASE: u8 = 7;

/// The value of the first option `code` of a client's message.
pub(crate) fn option(message: &[u8], code: u8) -> Option<&[u8]> {
    let mut rest = &message[240..];
    loop {
        match rest {
            [255, ..] | [] => return None,
            [0, more @ ..] => rest = more,
            [this, len, more @ ..] => {
                let (value, more) = more.split_at(usize::from(*len));
                if *this == code {
                    return Some(value);
                }
                rest = more;
            }
            [_] => panic!("an option without a length"),
        }
    }
}

/// The message type.
pub(crate) fn kind(message: &[u8]) -> u8 {
    option(message, 53).expect("a DHCP message")[0]
}

pub(crate) fn xid(message: &[u8]) -> [u8; 4] {
    message[4..8].try_into().expect("four octets")
}

/// `ciaddr`.
pub(crate) fn client_address(message: &[u8]) -> Ipv4Addr {
    let octets: [u8; 4] = message[12..16].try_into().expect("four octets");
    octets.into()
}

/// An answer to `request` with these options and no others.
pub(crate) fn bare(request: &[u8], address: Ipv4Addr, options: &[(u8, &[u8])]) -> Vec<u8> {
    let mut reply = vec![0; 240];
    reply[..3].copy_from_slice(&[2, 1, 6]);
    reply[4..8].copy_from_slice(&request[4..8]);
    reply[16..20].copy_from_slice(&address.octets());
    reply[28..34].copy_from_slice(&request[28..34]);
    reply[236..].copy_from_slice(&[99, 130, 83, 99]);
    for (code, value) in options {
        reply.extend([*code, value.len() as u8]);
        reply.extend(*value);
    }
    reply.push(255);
    reply
}

/// An answer to `request` from `server`.
pub(crate) fn reply(
    request: &[u8],
    server: Ipv4Addr,
    (kind, address): (u8, Ipv4Addr),
    options: &[(u8, &[u8])],
) -> Vec<u8> {
    let (server, kind) = (server.octets(), [kind]);
    let mut all: Vec<(u8, &[u8])> = vec![(53, &kind), (54, &server)];
    all.extend(options);
    bare(request, address, &all)
}
