//! Sequence numbers that are remembered for longer than what they belong to.

use super::Sender;

impl Sender {
    /// Lets marks that SND.UNA has passed follow it, as comparisons hold within 2^31 only (RFC 9293
    /// §3.4): one of a time long ago would be ahead again after two gigabytes.
    #[inline]
    pub(super) fn keep_marks_near(&mut self) {
        let passed = self.una - 1;
        self.small_end = self.small_end.max(passed);
        self.cwnd_limited_until = self.cwnd_limited_until.max(passed);
        self.loss.keep_marks_near(passed);
        self.loss.expire_again(self.una);
        if self.ecn.recover.is_some_and(|mark| mark.le(passed)) {
            self.ecn.recover = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};

    use bytes::Bytes;

    use crate::proto::Instant;
    use crate::proto::ip::Ecn;
    use crate::proto::ip::Endpoint;
    use crate::proto::tcp::counters::Counters;
    use crate::proto::tcp::send::{Sender, Stock};
    use crate::proto::tcp::wire::options::TcpOptions;
    use crate::proto::tcp::wire::segment::{Flags, FourTuple, Segment};
    use crate::proto::tcp::wire::seq::Seq;
    use crate::proto::tcp::{Config, Options};

    #[test]
    fn rfc9293_3_4_marks_that_were_passed_are_not_ahead_again_after_two_gigabytes() {
        let tuple = FourTuple {
            local: Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 80),
            remote: Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 4000),
        };
        let now = Instant::from_nanos(5_000_000_000);
        let stock = &mut Stock::new(1 << 20, 8);
        let counters = &mut Counters::default();
        let mut snd = Sender::new(
            Seq(0xf000_0000),
            now,
            (20, 1500),
            &Options::default(),
            &Config::default(),
        );
        snd.una += 1;
        let start = snd.una;
        snd.nxt = start;
        snd.small_end = start;
        snd.cwnd_limited_until = start;
        snd.loss.point = start - 1;
        snd.ecn.recover = Some(start);
        for gigabytes in 1..=8 {
            snd.nxt += 1 << 30;
            let segment = Segment {
                tuple,
                seq: Seq(1),
                ack: snd.nxt,
                wnd: 1000,
                flags: Flags::ACK,
                ecn: Ecn::NotEct,
                options: TcpOptions::default(),
                payload: Bytes::new(),
                frame_len: 54,
            };
            snd.take_ack(now, &segment, false, stock, counters);
            let una = snd.una;
            assert_eq!(una - start, gigabytes << 30, "modulo 2^32");
            // No small segment is in flight; three duplicates are news; a new acknowledgement is not
            // of a time when the window was full; an echo is of another round trip.
            assert!(snd.small_end.le(una), "{gigabytes}");
            assert!(una.gt(snd.loss.point), "{gigabytes}");
            assert!(!(una + 1).le(snd.cwnd_limited_until), "{gigabytes}");
            assert!(
                snd.ecn.recover.is_none_or(|mark| una.ge(mark)),
                "{gigabytes}"
            );
        }
    }
}
