//! The memory account of a stack: all that a peer can make it hold, at the size of the allocations
//! that hold it.

use std::collections::VecDeque;

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Connection blocks in any state but TIME-WAIT, with what they own apart from queues and their
    /// places in tables and lists.
    Connections,
    /// Records of connections in TIME-WAIT.
    TimeWaits,
    /// What the users have sent and the peers have not acknowledged.
    SendQueues,
    /// What was received in order and not read.
    ReceiveQueues,
    /// What was received beyond a gap.
    OutOfOrder,
    /// Fragments of IP datagrams.
    Fragments,
    /// Neighbours, and packets that wait for their addresses; what routers and servers say of the link, and its groups.
    Neighbours,
    /// Events that the user has not polled.
    Events,
    /// Datagrams that wait to be read.
    Datagrams,
    /// Answers of name servers.
    #[cfg_attr(not(any(feature = "dns", test)), expect(dead_code))]
    Names,
    /// Chunks and lists of sending that are kept for connections to come.
    Spares,
    /// Buffers that are kept for later.
    Buffers,
}

impl Kind {
    /// How many there are.
    const COUNT: usize = Self::Buffers as usize + 1;
}

/// How much of the budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// There is enough.
    Ease,
    /// Windows and send allowances do not grow, and nothing is kept that may be dropped.
    Pressure,
    /// What is left is for new connections and for what arrives in order; what is held is given back.
    Reserve,
    /// Nothing is left.
    Spent,
}

/// What a stack holds, in octets, and what it may hold.
#[derive(Debug)]
pub(crate) struct Account {
    used: usize,
    /// Where [`Level::Pressure`], [`Level::Reserve`] and [`Level::Spent`] begin.
    pressure: usize,
    reserve: usize,
    limit: usize,
    grain: u32,
    /// Held by connections that were ended, until the user gives them back.
    leaving: usize,
    by: [usize; Kind::COUNT],
}

impl Account {
    /// How many times what is left a peer may hold, and a connection what is left of its peer's: one
    /// alone gets most of all, `n` that want all get the same, and something is always left.
    const PEER_SHARE: usize = 4;
    const CONNECTION_SHARE: usize = 2;

    /// An account for `limit` octets.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            used: 0,
            pressure: limit - limit / 4,
            reserve: limit - limit / 8,
            limit,
            grain: (limit / 512).clamp(2 << 10, 16 << 10) as u32,
            leaving: 0,
            by: [0; Kind::COUNT],
        }
    }

    /// Notes that `octets` more are held.
    #[inline]
    pub(crate) fn charge(&mut self, kind: Kind, octets: usize) {
        self.used += octets;
        self.by[kind as usize] += octets;
    }

    /// Notes that `octets` of what was charged are no longer held.
    #[inline]
    pub(crate) fn release(&mut self, kind: Kind, octets: usize) {
        debug_assert!(
            octets <= self.by[kind as usize],
            "{octets} octets of {kind:?} released of {}",
            self.by[kind as usize]
        );
        self.used = self.used.saturating_sub(octets);
        self.by[kind as usize] = self.by[kind as usize].saturating_sub(octets);
    }

    /// Notes that `octets` more are held, or fewer where they are negative.
    #[inline]
    pub(crate) fn shift(&mut self, kind: Kind, octets: isize) {
        let by = &mut self.by[kind as usize];
        debug_assert!(
            by.checked_add_signed(octets).is_some(),
            "{octets} octets of {kind:?} more, of {by} in all"
        );
        *by = by.wrapping_add_signed(octets);
        self.used = self.used.wrapping_add_signed(octets);
    }

    /// Notes that what was charged with `before` octets now holds `after`.
    #[inline]
    pub(crate) fn recharge(&mut self, kind: Kind, before: usize, after: usize) {
        let by = &mut self.by[kind as usize];
        debug_assert!(
            before <= *by + after,
            "{before} octets of {kind:?} became {after}, of {by} in all"
        );
        *by = (*by + after).saturating_sub(before);
        self.used = (self.used + after).saturating_sub(before);
    }

    /// Notes that `octets` are held of a kind, whatever was charged before.
    #[inline]
    pub(crate) fn set(&mut self, kind: Kind, octets: usize) {
        self.recharge(kind, self.used_by(kind), octets);
    }

    /// Octets held.
    #[inline]
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Octets held of a kind.
    pub(crate) fn used_by(&self, kind: Kind) -> usize {
        self.by[kind as usize]
    }

    /// Octets left.
    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.limit.saturating_sub(self.used)
    }

    /// Octets left before there is pressure.
    #[inline]
    pub(crate) fn left_at_ease(&self) -> usize {
        self.pressure.saturating_sub(self.used)
    }

    /// How much of the budget is spent.
    #[inline]
    pub(crate) fn level(&self) -> Level {
        if self.used < self.pressure {
            Level::Ease
        } else if self.used < self.reserve {
            Level::Pressure
        } else if self.used < self.limit {
            Level::Reserve
        } else {
            Level::Spent
        }
    }

    /// Whether the level is [`Level::Pressure`] or more.
    #[inline]
    pub(crate) fn pressure(&self) -> bool {
        self.used >= self.pressure
    }

    /// Whether something has to be given back so that the reserve is whole, with `octets` more.
    #[inline]
    pub(crate) fn is_over(&self, octets: usize) -> bool {
        self.used + octets >= self.reserve + self.leaving
    }

    /// Whether so many octets more leave half of the reserve once what is on its way out is gone.
    pub(crate) fn keeps_half_of_reserve(&self, octets: usize) -> bool {
        let half = self.reserve.midpoint(self.limit);
        self.used + octets < half + self.leaving
    }

    /// Whether so many octets more are not a matter of the reserve.
    #[inline]
    pub(crate) fn has_room(&self, octets: usize) -> bool {
        self.used + octets < self.reserve
    }

    /// Octets by which what a connection holds may differ from what its peer is noted to hold.
    #[inline]
    pub(crate) fn grain(&self) -> u32 {
        self.grain
    }

    /// The budget in octets.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Has the budget be smaller by `octets`; false, and no change, where they are held, or little would be left.
    pub(crate) fn lend(&mut self, octets: usize) -> bool {
        let lends = octets <= self.pressure && self.has_room(octets);
        if lends {
            self.pressure -= octets;
            self.reserve -= octets;
            self.limit -= octets;
        }
        lends
    }

    /// Has it be larger again by what was lent.
    pub(crate) fn regain(&mut self, octets: usize) {
        self.pressure += octets;
        self.reserve += octets;
        self.limit += octets;
    }

    /// Octets of ended connections that users still hold.
    pub(crate) fn leaving(&self) -> usize {
        self.leaving
    }

    /// What an ended connection holds until the user gives it back counts as given back.
    pub(crate) fn leaves(&mut self, octets: usize) {
        self.leaving += octets;
    }

    /// The user has given it back.
    pub(crate) fn left_for_good(&mut self, octets: usize) {
        debug_assert!(octets <= self.leaving);
        self.leaving = self.leaving.saturating_sub(octets);
    }

    /// What is free, where that is no less than what is held: then it is the share of every connection.
    #[inline]
    pub(crate) fn plenty(&self) -> Option<usize> {
        let free = self.reserve.saturating_sub(self.used);
        (self.used <= free).then_some(free)
    }

    /// Octets by which a connection may grow that holds `connection` octets, while all those of its
    /// peer hold `peer`.
    ///
    /// Each peer may hold so many times what nobody holds, and each connection so many times what
    /// its peer may still hold. So the share of each shrinks by itself as others come (dynamic
    /// thresholds, Choudhury and Hahne 1998), and nobody has to count them.
    #[inline]
    pub(crate) fn share_left(
        &self,
        peer: impl FnOnce() -> usize,
        connection: impl FnOnce() -> usize,
    ) -> usize {
        if let Some(free) = self.plenty() {
            return free;
        }
        let free = self.reserve.saturating_sub(self.used);
        let peer = (Self::PEER_SHARE * free).saturating_sub(peer());
        (Self::CONNECTION_SHARE * peer)
            .saturating_sub(connection())
            .min(peer)
            .min(free)
    }
}

/// Adds an item to a queue of connections, whose growth is charged.
#[inline]
pub(crate) fn push<T>(queue: &mut VecDeque<T>, item: T, account: &mut Account) {
    if queue.len() == queue.capacity() {
        grow(queue, account);
    }
    queue.push_back(item);
}

#[cold]
fn grow<T>(queue: &mut VecDeque<T>, account: &mut Account) {
    let before = octets(queue);
    queue.reserve(1);
    account.charge(Kind::Connections, octets(queue) - before);
}

/// Octets of a queue.
pub(crate) fn octets<T>(queue: &VecDeque<T>) -> usize {
    queue.capacity() * size_of::<T>()
}

#[cfg(test)]
mod tests {
    use super::{Account, Kind, Level};

    #[test]
    fn levels_follow_what_is_held() {
        let mut account = Account::new(1000);
        assert_eq!((account.level(), account.left()), (Level::Ease, 1000));
        account.charge(Kind::SendQueues, 749);
        assert_eq!((account.level(), account.left_at_ease()), (Level::Ease, 1));
        account.charge(Kind::OutOfOrder, 1);
        assert_eq!(
            (account.level(), account.left_at_ease()),
            (Level::Pressure, 0)
        );
        account.recharge(Kind::OutOfOrder, 1, 126);
        assert_eq!((account.level(), account.left()), (Level::Reserve, 125));
        account.charge(Kind::Fragments, 200);
        assert_eq!((account.level(), account.left()), (Level::Spent, 0));
        account.recharge(Kind::OutOfOrder, 126, 0);
        assert_eq!(account.used_by(Kind::OutOfOrder), 0);
        assert_eq!((account.used(), account.level()), (949, Level::Reserve));
    }

    #[test]
    fn where_there_is_plenty_the_share_of_all_is_what_is_free() {
        let mut account = Account::new(1 << 20);
        let share = |account: &Account| {
            let used = account.used();
            [(0, 0), (used, 0), (used, used)]
                .map(|(peer, connection)| account.share_left(|| peer, || connection))
        };
        account.charge(Kind::SendQueues, 448 << 10);
        assert_eq!(share(&account), [448 << 10; 3]);
        account.charge(Kind::SendQueues, 1);
        assert_eq!(account.plenty(), None);
        // The formula goes on where the shortcut ends.
        assert_eq!(share(&account), [(448 << 10) - 1; 3]);
        account.charge(Kind::SendQueues, 400 << 10);
        assert_eq!(share(&account), [(48 << 10) - 1, 0, 0]);
    }

    #[test]
    #[should_panic(expected = "3 octets of Names released of 2")]
    #[cfg(debug_assertions)]
    fn no_more_is_released_than_was_charged() {
        let mut account = Account::new(1000);
        account.charge(Kind::Events, 10);
        account.charge(Kind::Names, 2);
        account.release(Kind::Names, 3);
    }

    #[test]
    fn what_is_lent_is_not_held() {
        let mut account = Account::new(1 << 20);
        account.charge(Kind::Events, 300 << 10);
        assert!(!account.lend(600 << 10));
        assert_eq!(account.limit(), 1 << 20);
        assert!(account.lend(500 << 10));
        assert_eq!(account.left(), 224 << 10);
        assert_eq!(account.level(), Level::Pressure);
        assert!(!account.lend(100 << 10));
        assert!(!account.lend(usize::MAX));
        account.regain(500 << 10);
        assert_eq!(account.left(), 724 << 10);
        assert_eq!(account.level(), Level::Ease);
    }
}
