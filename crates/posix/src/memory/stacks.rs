//! The memory of threads, of which the network had some in view: it lends what they need beyond their own share, so that both
//! together never hold more than there is.

use core::cell::Cell;

/// Who has memory in view that nobody holds.
#[derive(Clone, Copy)]
pub(crate) struct Lender {
    /// False if it needs that itself.
    pub(crate) lend: fn(usize) -> bool,
    pub(crate) regain: fn(usize),
}

global! {
    /// Octets that all threads hold.
    static HELD: Cell<usize> = Cell::new(0);
    /// What they may hold without asking for more.
    static SHARE: Cell<usize> = Cell::new(usize::MAX);
    static LENT: Cell<usize> = Cell::new(0);
    static LENDER: Cell<Option<Lender>> = Cell::new(None);
}

/// Octets that all threads hold.
pub(crate) fn held() -> usize {
    HELD.with(Cell::get)
}

/// From now on threads hold so many octets in all without asking `lender`.
pub(crate) fn share(octets: usize, lender: Lender) {
    SHARE.with(|share| share.set(octets));
    LENDER.with(|known| known.set(Some(lender)));
}

/// Notes that a thread will hold `octets`; false, and no change, if they are for the network. Thread-local variables are the
/// scheduler's.
pub(crate) fn take(octets: usize) -> bool {
    let Some(held) = held().checked_add(octets) else {
        return false;
    };
    let lent = LENT.with(Cell::get);
    let due = held.saturating_sub(SHARE.with(Cell::get));
    if due > lent
        && !LENDER
            .with(Cell::get)
            .is_some_and(|it| (it.lend)(due - lent))
    {
        return false;
    }
    LENT.with(|lent| lent.set(lent.get().max(due)));
    HELD.with(|it| it.set(held));
    true
}

/// Notes that a thread holds them no more. Thread-local variables are the scheduler's.
pub(crate) fn give_back(octets: usize) {
    let held = held().saturating_sub(octets);
    HELD.with(|it| it.set(held));
    let due = held.saturating_sub(SHARE.with(Cell::get));
    let lent = LENT.with(|lent| lent.replace(due.min(lent.get())));
    if lent > due
        && let Some(lender) = LENDER.with(Cell::get)
    {
        (lender.regain)(lent - due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    std::thread_local! {
        static LEFT: Cell<usize> = const { Cell::new(100) };
    }

    #[test]
    fn what_is_beyond_the_share_is_lent_and_given_back() {
        let lend = |octets| LEFT.get() >= octets && LEFT.replace(LEFT.get() - octets) > 0;
        let regain = |octets| LEFT.set(LEFT.get() + octets);
        assert!(take(50));
        share(held() + 30, Lender { lend, regain });
        assert!(!take(usize::MAX));
        for (octets, taken, left) in [
            (20, true, 100),
            (30, true, 80),
            (90, false, 80),
            (80, true, 0),
        ] {
            assert_eq!((take(octets), LEFT.get()), (taken, left), "{octets}");
        }
        assert!(!take(1));
        for (octets, left) in [(90, 90), (50, 100), (40, 100)] {
            give_back(octets);
            assert_eq!(LEFT.get(), left, "{octets}");
        }
        assert!(take(80));
        assert_eq!(LEFT.get(), 100);
        assert!(take(1));
        assert_eq!(LEFT.get(), 99);
    }
}
