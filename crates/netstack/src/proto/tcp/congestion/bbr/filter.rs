//! The windowed maxima of BBR's model.

/// BBR.MaxBwFilterLen: this cycle and the one before it.
const MAX_BW_FILTER_LEN: usize = 2;
/// BBR.ExtraAckedFilterLen, in round trips.
const EXTRA_ACKED_FILTER_LEN: usize = 10;

/// BBR.max_bw_filter (§5.5.5): the maximum of the rates of two ProbeBW cycles.
#[derive(Clone, Debug, Default)]
pub(crate) struct MaxBw {
    /// Of the cycle before, and of this one: octets a second.
    cycles: [u64; MAX_BW_FILTER_LEN],
}

impl MaxBw {
    /// BBR.max_bw.
    pub(crate) fn max(&self) -> u64 {
        self.cycles[0].max(self.cycles[1])
    }

    /// UpdateWindowedMaxFilter: a sample of this cycle.
    pub(crate) fn update(&mut self, rate: u64) {
        self.cycles[1] = self.cycles[1].max(rate);
    }

    /// AdvanceMaxBwFilter of §5.5.6: a cycle is over. One without samples does not count.
    pub(crate) fn advance(&mut self) {
        if self.cycles[1] > 0 {
            self.cycles = [self.cycles[1], 0];
        }
    }
}

/// BBR.extra_acked_filter (§5.5.9): the maximum of the last round trips.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExtraAcked {
    /// The maximum of each round trip, by its number modulo the length.
    rounds: [u64; EXTRA_ACKED_FILTER_LEN],
    /// The round trip of the last sample.
    round: u64,
}

impl ExtraAcked {
    /// Takes a sample of a round trip that is not before that of the last one.
    pub(crate) fn update(&mut self, round: u64, value: u64) {
        let passed = (round - self.round).min(EXTRA_ACKED_FILTER_LEN as u64);
        for round in self.round + 1..=self.round + passed {
            self.rounds[Self::slot(round)] = 0;
        }
        if passed == EXTRA_ACKED_FILTER_LEN as u64 {
            self.rounds = Default::default();
        }
        self.round = round;
        let slot = &mut self.rounds[Self::slot(round)];
        *slot = value.max(*slot);
    }

    /// The maximum of the last ten round trips, or of this one alone.
    pub(crate) fn max(&self, this_round_only: bool) -> u64 {
        if this_round_only {
            self.rounds[Self::slot(self.round)]
        } else {
            self.rounds.iter().copied().max().unwrap_or(0)
        }
    }

    fn slot(round: u64) -> usize {
        (round % EXTRA_ACKED_FILTER_LEN as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::{ExtraAcked, MaxBw};

    #[test]
    fn bbr_5_5_5_max_bw_is_that_of_this_cycle_and_the_one_before() {
        let mut filter = MaxBw::default();
        filter.update(10);
        filter.update(7);
        assert_eq!(filter.max(), 10);
        filter.advance();
        filter.update(6);
        assert_eq!(filter.max(), 10);
        filter.advance();
        assert_eq!(filter.max(), 6);
        // A cycle without samples does not make the one before it old.
        filter.advance();
        filter.advance();
        assert_eq!(filter.max(), 6);
    }

    #[test]
    fn bbr_5_5_9_extra_acked_agrees_with_a_list_of_ten_rounds() {
        let mut filter = ExtraAcked::default();
        let mut all = Vec::new();
        let (mut state, mut round) = (1_u64, 0);
        for _ in 0..5000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let random = state >> 33;
            round += [0, 0, 0, 0, 1, 1, 2, 13][(random % 8) as usize];
            let value = random / 8 % 1000;
            all.push((round, value));
            filter.update(round, value);
            let max_since = |first: u64| {
                let values = all.iter().filter(|(round, _)| *round >= first);
                values.map(|(_, value)| *value).max().unwrap_or(0)
            };
            assert_eq!(filter.max(false), max_since((round + 1).saturating_sub(10)));
            assert_eq!(filter.max(true), max_since(round));
        }
    }
}
