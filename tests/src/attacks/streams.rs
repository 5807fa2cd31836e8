//! Attacks over TCP.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{Strangers, port};
use crate::frames::{ACK, Crowd, Link, Manner, PSH, RST, SYN, Segment, tcp_options};

/// For all handshakes of a burst, at most.
const HANDSHAKES: Duration = Duration::from_secs(60);

fn crowd(link: &mut Link, from: Strangers, count: usize, port: u16, manner: Manner) -> Crowd {
    let mut crowd = Crowd::new(from.service(port), manner, from.first.into());
    let deadline = Instant::now() + HANDSHAKES;
    crowd.open(link, from.ends(count), deadline);
    crowd
}

/// A peer whose segments may be long and whose window is large.
fn modern() -> Manner {
    Manner {
        options: tcp_options(1460, Some(7)),
        ..Manner::default()
    }
}

/// `count` connections to echo, on each of which `segments` single octets arrive, none of them next to another and the
/// first one missing.
pub fn slivers(link: &mut Link, from: Strangers, count: usize, segments: u32) -> Crowd {
    let mut crowd = crowd(link, from, count, port::ECHO, modern());
    for number in 0..segments {
        crowd.each(link, |client| {
            let seq = client.snd_nxt.wrapping_add(2 + 2 * number);
            (seq, ACK | PSH, b"s".to_vec())
        });
    }
    crowd
}

/// What a client with a closed window does about probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedWindow {
    /// Nothing.
    Silent,
    /// Says that the window is closed still.
    Answering,
}

/// `count` connections to chargen with a window of zero from the first segment on, for `time`.
pub fn closed_windows(
    link: &mut Link,
    from: Strangers,
    count: usize,
    behaviour: ClosedWindow,
    time: Duration,
) -> Crowd {
    let manner = Manner {
        window: 0,
        answer: match behaviour {
            ClosedWindow::Silent => Manner::silent,
            ClosedWindow::Answering => Manner::unmoved,
        },
        ..Manner::default()
    };
    let mut crowd = crowd(link, from, count, port::CHARGEN, manner);
    crowd.pump(link, time);
    crowd
}

/// `count` connections to discard, each with `octets` beyond a gap that nobody fills.
pub fn gaps(link: &mut Link, from: Strangers, count: usize, octets: usize) -> Crowd {
    const LENGTH: usize = 1400;
    let mut crowd = crowd(link, from, count, port::DISCARD, modern());
    for at in (0..octets).step_by(LENGTH) {
        crowd.each(link, |client| {
            let seq = client.snd_nxt.wrapping_add(1 + at as u32);
            (seq, ACK, vec![b'g'; LENGTH])
        });
    }
    crowd
}

/// `count` connections to echo which do nothing, once they have sent `request`.
pub fn hold(link: &mut Link, from: Strangers, count: usize, request: &[u8]) -> Crowd {
    let manner = Manner {
        request: request.to_vec(),
        answer: Manner::taking,
        ..Manner::default()
    };
    crowd(link, from, count, port::ECHO, manner)
}

/// `count` connections to echo, with an octet each, which are reset a hundred at a time.
pub fn dropped(link: &mut Link, from: Strangers, count: usize) -> usize {
    const AT_ONCE: u32 = 100;
    let mut established = 0;
    for first in (0..count as u32).step_by(AT_ONCE as usize) {
        let first = from.first + first;
        let mut crowd = hold(link, Strangers { first, ..from }, AT_ONCE as usize, b"d");
        crowd.each(link, |client| (client.snd_nxt, RST, Vec::new()));
        established += crowd.established();
    }
    established
}

/// `count` connections to daytime, which closes first and so has them in TIME-WAIT.
pub fn time_waits(link: &mut Link, from: Strangers, count: usize) -> Crowd {
    let manner = Manner {
        answer: Manner::taking,
        ..Manner::default()
    };
    let mut crowd = crowd(link, from, count, port::DAYTIME, manner);
    // The last of them may have their data, and their FIN, yet to come.
    crowd.pump(link, Duration::from_millis(200));
    crowd
}

/// `count` connections to chargen whose peers take segments of `mss` octets only, all of them, for `time`.
pub fn small_segments(
    link: &mut Link,
    from: Strangers,
    count: usize,
    mss: u16,
    time: Duration,
) -> Crowd {
    let manner = Manner {
        options: tcp_options(mss, None),
        answer: Manner::taking,
        ..Manner::default()
    };
    let mut crowd = crowd(link, from, count, port::CHARGEN, manner);
    crowd.pump(link, time);
    crowd
}

/// `count` SYNs to echo whose senders never hear of the answer.
pub fn half_open(link: &mut Link, from: Strangers, count: usize, rng: &mut Rng) {
    let options = tcp_options(1460, Some(7));
    for end in from.ends(count) {
        link.segment(&Segment {
            from: end,
            to: from.service(port::ECHO),
            seq: rng.u32(..),
            ack: 0,
            flags: SYN,
            window: 65535,
            options: &options,
            payload: &[],
        });
    }
}

/// `count` segments of connections that do not exist, with any flags, to any port: most are to be answered with a reset.
pub fn resets(link: &mut Link, from: Strangers, count: usize, rng: &mut Rng) {
    for end in from.ends(count) {
        let ports = [port::ECHO, port::CHARGEN, rng.u16(1..)];
        let flags = [RST, RST | ACK, ACK, SYN | ACK, rng.u8(..64)];
        let payload = vec![b'r'; rng.usize(..64)];
        link.segment(&Segment {
            from: end,
            to: from.service(ports[rng.usize(..ports.len())]),
            seq: rng.u32(..),
            ack: rng.u32(..),
            flags: flags[rng.usize(..flags.len())],
            window: rng.u16(..),
            options: &[],
            payload: &payload,
        });
    }
}
