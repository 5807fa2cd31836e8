//! Counters in the style of Linux's `/proc/net/snmp` and `/proc/net/netstat`.

macro_rules! counters {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident => $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name { $($(#[$doc])* pub $field: u64,)* }

        impl $name {
            /// Each counter's name as Linux prints it, and its value, in order.
            pub fn entries(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
                [$(($text, self.$field),)*].into_iter()
            }
        }
    };
}

counters! {
    /// What a [`Tcp`](super::Tcp) engine has counted since it was made: the first group is RFC 4022's
    /// (`Tcp:` in `/proc/net/snmp`), the second Linux's own (`TcpExt:` in `/proc/net/netstat`).
    Counters {
        /// Connections opened by `connect`.
        active_opens => "ActiveOpens",
        /// SYNs accepted by listeners.
        passive_opens => "PassiveOpens",
        /// Connections that failed before they were established.
        attempt_fails => "AttemptFails",
        /// Established connections that ended by a reset, sent or received.
        estab_resets => "EstabResets",
        /// Connections established or in CLOSE-WAIT now.
        curr_estab => "CurrEstab",
        /// Segments received, those in error included.
        in_segs => "InSegs",
        /// Segments sent, those with only retransmitted octets excluded.
        out_segs => "OutSegs",
        /// Segments sent that held retransmitted octets.
        retrans_segs => "RetransSegs",
        /// Segments received in error: bad header or checksum.
        in_errs => "InErrs",
        /// Segments sent with RST.
        out_rsts => "OutRsts",
        /// Segments received with a bad checksum.
        in_csum_errors => "InCsumErrors",
        /// SYN cookies sent.
        syn_cookies_sent => "SyncookiesSent",
        /// Connections made from a SYN cookie.
        syn_cookies_recv => "SyncookiesRecv",
        /// Acknowledgements that held no valid SYN cookie.
        syn_cookies_failed => "SyncookiesFailed",
        /// SYNs and final acknowledgements dropped because the accept queue was full.
        listen_overflows => "ListenOverflows",
        /// SYNs dropped for any reason.
        listen_drops => "ListenDrops",
        /// Connections that entered TIME-WAIT.
        time_wait => "TW",
        /// TIME-WAIT connections reused for a new SYN (RFC 6191).
        time_wait_recycled => "TWRecycled",
        /// TIME-WAIT connections dropped because there were too many.
        time_wait_overflow => "TCPTimeWaitOverflow",
        /// Segments dropped by PAWS (RFC 7323 §5).
        paws_estab => "PAWSEstab",
        /// Acknowledgements sent late.
        delayed_acks => "DelayedACKs",
        /// Segments kept out of order.
        ofo_queue => "TCPOFOQueue",
        /// Segments out of order that were dropped for want of memory.
        ofo_drop => "TCPOFODrop",
        /// Connections of which what was out of order was dropped to make room for what was in order.
        rcv_pruned => "RcvPruned",
        /// Connections of which all that was out of order was dropped for want of memory.
        ofo_pruned => "OfoPruned",
        /// Fast retransmissions.
        fast_retrans => "TCPFastRetrans",
        /// Retransmissions during slow start after a time-out.
        slow_start_retrans => "TCPSlowStartRetrans",
        /// Retransmission time-outs.
        timeouts => "TCPTimeouts",
        /// Tail-loss probes sent (RFC 8985 §7).
        loss_probes => "TCPLossProbes",
        /// Losses repaired by a tail-loss probe.
        loss_probe_recovery => "TCPLossProbeRecovery",
        /// SACK recoveries begun.
        sack_recovery => "TCPSackRecovery",
        /// NewReno recoveries begun.
        reno_recovery => "TCPRenoRecovery",
        /// Duplicate SACKs sent (RFC 2883).
        dsack_old_sent => "TCPDSACKOldSent",
        /// Duplicate SACKs received.
        dsack_recv => "TCPDSACKRecv",
        /// Challenge ACKs sent (RFC 5961).
        challenge_ack => "TCPChallengeACK",
        /// SYNs in a synchronized state, answered by a challenge ACK.
        syn_challenge => "TCPSYNChallenge",
        /// Keep-alive probes sent.
        keep_alive => "TCPKeepAlive",
        /// Zero-window and other window probes sent.
        window_probe => "TCPWinProbe",
        /// Connections aborted because of a time-out.
        abort_on_timeout => "TCPAbortOnTimeout",
        /// Connections aborted because data came after the user had released them.
        abort_on_close => "TCPAbortOnData",
        /// Connections aborted by the user's linger setting.
        abort_on_linger => "TCPAbortOnLinger",
        /// Connections aborted for want of memory.
        abort_on_memory => "TCPAbortOnMemory",
        /// Segments or data dropped because the memory budget was spent.
        memory_drops => "TCPRcvQDrop",
        /// Path-MTU reductions taken from ICMP (RFC 1191) or after a black hole was suspected.
        mtu_reductions => "TCPMTUReductions",
        /// Segments that said that congestion was experienced (RFC 3168).
        ecn_ce => "InCEPkts",
    }
}
