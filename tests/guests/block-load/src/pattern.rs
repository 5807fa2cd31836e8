//! What is done to a device, the same in a unikernel and beside it.

/// Reads or writes of some size, in order or not, durable or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    pub(crate) writes: bool,
    /// Each write is made durable before the next.
    pub(crate) synced: bool,
    pub(crate) octets: usize,
    random: bool,
}

impl Pattern {
    /// By its name, such as `rand-read-4k`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let [order, kind, size] = name.split('-').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Self {
            writes: match kind {
                "read" => false,
                "write" => true,
                _ => return None,
            },
            synced: order == "sync",
            octets: match size {
                "4k" => 4 << 10,
                "1m" => 1 << 20,
                _ => return None,
            },
            random: match order {
                "seq" => false,
                "rand" | "sync" => true,
                _ => return None,
            },
        })
    }

    /// Where to go on a device of `capacity` octets, one place after the other.
    pub(crate) fn places(self, capacity: u64) -> impl Iterator<Item = u64> {
        let count = capacity / self.octets as u64;
        let mut state = 1_u64;
        (0..).map(move |number: u64| {
            let mut place = number;
            if self.random {
                // Knuth's multiplier; the upper half is random enough.
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                place = state >> 33;
            }
            place % count * self.octets as u64
        })
    }
}
