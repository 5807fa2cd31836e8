//! Images of ext4: nothing of ours panics, and reads and memory are bounded.
#![no_main]

mod fs_world;

use libfuzzer_sys::fuzz_target;
use mkernel::fs;

fuzz_target!(|image: &[u8]| fs_world::look(image, fs::mount_ext4));
