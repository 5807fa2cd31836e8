//! A host's part of IGMPv3 and MLDv2: what routers are told, and when.
//!
//! Groups are joined for all their sources, so that each is in mode EXCLUDE with no source excluded, or not joined.
//! What a router asks of single sources is answered as if it had asked of the group: that every source is listened to.
//! So nothing is held of what others send but times.

use core::time::Duration;

use crate::proto::Instant;
use crate::proto::random::Random;

/// Groups of a host, at most.
const MAX_GROUPS: usize = 64;
/// Records in one report, at most: they fit the least MTU of either family.
const MAX_RECORDS: usize = 32;

// RFC 3376 §8, RFC 3810 §9.
const ROBUSTNESS: u8 = 2;
const QUERY_INTERVAL: Duration = Duration::from_secs(125);
/// From a report of a change to when it is repeated, at most.
const UNSOLICITED_REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// The same in the version before (RFC 2236 §8.10, RFC 2710 §7.10).
const OLDER_REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// From an answer to the next, at least: what a router asks without pause is not answered without one.
const PAUSE: Duration = Duration::from_millis(100);
/// Changes are repeated so often at most, whatever routers ask for.
const MOST_REPEATS: u8 = 7;

/// There are too many groups already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A version of the protocol, by which the routers of a link decide what is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// IGMPv1: groups cannot be left (RFC 1112 appendix I).
    First,
    /// IGMPv2 or MLDv1 (RFC 2236, RFC 2710).
    Second,
    /// IGMPv3 or MLDv2.
    Third,
}

/// What a router asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<A> {
    /// The version that it speaks.
    pub version: Version,
    /// Of which group; of all if there is none.
    pub group: Option<A>,
    /// The time to answer in.
    pub response_time: Duration,
    /// How often what may be lost is said (QRV); none is told in old versions, and may be in new ones.
    pub robustness: Option<u8>,
    /// How often it asks (QQI).
    pub interval: Option<Duration>,
}

/// What a report says of a group (RFC 3376 §4.2.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// We are in it.
    IsExclude = 2,
    /// We have left it.
    ToInclude = 3,
    /// We have joined it.
    ToExclude = 4,
}

/// A record of a report: never with sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<A> {
    /// What it says.
    pub kind: RecordKind,
    /// Of which group.
    pub group: A,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<A> {
    /// A report to all routers that speak the third version.
    Report(Vec<Record<A>>),
    /// A report of an older version, to the group: that we are in it.
    OlderReport(Version, A),
    /// In the second version, to all routers: that we have left it.
    Leave(A),
}

#[derive(Clone, Copy, Debug)]
struct Group<A> {
    address: A,
    /// How many have joined it; nobody is in it any more if there are none.
    holders: usize,
    /// A change that is yet to be told: how often, and when next.
    change: Option<(u8, Instant)>,
    /// When a question is answered.
    answer: Option<Instant>,
    /// Whether no other host has reported it since we did, in older versions.
    last_to_report: bool,
}

/// The groups that a host is in, on one link.
#[derive(Debug)]
pub struct Groups<A> {
    groups: Vec<Group<A>>,
    /// When a question about all groups is answered.
    answer: Option<Instant>,
    /// No answer before this.
    silent_until: Instant,
    robustness: u8,
    interval: Duration,
    /// Until when routers of the first and of the second version are taken to be there.
    older: [Instant; 2],
    /// The version that was spoken last.
    version: Version,
    random: Random,
}

impl<A: Copy + Eq> Groups<A> {
    /// No groups. `seed` varies the times of reports.
    #[must_use]
    pub fn new(seed: [u8; 16]) -> Self {
        Self {
            groups: Vec::new(),
            answer: None,
            silent_until: Instant::default(),
            robustness: ROBUSTNESS,
            interval: QUERY_INTERVAL,
            older: [Instant::default(); 2],
            version: Version::Third,
            random: Random::new(seed),
        }
    }

    /// Octets of memory held beside its own.
    pub(crate) fn octets(&self) -> usize {
        self.groups.capacity() * size_of::<Group<A>>()
    }

    /// Whether somebody is in `group`.
    #[must_use]
    pub fn contains(&self, group: A) -> bool {
        let mut groups = self.groups.iter();
        groups.any(|other| other.address == group && other.holders > 0)
    }

    /// Whether there is nothing to be told, now or later: nobody is in a group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Joins `group`, once more if somebody is in it.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn join(&mut self, now: Instant, group: A) -> Result<(), Full> {
        if let Some(known) = self.find(group) {
            known.holders += 1;
            if known.holders > 1 {
                return Ok(());
            }
        } else if self.groups.len() < MAX_GROUPS {
            self.groups.push(Group {
                address: group,
                holders: 1,
                change: None,
                answer: None,
                last_to_report: true,
            });
        } else {
            return Err(Full);
        }
        self.change(now, group);
        Ok(())
    }

    /// Leaves `group`, unless others are in it too.
    pub fn leave(&mut self, now: Instant, group: A) {
        let Some(known) = self.find(group).filter(|known| known.holders > 0) else {
            return;
        };
        known.holders -= 1;
        known.answer = None;
        if known.holders == 0 {
            self.change(now, group);
        }
    }

    /// Has all groups told once more, as if they were joined now: the reports before this came from nobody (RFC 3590
    /// §4).
    pub fn tell_again(&mut self, now: Instant) {
        let times = self.robustness;
        for group in self.groups.iter_mut().filter(|group| group.holders > 0) {
            group.change = Some((times, now));
        }
    }

    fn find(&mut self, group: A) -> Option<&mut Group<A>> {
        self.groups.iter_mut().find(|known| known.address == group)
    }

    /// Has a change told at once, and again (RFC 3376 §5.1).
    fn change(&mut self, now: Instant, group: A) {
        let times = self.robustness;
        if let Some(known) = self.find(group) {
            known.change = Some((times, now));
        }
    }

    /// The version that the routers of the link understand (RFC 3376 §7.2.1, RFC 3810 §8.2.1).
    fn version_at(&self, now: Instant) -> Version {
        let [first, second] = self.older;
        match () {
            () if now < first => Version::First,
            () if now < second => Version::Second,
            () => Version::Third,
        }
    }

    /// Takes a router's question. Whether it may be believed, its reader has seen.
    pub fn handle_query(&mut self, now: Instant, query: &Query<A>) {
        self.heed(now, query);
        let version = self.adopt_version(now);
        match query.group {
            // RFC 3376 §5.2: one answer for all groups, at whichever time is sooner.
            None if version == Version::Third => {
                let at = self.answer_at(now, query.response_time);
                self.answer = Some(self.answer.map_or(at, |before| before.min(at)));
            }
            // In older versions each group is answered for by itself (RFC 2236 §3).
            group => {
                for index in 0..self.groups.len() {
                    let known = &self.groups[index];
                    let asked = group.is_none_or(|group| group == known.address);
                    if asked && known.holders > 0 {
                        let at = self.answer_at(now, query.response_time);
                        let answer = &mut self.groups[index].answer;
                        *answer = Some(answer.map_or(at, |before| before.min(at)));
                    }
                }
            }
        }
    }

    fn answer_at(&mut self, now: Instant, response_time: Duration) -> Instant {
        (now + self.part_of(response_time)).max(self.silent_until)
    }

    /// Takes what a router says of how it asks.
    fn heed(&mut self, now: Instant, query: &Query<A>) {
        if query.version == Version::Third {
            let robustness = query.robustness.filter(|robustness| *robustness > 0);
            self.robustness = robustness.unwrap_or(ROBUSTNESS).min(MOST_REPEATS);
            let interval = query.interval.filter(|interval| !interval.is_zero());
            self.interval = interval.unwrap_or(QUERY_INTERVAL);
            return;
        }
        // RFC 3376 §8.12, RFC 3810 §9.12: Older Version Querier Present Timeout.
        let present = self.interval * u32::from(self.robustness) + query.response_time;
        let index = usize::from(query.version == Version::Second);
        self.older[index] = now + present;
    }

    /// The version to speak at `now`; when it is another than before, what was to be said in that is dropped (RFC 3376
    /// §7.2.1).
    fn adopt_version(&mut self, now: Instant) -> Version {
        let version = self.version_at(now);
        if core::mem::replace(&mut self.version, version) != version {
            self.answer = None;
            for group in &mut self.groups {
                (group.change, group.answer) = (None, None);
            }
            self.forget_left();
        }
        version
    }

    /// Another host has reported `group` in an older version: one is enough (RFC 2236 §3).
    pub fn handle_older_report(&mut self, now: Instant, group: A) {
        if self.adopt_version(now) == Version::Third {
            return;
        }
        if let Some(known) = self.find(group)
            && known.answer.take().is_some()
        {
            known.last_to_report = false;
        }
    }

    /// What is due; call until there is nothing.
    pub fn poll(&mut self, now: Instant) -> Option<Message<A>> {
        match self.adopt_version(now) {
            Version::Third => self.poll_third(now),
            older => self.poll_older(now, older),
        }
    }

    fn poll_third(&mut self, now: Instant) -> Option<Message<A>> {
        if self.answer.is_some_and(|at| at <= now) {
            self.answer = None;
            for group in self.groups.iter_mut().filter(|group| group.holders > 0) {
                group.answer = Some(now);
            }
        }
        let mut records = Vec::new();
        for index in 0..self.groups.len() {
            let group = self.groups[index];
            if records.len() == MAX_RECORDS {
                break;
            }
            if let Some((times, at)) = group.change.filter(|(_, at)| *at <= now) {
                let kind = match group.holders {
                    0 => RecordKind::ToInclude,
                    _ => RecordKind::ToExclude,
                };
                records.push((kind, group.address));
                self.groups[index].change =
                    self.repeat(at.max(now), times, UNSOLICITED_REPORT_INTERVAL);
            } else if group.answer.is_some_and(|at| at <= now) {
                records.push((RecordKind::IsExclude, group.address));
                self.groups[index].answer = None;
                self.silent_until = now + PAUSE;
            }
        }
        self.forget_left();
        let records: Vec<_> = records
            .into_iter()
            .map(|(kind, group)| Record { kind, group })
            .collect();
        (!records.is_empty()).then_some(Message::Report(records))
    }

    /// What is left of a change that was to be told so many times.
    fn repeat(&mut self, now: Instant, times: u8, most: Duration) -> Option<(u8, Instant)> {
        (times > 1).then(|| (times - 1, now + self.part_of(most)))
    }

    fn poll_older(&mut self, now: Instant, version: Version) -> Option<Message<A>> {
        let is_due = |group: &Group<A>| {
            let change = group.change.is_some_and(|(_, at)| at <= now);
            change || group.answer.is_some_and(|at| at <= now)
        };
        while let Some(index) = self.groups.iter().position(is_due) {
            let group = self.groups[index];
            if group.holders == 0 {
                // It is said once, by the one who reported it last, and in the first version never (RFC 2236 §3, §6).
                self.groups.remove(index);
                if version == Version::Second && group.last_to_report {
                    return Some(Message::Leave(group.address));
                }
                continue;
            }
            let change = group.change.filter(|(_, at)| *at <= now);
            let repeat = match change {
                Some((times, _)) => self.repeat(now, times, OLDER_REPORT_INTERVAL),
                None => group.change,
            };
            let known = &mut self.groups[index];
            (known.change, known.answer, known.last_to_report) = (repeat, None, true);
            self.silent_until = now + PAUSE;
            return Some(Message::OlderReport(version, group.address));
        }
        None
    }

    /// Forgets groups of which there is nothing more to be said.
    fn forget_left(&mut self) {
        self.groups
            .retain(|group| group.holders > 0 || group.change.is_some());
    }

    /// When [`Groups::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        let times = |group: &Group<A>| [group.change.map(|(_, at)| at), group.answer];
        let groups = self.groups.iter().flat_map(times);
        groups.chain([self.answer]).flatten().min()
    }

    /// A random part of `most`, above zero.
    fn part_of(&mut self, most: Duration) -> Duration {
        let part = u128::from(self.random.next_u64()) * most.as_nanos();
        Duration::from_nanos((part >> 64) as u64 + 1)
    }
}

#[cfg(test)]
mod tests;
