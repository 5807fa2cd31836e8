//! Counters in the style of `/proc/net/snmp`: the names are those of the management information
//! bases (RFC 4293, RFC 4113) as Linux prints them.

use core::fmt;

/// Declares a group of counters: a struct of `u64` whose fields carry their MIB names.
macro_rules! counters {
    ($(#[$doc:meta])* $group:ident { $($(#[$field_doc:meta])* $field:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $group {
            $($(#[$field_doc])* pub $field: u64,)*
        }

        impl $group {
            /// The counters with their MIB names.
            #[must_use]
            pub fn entries(&self) -> Vec<(&'static str, u64)> {
                vec![$(($name, self.$field)),*]
            }
        }

        impl fmt::Display for $group {
            /// Two lines, as in `/proc/net/snmp`: names, then values.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($group), ":"))?;
                $(write!(f, concat!(" ", $name))?;)*
                write!(f, concat!("\n", stringify!($group), ":"))?;
                $(write!(f, " {}", self.$field)?;)*
                Ok(())
            }
        }
    };
}

counters! {
    /// Counters of ARP; there is no MIB for these.
    Arp {
        /// Packets received.
        in_packets = "InPackets",
        /// Packets that were malformed or impossible.
        in_errors = "InErrors",
        /// Requests sent.
        out_requests = "OutRequests",
        /// Replies sent.
        out_replies = "OutReplies",
        /// Neighbours that did not answer.
        failed = "Failed",
        /// Frames dropped while their neighbour was being resolved.
        dropped = "Dropped",
        /// Packets of others that use an address of ours.
        conflicts = "Conflicts",
    }
}

counters! {
    /// Counters of IPv4, or of IPv6.
    Ip {
        /// Datagrams received.
        in_receives = "InReceives",
        /// Datagrams whose header was malformed or had a wrong checksum.
        in_hdr_errors = "InHdrErrors",
        /// Datagrams that were not for us, or came from an impossible source.
        in_addr_errors = "InAddrErrors",
        /// Datagrams of a protocol that is not spoken here.
        in_unknown_protos = "InUnknownProtos",
        /// Datagrams dropped for want of room.
        in_discards = "InDiscards",
        /// Datagrams handed to a protocol.
        in_delivers = "InDelivers",
        /// Datagrams that protocols asked to send.
        out_requests = "OutRequests",
        /// Datagrams dropped for want of room.
        out_discards = "OutDiscards",
        /// Datagrams to where no route leads.
        out_no_routes = "OutNoRoutes",
        /// Reassemblies given up after their time.
        reasm_timeout = "ReasmTimeout",
        /// Fragments received.
        reasm_reqds = "ReasmReqds",
        /// Datagrams put together.
        reasm_oks = "ReasmOKs",
        /// Reassemblies that failed, for whatever reason.
        reasm_fails = "ReasmFails",
        /// Datagrams cut into fragments.
        frag_oks = "FragOKs",
        /// Datagrams that needed to be cut and must not.
        frag_fails = "FragFails",
        /// Fragments made.
        frag_creates = "FragCreates",
    }
}

counters! {
    /// Counters of neighbour discovery (RFC 4861); there is no MIB for these.
    Nd {
        /// Messages received.
        in_msgs = "InMsgs",
        /// Messages that were malformed, or came from where they may not.
        in_errors = "InErrors",
        /// Solicitations of routers sent.
        out_router_solicits = "OutRouterSolicits",
        /// Solicitations of neighbours sent.
        out_solicits = "OutNeighborSolicits",
        /// Advertisements sent.
        out_advertisements = "OutNeighborAdvertisements",
        /// Redirects taken.
        redirects = "InRedirects",
        /// Neighbours that did not answer.
        failed = "Failed",
        /// Frames dropped while their neighbour was being resolved.
        dropped = "Dropped",
        /// Packets of others that use an address of ours.
        conflicts = "Conflicts",
    }
}

impl Nd {
    /// Counts a message that is sent, by its type.
    pub(crate) fn count_sent(&mut self, kind: u8) {
        match kind {
            133 => self.out_router_solicits += 1,
            135 => self.out_solicits += 1,
            136 => self.out_advertisements += 1,
            _ => {}
        }
    }
}

counters! {
    /// Counters of ICMP, or of ICMPv6.
    Icmp {
        /// Messages received.
        in_msgs = "InMsgs",
        /// Messages that were malformed or had a wrong checksum.
        in_errors = "InErrors",
        /// Destination Unreachable received.
        in_dest_unreachs = "InDestUnreachs",
        /// Time Exceeded received.
        in_time_excds = "InTimeExcds",
        /// Parameter Problem received.
        in_parm_probs = "InParmProbs",
        /// Echo requests received.
        in_echos = "InEchos",
        /// Echo replies received.
        in_echo_reps = "InEchoReps",
        /// Messages sent.
        out_msgs = "OutMsgs",
        /// Errors not sent because of the rate limit.
        out_rate_limited = "OutRateLimitHost",
        /// Destination Unreachable sent.
        out_dest_unreachs = "OutDestUnreachs",
        /// Time Exceeded sent.
        out_time_excds = "OutTimeExcds",
        /// Parameter Problem sent, which over IPv4 is never.
        out_parm_probs = "OutParmProbs",
        /// Echo requests sent.
        out_echos = "OutEchos",
        /// Echo replies sent.
        out_echo_reps = "OutEchoReps",
    }
}

counters! {
    /// Counters of UDP.
    Udp {
        /// Datagrams given to sockets.
        in_datagrams = "InDatagrams",
        /// Datagrams to ports where nobody listens.
        no_ports = "NoPorts",
        /// Datagrams that were malformed.
        in_errors = "InErrors",
        /// Datagrams sent.
        out_datagrams = "OutDatagrams",
        /// Datagrams dropped because a socket's queue was full.
        rcvbuf_errors = "RcvbufErrors",
        /// Datagrams that could not be sent.
        sndbuf_errors = "SndbufErrors",
        /// Datagrams with a wrong checksum.
        in_csum_errors = "InCsumErrors",
    }
}

#[cfg(test)]
mod tests;
