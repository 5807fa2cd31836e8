//! TCP clause by clause, in virtual time: each test is named after the clause that it shows.
//!
//! - `segment_arrives`: RFC 9293 §3.10.7, in its order
//! - `acceptance`: what is taken of duplicates, and of segments of another connection
//! - `closing`: RFC 9293 §3.6, user calls
//! - `time_wait`: RFC 9293 §3.6.1, RFC 6191, RFC 1337
//! - `sending`: what goes out and when
//! - `counters`: that what happens is counted; settings and tables
//! - `data`: acknowledgements, windows, Nagle's rule, probes, keep-alive
//! - `windows`: the peer's window when it is closed or taken back
//! - `buffers`: what makes the receive buffer grow
//! - `options`: RFC 7323, RFC 2018, RFC 2883
//! - `pacing`: draft-ietf-ccwg-bbr
//! - `controllers`: what a controller of the user's is told
//! - `recovery`: RFC 5681, 6582, 6675, 8985, 6298, 3522
//! - `losses`: which acknowledgements tell of a loss, of reordering, or of neither
//! - `fast_recovery`: what an acknowledgement in a recovery permits, restarts and proves
//! - `round_trip`: RFC 6298, Karn's algorithm
//! - `challenges`: RFC 5961
//! - `defences`: RFC 4987, budgets
//! - `icmp`: RFC 5461, RFC 5927, path MTU (RFC 1191, RFC 2923)
//! - `ecn`: RFC 3168

mod wire;

mod rfc {
    mod acceptance;
    mod buffers;
    mod challenges;
    mod closing;
    mod controllers;
    mod counters;
    mod data;
    mod defences;
    mod ecn;
    mod fast_recovery;
    mod icmp;
    mod losses;
    mod options;
    mod pacing;
    mod recovery;
    mod round_trip;
    mod segment_arrives;
    mod sending;
    mod spurious;
    mod time_wait;
    mod windows;
}
