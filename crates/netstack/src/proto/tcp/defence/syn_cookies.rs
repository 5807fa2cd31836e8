//! SYN cookies (RFC 4987 §3.6): a SYN that finds the backlog full is answered without keeping
//! anything; what has to be known later is in the initial sequence number and in the timestamp.

use super::isn::Secrets;
use crate::proto::Instant;
use crate::proto::tcp::wire::options::{TcpOptions, Timestamps};
use crate::proto::tcp::wire::segment::FourTuple;
use crate::proto::tcp::wire::seq::Seq;

/// Seconds in which a cookie's clock ticks once; a cookie lives for one to two ticks.
const TICK: u64 = 64;
/// What a cookie can tell of the peer's MSS: the next lower one.
const MSS: [u16; 8] = [64, 536, 1024, 1220, 1380, 1440, 1460, 8960];
/// Window scale that stands for "no option".
const NO_SCALE: u32 = 15;
/// Bits of the timestamp that hold options.
const OPTION_BITS: u32 = 5;

fn tick(now: Instant) -> u64 {
    now.as_millis() / 1000 / TICK
}

fn code(secrets: &Secrets, tuple: &FourTuple, irs: Seq, tick: u64, mss: u32) -> u32 {
    let message = u64::from(irs.0) << 32 | (tick & 0x0fff_ffff) << 4 | u64::from(mss);
    secrets.cookie(tuple, message) & 0x00ff_ffff
}

/// The initial sequence number of the SYN-ACK for a SYN with number `irs`: five bits of clock,
/// three of MSS, 24 of hash.
pub(crate) fn make(secrets: &Secrets, tuple: &FourTuple, irs: Seq, mss: u16, now: Instant) -> Seq {
    let index = MSS.iter().rposition(|&known| known <= mss).unwrap_or(0) as u32;
    let tick = tick(now);
    Seq((tick as u32 & 0x1f) << 27 | index << 24 | code(secrets, tuple, irs, tick, index))
}

/// The MSS in a cookie, if it is one of ours for these addresses and not too old.
pub(crate) fn check(
    secrets: &Secrets,
    tuple: &FourTuple,
    irs: Seq,
    cookie: Seq,
    now: Instant,
) -> Option<u16> {
    let index = cookie.0 >> 24 & 0x7;
    let present = tick(now);
    for tick in [present, present.saturating_sub(1)] {
        if tick as u32 & 0x1f == cookie.0 >> 27
            && code(secrets, tuple, irs, tick, index) == cookie.0 & 0x00ff_ffff
        {
            return Some(MSS[index as usize]);
        }
    }
    None
}

/// A timestamp not after `timestamp` that holds the options of a SYN.
pub(crate) fn hide(timestamp: u32, options: &TcpOptions) -> u32 {
    let scale = options.window_scale.map_or(NO_SCALE, u32::from);
    let data = scale << 1 | u32::from(options.sack_permitted);
    let value = timestamp & !((1 << OPTION_BITS) - 1) | data;
    if Seq(value).gt(Seq(timestamp)) {
        value.wrapping_sub(1 << OPTION_BITS)
    } else {
        value
    }
}

/// The options of the SYN, from the cookie's MSS and the timestamp that the peer echoes.
pub(crate) fn reveal(mss: u16, timestamps: Option<Timestamps>) -> TcpOptions {
    let mut options = TcpOptions {
        mss: Some(mss),
        timestamps,
        ..TcpOptions::default()
    };
    if let Some(timestamps) = timestamps {
        let scale = timestamps.ecr >> 1 & 0xf;
        options.window_scale = (scale != NO_SCALE).then_some(scale as u8);
        options.sack_permitted = timestamps.ecr & 1 != 0;
    }
    options
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};
    use core::time::Duration;

    use super::{MSS, check, hide, make, reveal};
    use crate::proto::Instant;
    use crate::proto::ip::Endpoint;
    use crate::proto::tcp::defence::isn::Secrets;
    use crate::proto::tcp::wire::options::{TcpOptions, Timestamps};
    use crate::proto::tcp::wire::segment::FourTuple;
    use crate::proto::tcp::wire::seq::Seq;

    const TUPLE: FourTuple = FourTuple {
        local: Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 80),
        remote: Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 4000),
    };

    #[test]
    fn rfc4987_3_6_a_cookie_is_taken_back_for_two_minutes_and_only_by_its_peer() {
        let secrets = Secrets::new([7; 32]);
        let now = Instant::from_nanos(640_000_000_000);
        let cookie = make(&secrets, &TUPLE, Seq(99), 1460, now);
        assert_eq!(check(&secrets, &TUPLE, Seq(99), cookie, now), Some(1460));
        assert_eq!(
            check(
                &secrets,
                &TUPLE,
                Seq(99),
                cookie,
                now + Duration::from_secs(100)
            ),
            Some(1460)
        );
        assert_eq!(
            check(
                &secrets,
                &TUPLE,
                Seq(99),
                cookie,
                now + Duration::from_secs(128)
            ),
            None
        );
        assert_eq!(check(&secrets, &TUPLE, Seq(98), cookie, now), None);
        assert_eq!(check(&secrets, &TUPLE, Seq(99), cookie + 1, now), None);
        let other = FourTuple {
            local: TUPLE.remote,
            remote: TUPLE.local,
        };
        assert_eq!(check(&secrets, &other, Seq(99), cookie, now), None);
    }

    #[test]
    fn rfc4987_3_6_each_bit_of_a_cookie_and_of_what_it_answers_counts() {
        let secrets = Secrets::new([7; 32]);
        for (seconds, mss) in [640, 704]
            .into_iter()
            .flat_map(|at| MSS.map(|mss| (at, mss)))
        {
            let now = Instant::from_nanos(seconds * 1_000_000_000);
            let cookie = make(&secrets, &TUPLE, Seq(99), mss, now);
            assert_eq!(check(&secrets, &TUPLE, Seq(99), cookie, now), Some(mss));
            for bit in 0..32 {
                let cookie_of = |irs, cookie| check(&secrets, &TUPLE, Seq(irs), Seq(cookie), now);
                assert_eq!(cookie_of(99, cookie.0 ^ 1 << bit), None, "{mss}, bit {bit}");
                assert_eq!(cookie_of(99 ^ 1 << bit, cookie.0), None, "{mss}, bit {bit}");
            }
            // Five bits of its clock are the same after 32 ticks, and not the hash.
            let later = now + Duration::from_secs(32 * 64);
            assert_eq!(check(&secrets, &TUPLE, Seq(99), cookie, later), None);
        }
    }

    #[test]
    fn rfc4987_3_6_a_cookie_tells_the_next_lower_mss() {
        let secrets = Secrets::new([7; 32]);
        let now = Instant::from_nanos(640_000_000_000);
        for (mss, told) in [
            (63, 64),
            (535, 64),
            (1459, 1440),
            (1461, 1460),
            (u16::MAX, 8960),
        ] {
            let cookie = make(&secrets, &TUPLE, Seq(99), mss, now);
            assert_eq!(check(&secrets, &TUPLE, Seq(99), cookie, now), Some(told));
        }
    }

    #[test]
    fn options_come_back_from_the_timestamp() {
        for (window_scale, sack_permitted) in [
            (None, false),
            (Some(0), true),
            (Some(14), false),
            (Some(7), true),
        ] {
            let options = TcpOptions {
                window_scale,
                sack_permitted,
                ..TcpOptions::default()
            };
            for timestamp in [0, 5, 0x1234_5678, u32::MAX] {
                let hidden = hide(timestamp, &options);
                assert!(timestamp.wrapping_sub(hidden) < 32);
                let back = reveal(
                    1460,
                    Some(Timestamps {
                        val: 1,
                        ecr: hidden,
                    }),
                );
                assert_eq!(
                    (back.window_scale, back.sack_permitted),
                    (window_scale, sack_permitted)
                );
            }
        }
        assert_eq!(reveal(536, None).window_scale, None);
    }
}
