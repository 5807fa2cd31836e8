//! Limits of what is said to those who may be blind attackers (RFC 5961).

use core::net::IpAddr;
use core::time::Duration;

use super::isn::{Secrets, TableHash};
use crate::proto::Instant;
use crate::proto::ip::host_key;

/// Limits the challenges of one connection (RFC 5961 §10). A limit that connections share would tell
/// whoever has one of them what happens to the others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChallengeLimit {
    /// Milliseconds of the clock at which the challenges so far are paid for, each by its share of a
    /// second.
    paid: u32,
}

impl ChallengeLimit {
    /// Takes one more challenge; false if it is not permitted.
    pub(crate) fn take(&mut self, now: Instant, per_second: u32) -> bool {
        let now = now.as_millis() as u32;
        let owed = self.paid.wrapping_sub(now);
        // More is owed than can be: it was paid for so long ago that the clock has gone round.
        let owed = if owed > 1000 { 0 } else { owed };
        let Some(share) = 1000_u32.checked_div(per_second) else {
            return false;
        };
        let permitted = owed + share <= 1000;
        if permitted {
            self.paid = now.wrapping_add(owed + share);
        }
        permitted
    }
}

/// Remote addresses are divided into so many groups, each with a limit of its own.
const GROUPS: usize = 512;

/// Errors of ICMP in a second to all of them, at most, and half of that at least: one takes up to 1,280 octets, and a
/// flood may come in the name of as many addresses as it likes.
const ERRORS: u16 = 1000;

/// Limits resets to segments that belong to no connection, and errors of ICMP (RFC 1812 §4.3.2.8, RFC 4443 §2.4 (f)).
/// Who counts those that it gets must not learn
/// from that how many others get: segments in the name of another host would tell whether that host has
/// a connection, as they are only reset if it has none. So an address shares its limit with few, with
/// others in each second, and how many resets there are in a second is chance.
#[derive(Debug)]
pub(crate) struct ReplyLimit {
    per_second: u16,
    /// Of each group in this second.
    left: Box<[u16; GROUPS]>,
    /// Of errors of ICMP.
    errors: u16,
    since: Instant,
    /// Decides on the groups.
    hash: TableHash,
    salt: u64,
}

impl ReplyLimit {
    /// `per_second` to an address at most, and half of that at least.
    pub(crate) fn new(per_second: u32, hash: TableHash) -> Self {
        Self {
            per_second: per_second.min(u16::MAX.into()) as u16,
            left: Box::new([0; GROUPS]),
            errors: 0,
            since: Instant::default(),
            hash,
            salt: 0,
        }
    }

    /// Takes one more answer to `remote`; false if it is not permitted.
    pub(crate) fn take(&mut self, now: Instant, remote: IpAddr, secrets: &mut Secrets) -> bool {
        if self.salt == 0 || now - self.since >= Duration::from_secs(1) {
            self.since = now;
            self.salt = secrets.random() | 1;
            let less = secrets.random() % (u64::from(self.per_second / 2) + 1);
            self.left.fill(self.per_second - less as u16);
            self.errors = ERRORS - (secrets.random() % u64::from(ERRORS / 2 + 1)) as u16;
        }
        let group = self.hash.of(&(self.salt, host_key(remote)));
        let left = &mut self.left[group as usize % GROUPS];
        let permitted = *left > 0;
        *left -= u16::from(permitted);
        permitted
    }

    /// The same of an error of ICMP.
    pub(crate) fn take_error(
        &mut self,
        now: Instant,
        remote: IpAddr,
        secrets: &mut Secrets,
    ) -> bool {
        let permitted = self.take(now, remote, secrets) && self.errors > 0;
        self.errors -= u16::from(permitted);
        permitted
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;
    use core::time::Duration;

    use super::{ChallengeLimit, ReplyLimit};
    use crate::proto::Instant;
    use crate::proto::tcp::defence::isn::Secrets;

    #[test]
    fn rfc5961_10_challenges_come_back_one_by_one() {
        let mut limit = ChallengeLimit::default();
        let mut now = Instant::from_nanos(5_000_000_000);
        let mut permitted = |now, tries| (0..tries).filter(|_| limit.take(now, 100)).count();
        assert_eq!(permitted(now, 1000), 100);
        now += Duration::from_millis(50);
        assert_eq!(permitted(now, 1000), 5);
        // The clock's milliseconds go round after 49 days.
        for days in 1..120 {
            now += Duration::from_secs(days * 86_400 / 2);
            assert_eq!(permitted(now, 1000), 100);
        }
        assert!(!limit.take(now, 0));
    }

    /// Resets in the next second to each of `remotes`, asked for in turn.
    fn resets(
        limit: &mut ReplyLimit,
        secrets: &mut Secrets,
        second: u64,
        remotes: &[u32],
    ) -> Vec<u32> {
        let now = Instant::from_nanos(5_000_000_000) + Duration::from_secs(second);
        let mut counts = vec![0; remotes.len()];
        for _ in 0..200 {
            for (count, remote) in counts.iter_mut().zip(remotes) {
                let permitted = limit.take(now, Ipv4Addr::from_bits(*remote).into(), secrets);
                *count += u32::from(permitted);
            }
        }
        counts
    }

    #[test]
    fn rfc5961_10_resets_to_one_address_tell_nothing_of_those_to_another() {
        let mut secrets = Secrets::new([3; 32]);
        let mut limit = ReplyLimit::new(100, secrets.table());
        let mut different = std::collections::BTreeSet::new();
        let mut shared = 0;
        for second in 0..100 {
            let counts = resets(&mut limit, &mut secrets, second, &[1, 2]);
            let most = *counts.iter().max().unwrap();
            assert!((50..=100).contains(&most), "{counts:?}");
            different.insert(most);
            // Who shares a group does so for a second only.
            shared += u32::from(counts[0] != counts[1] || most < 50);
        }
        assert!(
            different.len() > 20 && shared <= 3,
            "{different:?} {shared}"
        );
        let none = &mut ReplyLimit::new(0, secrets.table());
        assert_eq!(resets(none, &mut secrets, 0, &[1]), [0]);
    }

    #[test]
    fn rfc1812_4_3_2_8_errors_to_all_addresses_have_a_limit_that_resets_have_not() {
        let mut secrets = Secrets::new([3; 32]);
        let mut limit = ReplyLimit::new(200, secrets.table());
        let mut different = std::collections::BTreeSet::new();
        for second in 5..25 {
            let now = Instant::from_nanos(second * 1_000_000_000);
            let remotes = || (0..5000).map(|it| Ipv4Addr::from_bits(it).into());
            let errors = remotes().filter(|it| limit.take_error(now, *it, &mut secrets));
            let errors = errors.count();
            assert!((500..=1000).contains(&errors), "{errors}");
            different.insert(errors);
            let resets = remotes().filter(|it| limit.take(now, *it, &mut secrets));
            assert_eq!(resets.count(), 5000);
        }
        assert!(different.len() > 10, "{different:?}");
        let mut none = ReplyLimit::new(0, secrets.table());
        let now = Instant::from_nanos(7);
        assert!(!none.take_error(now, Ipv4Addr::LOCALHOST.into(), &mut secrets));
    }
}
