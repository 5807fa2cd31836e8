//! Random requests against a plain array of bytes, each from a seed, which a failure names.

use blockdev::{BlockDevice, Error, MemoryDevice};

use crate::random::Random;

#[test]
fn a_device_is_an_array_of_bytes() {
    for seed in 1..500_u64 {
        let mut random = Random::new(seed);
        let block_size = 1 << random.up_to(6);
        let blocks = 1 + random.up_to(9);
        let mut model = vec![0; block_size * blocks];
        let mut disk = BlockDevice::new(MemoryDevice::new(block_size, blocks).unwrap());
        for step in 0..100 {
            let offset = random.up_to(model.len() + 1);
            let len = random.up_to(model.len() + 1);
            let range = model
                .get(offset..offset + len)
                .map(|_| offset..offset + len);
            let is_read = random.up_to(1) == 0;
            let result = if is_read {
                let mut bytes = vec![0xaa; len];
                let result = disk.read_at(offset as u64, &mut bytes);
                if let Some(range) = range.clone() {
                    assert_eq!(bytes, model[range], "seed {seed}, step {step}");
                }
                result
            } else {
                let bytes: Vec<u8> = (0..len).map(|_| random.up_to(255) as u8).collect();
                if let Some(range) = range.clone() {
                    model[range].copy_from_slice(&bytes);
                }
                disk.write_at(offset as u64, &bytes)
            };
            let expected = range.map(|_| ()).ok_or(Error::OutOfBounds {
                offset: offset as u64,
                len: len as u64,
                capacity: model.len() as u64,
            });
            assert_eq!(result, expected, "seed {seed}, step {step}");
            assert_eq!(disk.get_ref().as_bytes(), model, "seed {seed}, step {step}");
        }
    }
}
