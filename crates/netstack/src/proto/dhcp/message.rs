//! DHCP messages: what this client writes and reads of them (RFC 2131 §2, RFC 2132).

use core::net::Ipv4Addr;
use core::time::Duration;
use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, Opcode, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};

use super::{INFINITE, Lease};
use crate::proto::ethernet::MacAddr;
use crate::proto::ipv4::Cidr;

/// The longest DHCP message that we take, in octets: what fits an Ethernet frame.
const MAX_MESSAGE: u16 = 1472;

/// Offset of the field `hlen`.
const HLEN: usize = 2;

/// The message types that this client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Discover,
    Offer,
    Request,
    Decline,
    Ack,
    Nak,
    Release,
}

/// What differs between the messages that we send (RFC 2131 table 5).
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) kind: Kind,
    /// `ciaddr`: our address, if the server can reach us by it.
    pub(super) client: Ipv4Addr,
    pub(super) requested: Option<Ipv4Addr>,
    pub(super) server: Option<Ipv4Addr>,
}

impl Request {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            client: Ipv4Addr::UNSPECIFIED,
            requested: None,
            server: None,
        }
    }

    pub(super) fn encode(&self, mac: MacAddr, xid: u32, seconds: u16) -> Vec<u8> {
        let none = Ipv4Addr::UNSPECIFIED;
        let mut message = Message::new_with_id(xid, self.client, none, none, none, &mac.0);
        message.set_secs(seconds).set_flags(Flags::default());
        let options = message.opts_mut();
        options.insert(DhcpOption::MessageType(match self.kind {
            Kind::Discover => MessageType::Discover,
            Kind::Offer => MessageType::Offer,
            Kind::Request => MessageType::Request,
            Kind::Decline => MessageType::Decline,
            Kind::Ack => MessageType::Ack,
            Kind::Nak => MessageType::Nak,
            Kind::Release => MessageType::Release,
        }));
        let identifier = [&[1], mac.0.as_slice()].concat();
        options.insert(DhcpOption::ClientIdentifier(identifier));
        if let Some(address) = self.requested {
            options.insert(DhcpOption::RequestedIpAddress(address));
        }
        if let Some(server) = self.server {
            options.insert(DhcpOption::ServerIdentifier(server));
        }
        if matches!(self.kind, Kind::Discover | Kind::Request) {
            options.insert(DhcpOption::MaxMessageSize(MAX_MESSAGE));
            options.insert(DhcpOption::ParameterRequestList(vec![
                OptionCode::SubnetMask,
                OptionCode::Router,
                OptionCode::DomainNameServer,
                OptionCode::InterfaceMtu,
                OptionCode::AddressLeaseTime,
                OptionCode::Renewal,
                OptionCode::Rebinding,
            ]));
        }
        // Writing to memory does not fail; what would be left out of a message is its end.
        message.to_vec().unwrap_or_default()
    }
}

/// What a server says.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) kind: Kind,
    pub(super) address: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    pub(super) renew: Option<Duration>,
    pub(super) rebind: Option<Duration>,
    mask: Option<Ipv4Addr>,
    gateway: Option<Ipv4Addr>,
    dns: Vec<Ipv4Addr>,
    mtu: Option<u16>,
    lease: Option<u32>,
}

impl Reply {
    /// Reads an answer to `mac` in the exchange `xid`; `None` if it is none.
    pub(super) fn decode(payload: &[u8], mac: MacAddr, xid: u32) -> Option<Self> {
        if payload.get(HLEN) != Some(&6) {
            return None;
        }
        let message = Message::decode(&mut Decoder::new(payload)).ok()?;
        let ours = message.opcode() == Opcode::BootReply
            && message.xid() == xid
            && message.chaddr() == mac.0;
        let kind = match message.opts().msg_type()? {
            MessageType::Offer => Kind::Offer,
            MessageType::Ack => Kind::Ack,
            MessageType::Nak => Kind::Nak,
            _ => return None,
        };
        let seconds = |value: u32| Duration::from_secs(value.into());
        let mut reply = Self {
            kind,
            address: message.yiaddr(),
            server: Ipv4Addr::UNSPECIFIED,
            renew: None,
            rebind: None,
            mask: None,
            gateway: None,
            dns: Vec::new(),
            mtu: None,
            lease: None,
        };
        for (_, option) in message.opts().iter() {
            match option {
                DhcpOption::ServerIdentifier(server) => reply.server = *server,
                DhcpOption::SubnetMask(mask) => reply.mask = Some(*mask),
                DhcpOption::Router(routers) => reply.gateway = routers.first().copied(),
                DhcpOption::DomainNameServer(servers) => reply.dns = servers.clone(),
                DhcpOption::InterfaceMtu(mtu) => reply.mtu = Some(*mtu),
                DhcpOption::AddressLeaseTime(time) => reply.lease = Some(*time),
                DhcpOption::Renewal(time) => reply.renew = Some(seconds(*time)),
                DhcpOption::Rebinding(time) => reply.rebind = Some(seconds(*time)),
                _ => {}
            }
        }
        // RFC 2131 table 3: every answer names its server.
        (ours && !reply.server.is_unspecified()).then_some(reply)
    }

    /// The offered address in its network, if it can be a host's.
    pub(super) fn network(&self) -> Option<Cidr> {
        let address = self.address;
        let host = !(address.is_unspecified()
            || address.is_broadcast()
            || address.is_multicast()
            || address.is_loopback());
        // Without a mask, that of the address' old class (RFC 950).
        let mask = self.mask.unwrap_or(match address.octets()[0] {
            0..=127 => Ipv4Addr::new(255, 0, 0, 0),
            128..=191 => Ipv4Addr::new(255, 255, 0, 0),
            _ => Ipv4Addr::new(255, 255, 255, 0),
        });
        Cidr::from_mask(address, mask).filter(|_| host)
    }

    pub(super) fn lease(&self) -> Option<Lease> {
        let address = self.network()?;
        let duration = match self.lease? {
            INFINITE => None,
            seconds => Some(Duration::from_secs(seconds.into())),
        };
        Some(Lease {
            address,
            gateway: self.gateway.filter(|gateway| address.contains(*gateway)),
            dns: self.dns.clone(),
            server: self.server,
            mtu: self.mtu,
            duration,
        })
    }
}
