//! What is derived from the engine's secret: initial sequence numbers (RFC 6528), timestamp offsets
//! (RFC 7323 §5.4), ports (RFC 6056) and the connection table's hash.

use core::hash::{BuildHasher, Hash, Hasher};
use core::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::proto::Instant;
use crate::proto::ip::Endpoint;
use crate::proto::tcp::wire::segment::FourTuple;
use crate::proto::tcp::wire::seq::Seq;

/// Keys of the hash function, one for each use so that none tells of another.
#[derive(Clone)]
pub(crate) struct Secrets {
    key: [u64; 4],
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
    Isn = 1,
    Timestamp,
    Port,
    Cookie,
    Random,
    Table,
}

impl Secrets {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let mut key = [0; 4];
        let (words, _) = seed.as_chunks::<8>();
        for (key, word) in key.iter_mut().zip(words) {
            *key = u64::from_ne_bytes(*word);
        }
        Self { key, drawn: 0 }
    }

    fn hasher(&self, purpose: Use) -> SipHasher13 {
        // The purpose is part of the message; the second half of the seed too.
        let mut hasher = SipHasher13::new_with_keys(self.key[0], self.key[1]);
        hasher.write_u64(self.key[2] ^ purpose as u64);
        hasher.write_u64(self.key[3]);
        hasher
    }

    fn hash(&self, purpose: Use, local: Endpoint, remote: Endpoint, more: u64) -> u64 {
        let mut hasher = self.hasher(purpose);
        match (local.ip(), remote.ip()) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                hasher.write_u32(local.to_bits());
                hasher.write_u32(remote.to_bits());
            }
            (local, remote) => (local, remote).hash(&mut hasher),
        }
        hasher.write_u32(u32::from(local.port()) << 16 | u32::from(remote.port()));
        hasher.write_u64(more);
        hasher.finish()
    }

    /// RFC 6528 §3: ISN = M + F(tuple, secret), M counting 4 µs.
    pub(crate) fn isn(&self, now: Instant, tuple: &FourTuple) -> Seq {
        let clock = (now.as_micros() / 4) as u32;
        Seq(clock.wrapping_add(self.hash(Use::Isn, tuple.local, tuple.remote, 0) as u32))
    }

    /// RFC 7323 §5.4: an offset of the timestamp clock for each pair of ends, so that the clock goes
    /// on from one connection to the next and does not tell how long the stack has run.
    pub(crate) fn timestamp_offset(&self, tuple: &FourTuple) -> u32 {
        self.hash(Use::Timestamp, tuple.local, tuple.remote, 0) as u32
    }

    /// RFC 6056 §3.3.3: F(local address, remote end, secret).
    pub(crate) fn port_offset(&self, local: IpAddr, remote: Endpoint) -> u32 {
        self.hash(Use::Port, Endpoint::new(local, 0), remote, 0) as u32
    }

    /// The keyed hash of a SYN cookie.
    pub(crate) fn cookie(&self, tuple: &FourTuple, data: u64) -> u32 {
        self.hash(Use::Cookie, tuple.local, tuple.remote, data) as u32
    }

    /// A random number: the hash of a counter.
    pub(crate) fn random(&mut self) -> u64 {
        self.drawn += 1;
        let mut hasher = self.hasher(Use::Random);
        hasher.write_u64(self.drawn);
        hasher.finish()
    }

    /// Keys for a table of connections, whose buckets a peer must not be able to choose.
    pub(crate) fn table(&self) -> TableHash {
        let mut hasher = self.hasher(Use::Table);
        let first = hasher.finish();
        hasher.write_u64(first);
        TableHash {
            keys: (first, hasher.finish()),
        }
    }
}

/// A keyed hash for tables.
#[derive(Clone, Debug)]
pub(crate) struct TableHash {
    keys: (u64, u64),
}

impl TableHash {
    pub(crate) fn of(&self, key: &impl Hash) -> u32 {
        self.hash_one(key) as u32
    }
}

impl BuildHasher for TableHash {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.keys.0, self.keys.1)
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
        let isn = secrets.isn(now, &tuple(1));
        assert_eq!(
            secrets.isn(now + Duration::from_micros(40), &tuple(1)) - isn,
            10
        );
        assert_ne!(secrets.isn(now, &tuple(2)), isn);
        assert_ne!(Secrets::new([2; 32]).isn(now, &tuple(1)), isn);
    }

    #[test]
    fn uses_do_not_share_values() {
        let mut secrets = Secrets::new([1; 32]);
        let isn = secrets.isn(Instant::default(), &tuple(1)).0;
        assert_ne!(secrets.timestamp_offset(&tuple(1)), isn);
        assert_ne!(secrets.cookie(&tuple(1), 0), isn);
        assert_ne!(secrets.random(), secrets.random());
    }
}
