//! Random requests against an array of bytes, on a device that forgets what was not flushed and whose
//! blocks break and are repaired: each from a seed, which a failure names.

use blockdev::{
    BlockDevice, CacheConfig, Cached, Error, Fault, FaultyDevice, Operation, SectorDevice,
};

use crate::random::Random;
use crate::volatile::Volatile;

struct World {
    random: Random,
    disk: BlockDevice<Cached<FaultyDevice<Volatile>>>,
    /// What must be read.
    model: Vec<u8>,
    block_size: usize,
    most: usize,
    bad_reads: Vec<usize>,
    bad_writes: Vec<usize>,
    /// The next flush of the device fails.
    bad_flush: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let block_size = 1 << random.up_to(5);
        // Requests of 64 KiB go past the cache: some devices are large enough for those.
        let blocks = if seed.is_multiple_of(8) {
            (100 << 10) / block_size
        } else {
            1 + random.up_to(700)
        };
        let page = 64 * block_size;
        let config = CacheConfig {
            bytes: random.up_to(6 * page),
            read_ahead: random.up_to(4 * page),
        };
        let max_blocks = 1 + random.up_to(200);
        let device = FaultyDevice::new(Volatile::new(block_size, blocks, max_blocks));
        Self {
            random,
            disk: BlockDevice::new(Cached::new(device, config)),
            model: vec![0; block_size * blocks],
            block_size,
            most: config.bytes.max(page),
            bad_reads: Vec::new(),
            bad_writes: Vec::new(),
            bad_flush: false,
        }
    }

    fn faulty(&mut self) -> &mut FaultyDevice<Volatile> {
        self.disk.get_mut().get_mut()
    }

    fn range(&mut self) -> std::ops::Range<usize> {
        let start = self.random.up_to(self.model.len() - 1);
        let most = self.model.len() - start;
        let most = match self.random.up_to(3) {
            0 => most,
            _ => most.min(4 * self.block_size),
        };
        start..start + self.random.up_to(most)
    }

    fn touches(&self, range: &std::ops::Range<usize>, bad: &[usize]) -> bool {
        let first = range.start / self.block_size;
        let behind = range.end.div_ceil(self.block_size);
        bad.iter().any(|block| (first..behind).contains(block))
    }

    fn read(&mut self, range: std::ops::Range<usize>) {
        let mut bytes = vec![0; range.len()];
        match self.disk.read_at(range.start as u64, &mut bytes) {
            Ok(()) => assert_eq!(bytes, self.model[range]),
            Err(_) => assert!(self.touches(&range, &self.bad_reads)),
        }
    }

    fn write(&mut self, range: std::ops::Range<usize>) {
        let bytes: Vec<u8> = range
            .clone()
            .map(|_| self.random.up_to(255) as u8)
            .collect();
        let result = self.disk.write_at(range.start as u64, &bytes);
        if result.is_err() {
            let bad = self.touches(&range, &self.bad_reads);
            assert!(bad || !self.bad_writes.is_empty());
            // What has come of it?
            let mut there = vec![0; self.model.len()];
            self.repair();
            self.disk.read_at(0, &mut there).unwrap();
            for (at, (byte, old)) in there.iter().zip(&self.model).enumerate() {
                let new = range.contains(&at) && *byte == bytes[at - range.start];
                assert!(new || byte == old, "byte {at} after a write that failed");
            }
            self.model = there;
        } else {
            self.model[range].copy_from_slice(&bytes);
        }
    }

    fn discard(&mut self, range: std::ops::Range<usize>) {
        let start = range.start - range.start % self.block_size;
        let end = range.end - range.end % self.block_size;
        if start < end {
            self.disk
                .discard(start as u64, (end - start) as u64)
                .unwrap();
            self.model[start..end].fill(0);
        }
    }

    fn repair(&mut self) {
        self.bad_reads.clear();
        self.bad_writes.clear();
        self.bad_flush = false;
        self.faulty().repair();
    }

    fn break_a_block(&mut self) {
        if self.random.up_to(3) == 0 && !self.bad_flush {
            self.bad_flush = true;
            self.faulty().inject(Fault::Nth(Operation::Flush, 0));
        }
        let blocks = self.model.len() / self.block_size;
        let block = self.random.up_to(blocks - 1);
        let offset = (block * self.block_size) as u64;
        if self.random.up_to(1) == 0 {
            self.bad_reads.push(block);
            self.faulty().inject(Fault::Block(Operation::Read, offset));
        } else {
            self.bad_writes.push(block);
            self.faulty().inject(Fault::Block(Operation::Write, offset));
        }
    }

    /// Whether all was durable.
    fn flush(&mut self) -> bool {
        let result = self.disk.flush();
        match &result {
            Ok(()) => {
                assert_eq!(self.disk.get_ref().dirty_bytes(), 0);
                assert_eq!(self.disk.get_ref().get_ref().get_ref().durable, self.model);
            }
            Err(error) => {
                assert!(matches!(error, Error::Device { .. }), "{error}");
                let dirty = self.disk.get_ref().dirty_bytes() > 0;
                // What could not be written is before what could not be flushed.
                let why = if dirty {
                    !self.bad_writes.is_empty()
                } else {
                    std::mem::take(&mut self.bad_flush)
                };
                assert!(why, "{error}");
            }
        }
        result.is_ok()
    }
}

#[test]
fn a_cache_is_not_seen_and_a_flush_keeps_its_word() {
    let (mut durable, mut lost) = (0, 0);
    for seed in 0..300 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        let mut next = 0;
        for _ in 0..60 {
            let range = world.range();
            match world.random.up_to(19) {
                0..6 => world.read(range),
                6..8 => {
                    // In sequence.
                    let end = world.model.len().min(next + range.len());
                    world.read(next..end);
                    next = end % world.model.len();
                }
                8..14 => world.write(range),
                14 => world.discard(range),
                15 => world.break_a_block(),
                16 => world.repair(),
                _ => {
                    if world.flush() {
                        durable += 1;
                    } else {
                        lost += 1;
                    }
                }
            }
            assert!(world.disk.get_ref().cached_bytes() <= world.most);
        }
        world.repair();
        assert!(world.flush(), "what could not be written was kept");
        let all = 0..world.model.len();
        world.read(all);
        let device = world.disk.into_inner().into_inner().unwrap();
        assert_eq!(device.get_ref().memory.as_bytes(), world.model);
        assert!(device.can_flush());
    }
    assert!(durable > 500 && lost > 50, "{durable} {lost}");
}
