//! Who has said something of the link, and when last. Lists of such things are bounded, anybody on the link can fill
//! them, and a lifetime need not end: so what is in a full list makes way by who stands behind it.

use core::net::Ipv6Addr;
use core::time::Duration;

use crate::proto::Instant;

/// A router that is there says all it has to say at least once in this time: half an hour at most is between two
/// advertisements (RFC 4861 §6.2.1, MaxRtrAdvInterval), of which two may be lost.
const LONGEST_SILENCE: Duration = Duration::from_secs(3 * 1800);
/// What nobody vouches for stays so long at least: a flood displaces itself no faster.
const LEAST: Duration = Duration::from_secs(1);

/// A router's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Whose it is.
    pub(crate) router: Ipv6Addr,
    /// When it was said last.
    at: Instant,
    /// Whether the router has shown that it is there: it has answered a question, or connections went on by way of it.
    proven: bool,
    /// It has failed, and not shown since that it is there: which failure that was, of all of the link; 0 for none.
    failed: u32,
}

impl Told {
    /// What `router` says now; `proven` if it has shown that it is there.
    #[must_use]
    pub(crate) fn new(now: Instant, router: Ipv6Addr, proven: bool) -> Self {
        Self {
            router,
            at: now,
            proven,
            failed: 0,
        }
    }

    /// The same is said again; whether it is to be heard. Who has not shown that it is there takes over nothing of who
    /// has.
    pub(crate) fn again(&mut self, told: Self) -> bool {
        let heard = told.router == self.router || told.proven || !self.proven;
        if told.router == self.router {
            self.at = told.at;
            if told.proven {
                self.prove();
            }
        } else if heard {
            *self = told;
        }
        heard
    }

    /// Its router has shown that it is there.
    pub(crate) fn prove(&mut self) {
        (self.proven, self.failed) = (true, 0);
    }

    /// It is seen to be of use now, whatever its router says.
    pub(crate) fn vouch(&mut self, now: Instant) {
        self.at = now;
        self.prove();
    }

    /// Its router has failed, or is none.
    pub(crate) fn doubt(&mut self, router: Ipv6Addr) {
        self.proven &= self.router != router;
    }

    /// Its router did not answer; `failure` counts those of the link, from 1 on.
    pub(crate) fn fail(&mut self, failure: u32) {
        (self.proven, self.failed) = (false, failure);
    }

    /// Which failure was the last, if the router has not shown since that it is there.
    pub(crate) fn failure(&self) -> Option<u32> {
        Some(self.failed).filter(|it| *it > 0)
    }

    /// Whether it may make way for `other`. A word that is repeated as it should be gives way to none, if its router is
    /// there.
    fn may_go(&self, other: &Self) -> bool {
        let quiet = other.at - self.at;
        match (self.proven, other.proven) {
            (false, true) => true,
            (false, false) => quiet >= LEAST,
            (true, _) => quiet > LONGEST_SILENCE,
        }
    }
}

/// Which of `list`, which is full, makes way for what is told now: of those whose router has not shown that it is there
/// the one that was not repeated for longest. Where there is none, a router that is there takes from one that has more
/// than it would have then. `is_there` says whether a router has shown it meanwhile.
pub(crate) fn makes_way<T>(
    list: &mut [T],
    told: fn(&mut T) -> Option<&mut Told>,
    new: Told,
    is_there: impl Fn(Ipv6Addr) -> bool,
) -> Option<usize> {
    // Each turn but the last proves one.
    loop {
        let Some((at, first)) = held(list, told)
            .filter(|(_, it)| it.may_go(&new))
            .min_by_key(|(_, it)| (it.proven, it.at))
        else {
            return shared(list, told, new);
        };
        if first.proven || !is_there(first.router) {
            return Some(at);
        }
        told(&mut list[at])?.prove();
    }
}

/// What is in `list`, and where.
fn held<T>(
    list: &mut [T],
    told: fn(&mut T) -> Option<&mut Told>,
) -> impl Iterator<Item = (usize, Told)> {
    let list = list.iter_mut().enumerate();
    list.filter_map(move |(at, it)| Some((at, *told(it)?)))
}

/// The oldest of what a router with more than its share has said, if who says more now is there: nobody who answers
/// holds a whole list.
fn shared<T>(list: &mut [T], told: fn(&mut T) -> Option<&mut Told>, new: Told) -> Option<usize> {
    if !new.proven {
        return None;
    }
    let held: Vec<_> = held(list, told).collect();
    let of = |router| held.iter().filter(|(_, it)| it.router == router).count();
    let then = of(new.router) + 1;
    // What was said or vouched for just now stays: there is an end of asking again.
    let may_go = |it: &Told| it.at < new.at && of(it.router) > then;
    let oldest = held.iter().filter(|(_, it)| may_go(it));
    oldest.min_by_key(|(_, it)| it.at).map(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::{LEAST, LONGEST_SILENCE, Told, makes_way};
    use crate::proto::Instant;
    use core::net::Ipv6Addr;
    use core::time::Duration;

    const START: Instant = Instant::from_nanos(7);
    const NOBODY: fn(Ipv6Addr) -> bool = |_| false;

    fn router(number: u128) -> Ipv6Addr {
        Ipv6Addr::from_bits(0xfe80 << 112 | number)
    }

    fn first(list: &mut [Told], new: Told, is_there: impl Fn(Ipv6Addr) -> bool) -> Option<usize> {
        makes_way(list, |it| Some(it), new, is_there)
    }

    #[test]
    fn what_nobody_vouches_for_makes_way_after_a_second_the_oldest_first() {
        let mut list = [1, 0, 2].map(|at| Told::new(START + LEAST * at, router(at.into()), false));
        let new = |after: Duration| Told::new(START + after, router(9), false);
        assert_eq!(
            first(&mut list, new(LEAST - Duration::from_nanos(1)), NOBODY),
            None
        );
        assert_eq!(first(&mut list, new(LEAST), NOBODY), Some(1));
        list[1].again(new(LEAST));
        assert_eq!(first(&mut list, new(LEAST * 2), NOBODY), Some(0));
    }

    #[test]
    fn who_is_there_goes_before_who_may_not_be() {
        let mut list = [1, 2].map(|at| Told::new(START, router(at), at == 1));
        let new = Told::new(START, router(9), true);
        assert_eq!(first(&mut list, new, NOBODY), Some(1));
        // It has shown it meanwhile.
        assert_eq!(first(&mut list, new, |it| it == router(2)), None);
        assert_eq!(first(&mut list, new, NOBODY), None);
        list[1].doubt(router(2));
        assert_eq!(first(&mut list, new, NOBODY), Some(1));
    }

    #[test]
    fn who_is_there_shares_a_list_with_others_that_are() {
        let held = |number| Told::new(START, router(number), true);
        let mut list = [2, 1, 1, 1].map(held);
        list[1].vouch(START + LEAST);
        let new = |number| Told::new(START + LEAST * 2, router(number), true);
        assert_eq!(first(&mut list, new(9), NOBODY), Some(2), "the oldest");
        // It would have no fewer then.
        assert_eq!(first(&mut list, new(1), NOBODY), None);
        assert_eq!(first(&mut list, new(2), NOBODY), Some(2));
        list[2] = new(2);
        assert_eq!(first(&mut list, new(2), NOBODY), None);
        let stranger = Told::new(START + LEAST * 2, router(9), false);
        assert_eq!(first(&mut list, stranger, NOBODY), None);
        // All are of this very moment.
        list.iter_mut().for_each(|it| it.vouch(START + LEAST * 2));
        assert_eq!(first(&mut list, new(9), NOBODY), None);
    }

    #[test]
    fn rfc4861_6_2_1_what_is_not_repeated_after_three_intervals_makes_way_whoever_said_it() {
        let mut list = [Told::new(START, router(1), true); 2];
        list[0].again(Told::new(START + LEAST, router(1), true));
        let new = |after| Told::new(START + after, router(2), false);
        assert_eq!(first(&mut list, new(LONGEST_SILENCE), NOBODY), None);
        assert_eq!(
            first(&mut list, new(LONGEST_SILENCE + LEAST), NOBODY),
            Some(1)
        );
        // Its router repeats it, of whose answers nothing is known by now.
        list[0].again(Told::new(START + LONGEST_SILENCE, router(1), false));
        assert_eq!(
            first(&mut list[..1], new(LONGEST_SILENCE * 2), NOBODY),
            None
        );
        // A stranger that repeats it is not heard.
        list[1].again(new(LONGEST_SILENCE));
        assert_eq!(list[1].router, router(1));
    }
}
