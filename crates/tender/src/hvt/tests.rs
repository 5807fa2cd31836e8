mod flush;
mod offload;
mod shutdown;

use solo5_abi::hvt::MEM_MAX;

use super::{HvtError, Layout};

const MIB: u64 = 1 << 20;

fn mib(layout: Layout) -> (u64, u64, Option<u64>) {
    (
        layout.size / MIB,
        layout.mem_size / MIB,
        layout.ring.map(|ring| ring / MIB),
    )
}

#[test]
fn memory_is_rounded_down_to_large_pages_but_not_to_nothing() {
    for (asked, given) in [(1, 2), (2, 2), (3, 2), (4, 4), (513, 512), (4096, 4096)] {
        assert_eq!(
            mib(Layout::new(asked * MIB, false).unwrap()),
            (given, given, None),
            "--mem={asked}"
        );
    }
}

#[test]
fn the_ring_comes_on_top_up_to_the_maximum() {
    assert_eq!(mib(Layout::new(2 * MIB, true).unwrap()), (4, 2, Some(2)));
    assert_eq!(
        mib(Layout::new(64 * MIB, true).unwrap()),
        (66, 64, Some(64))
    );
    assert_eq!(
        mib(Layout::new(4095 * MIB, true).unwrap()),
        (4096, 4094, Some(4094))
    );
    assert_eq!(
        mib(Layout::new(4096 * MIB, true).unwrap()),
        (4096, 4094, Some(4094))
    );
}

#[test]
fn more_than_four_gib_is_refused() {
    for asked in [MEM_MAX + 1, 5 << 30, u64::MAX] {
        let error = Layout::new(asked, false).unwrap_err();
        assert!(matches!(error, HvtError::TooMuchMemory(_)));
    }
    let error = Layout::new(5 << 30, true).unwrap_err().to_string();
    assert_eq!(error, "--mem asks for 5120 MiB: expected at most 4096 MiB");
}

/// `ci/hvt` goes by the processor's features, this by what the processor does.
#[test]
fn the_probe_finds_hardware_virtualisation() {
    let device = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm");
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let expected = device.is_ok()
        && processor
            .split_whitespace()
            .any(|flag| flag == "vmx" || flag == "svm");
    let found = super::probe();
    assert_eq!(found.is_ok(), expected, "{found:?}");
}
