//! What a power cut could leave behind while a flush goes on.

use std::collections::BTreeSet;
use std::task::{Context, Waker};

use blockdev::power_cut::{Limits, Recorder};
use blockdev::{BlockDevice, MemoryDevice};

/// A state: the first octets of three blocks, and the last position at which the cut could have been.
type State = ([u8; 3], usize);

#[test]
fn a_flush_covers_what_was_written_before_it_was_begun() {
    let (device, recording) = Recorder::new(MemoryDevice::new(512, 3).unwrap());
    let mut disk = BlockDevice::new(device.with_slow_flushes(1));
    let mut context = Context::from_waker(Waker::noop());
    disk.write_at(0, &[1; 512]).unwrap();
    let flush = disk.begin_flush().unwrap();
    assert!(disk.poll_flush(flush, &mut context).is_pending());
    disk.write_at(512, &[2; 512]).unwrap();
    let before = recording.position();
    assert!(disk.poll_flush(flush, &mut context).is_ready());
    let promised = recording.position();
    assert!(disk.poll_flush(flush, &mut context).is_ready());
    assert_eq!((before, promised, recording.position()), (2, 3, 3));
    disk.write_at(1024, &[3; 512]).unwrap();

    let mut found = BTreeSet::new();
    let tally = recording.each_cut(&Limits::default(), |cut| {
        let octets = cut.device.as_bytes();
        let state: State = ([octets[0], octets[512], octets[1024]], cut.last);
        assert!(cut.first <= cut.last);
        match found.insert(state) {
            true => Ok(()),
            false => Err(state),
        }
    });
    assert_eq!(
        tally.map(|tally| (tally.states, tally.flushes, tally.writes)),
        Ok((8, 1, 3))
    );
    let expected: BTreeSet<State> = [
        // Before the end of the flush nothing is sure,
        [[0, 0, 0], [1, 0, 0], [0, 2, 0], [1, 2, 0]].map(|octets| (octets, 2)),
        // and after it the first write is.
        [[1, 0, 0], [1, 2, 0], [1, 0, 3], [1, 2, 3]].map(|octets| (octets, 4)),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert_eq!(found, expected);
}
