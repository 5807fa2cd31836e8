//! What is derived from the engine's secret: initial sequence numbers (RFC 6528), timestamp offsets
//! (RFC 7323 §5.4), ports (RFC 6056) and the connection table's hash.

use core::hash::{Hash, Hasher};
use core::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::proto::Instant;
use crate::proto::ip::Endpoint;
use crate::proto::tcp::wire::segment::FourTuple;
use crate::proto::tcp::wire::seq::Seq;

/// Keys of the hash function, one for each use so that none tells of another.
#[derive(Clone)]
pub(crate) struct Secrets {
    keys: [TableHash; USES],
    /// Counts the random numbers that were drawn.
    drawn: u64,
}

impl core::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secrets")
    }
}

/// What a hash is for.
#[derive(Clone, Copy)]
enum Use {
    Ends,
    FlowLabel,
    Port,
    Cookie,
    Random,
    Table,
}

const USES: usize = Use::Table as usize + 1;

/// What the two ends of a connection determine: parts of one hash, of which none tells of another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offsets {
    isn: u32,
    /// RFC 7323 §5.4: an offset of the timestamp clock, so that the clock goes on from one connection to
    /// the next and does not tell how long the stack has run.
    pub(crate) timestamps: u32,
    /// The flow label over IPv6 (RFC 6437 §3); zero, which is none, over IPv4.
    pub(crate) flow_label: u32,
}

impl Offsets {
    /// RFC 6528 §3: ISN = M + F(tuple, secret), M counting 4 µs.
    pub(crate) fn isn(&self, now: Instant) -> Seq {
        let clock = (now.as_micros() / 4) as u32;
        Seq(clock.wrapping_add(self.isn))
    }
}

impl Secrets {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let mut words = [0; 4];
        let (chunks, _) = seed.as_chunks::<8>();
        for (word, chunk) in words.iter_mut().zip(chunks) {
            *word = u64::from_ne_bytes(*chunk);
        }
        let [first, second, third, fourth] = words;
        let seed = TableHash {
            keys: (first, second),
        };
        // The use is part of the message; the second half of the seed too.
        let key = |number: usize| {
            let of_use = (third ^ number as u64, fourth);
            let first = seed.hash(&of_use);
            TableHash {
                keys: (first, seed.hash(&(of_use, first))),
            }
        };
        Self {
            keys: core::array::from_fn(key),
            drawn: 0,
        }
    }

    fn hash(&self, purpose: Use, what: &impl Hash) -> u64 {
        self.keys[purpose as usize].hash(what)
    }

    /// What the ends of a connection determine.
    pub(crate) fn offsets(&self, tuple: &FourTuple) -> Offsets {
        let hash = self.hash(Use::Ends, tuple);
        let flow_label = match tuple.remote.is_ipv6() {
            // Of what stands for the addresses, which are long.
            true => (self.hash(Use::FlowLabel, &hash) as u32 & 0xf_ffff).max(1),
            false => 0,
        };
        Offsets {
            isn: hash as u32,
            timestamps: (hash >> 32) as u32,
            flow_label,
        }
    }

    /// RFC 6056 §3.3.3: F(local address, remote end, secret).
    pub(crate) fn port_offset(&self, local: IpAddr, remote: Endpoint) -> u32 {
        let local = Endpoint::new(local, 0);
        self.hash(Use::Port, &FourTuple { local, remote }) as u32
    }

    /// The keyed hash of a SYN cookie.
    pub(crate) fn cookie(&self, tuple: &FourTuple, data: u64) -> u32 {
        self.hash(Use::Cookie, &(tuple, data)) as u32
    }

    /// A random number: the hash of a counter.
    pub(crate) fn random(&mut self) -> u64 {
        self.drawn += 1;
        self.hash(Use::Random, &self.drawn)
    }

    /// Keys for a table of connections, whose buckets a peer must not be able to choose.
    pub(crate) fn table(&self) -> TableHash {
        self.keys[Use::Table as usize].clone()
    }
}

/// A keyed hash for tables.
#[derive(Clone, Debug)]
pub(crate) struct TableHash {
    keys: (u64, u64),
}

impl TableHash {
    #[inline(never)]
    fn hash(&self, what: &impl Hash) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        what.hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn of(&self, key: &impl Hash) -> u32 {
        self.hash(key) as u32
    }
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};
    use core::time::Duration;

    use super::Secrets;
    use crate::proto::Instant;
    use crate::proto::ip::Endpoint;
    use crate::proto::tcp::wire::segment::FourTuple;

    const fn tuple(port: u16) -> FourTuple {
        FourTuple {
            local: Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 80),
            remote: Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), port),
        }
    }

    #[test]
    fn rfc6528_3_isn_advances_each_four_microseconds_and_differs_by_tuple_and_secret() {
        let secrets = Secrets::new([1; 32]);
        let now = Instant::from_nanos(1_000_000_000);
        let offsets = secrets.offsets(&tuple(1));
        let isn = offsets.isn(now);
        assert_eq!(offsets.isn(now + Duration::from_micros(40)) - isn, 10);
        assert_ne!(secrets.offsets(&tuple(2)).isn(now), isn);
        assert_ne!(Secrets::new([2; 32]).offsets(&tuple(1)).isn(now), isn);
    }

    #[test]
    fn uses_do_not_share_values() {
        let mut secrets = Secrets::new([1; 32]);
        let offsets = secrets.offsets(&tuple(1));
        let isn = offsets.isn(Instant::default()).0;
        assert_ne!(offsets.timestamps, isn);
        assert_ne!(secrets.cookie(&tuple(1), 0), isn);
        assert_ne!(secrets.random(), secrets.random());
    }
}
