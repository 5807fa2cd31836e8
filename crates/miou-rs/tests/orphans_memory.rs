//! Memory is bounded by live tasks: ten million connections, one after another,
//! through one `Orphans`, in virtual time.

mod heap;

use std::time::Duration;

use miou_rs::{Builder, Care, Instant, Orphans, VirtualClock, sleep, stats};

const CONNECTIONS: u64 = if cfg!(miri) { 300 } else { 10_000_000 };

#[test]
fn ten_million_connections_in_sequence_leave_the_heap_flat() {
    let heap = Builder::new().run_with(VirtualClock::new(), async {
        let mut connections = Orphans::new();
        let (mut served, mut early) = (0, 0);
        for number in 0..CONNECTIONS {
            // One arrives each 100 µs and lasts 1 ms: ten are alive.
            sleep(Duration::from_micros(100)).await;
            connections.spawn(async move {
                sleep(Duration::from_millis(1)).await;
                number
            });
            while let Care::Finished(result) = connections.care() {
                assert!(result.unwrap() <= number);
                served += 1;
            }
            if number == CONNECTIONS / 5 {
                early = heap::in_use();
            }
        }
        let late = heap::in_use();
        assert!(stats().alive <= 12, "{}", stats().alive);
        while let Some(result) = connections.next().await {
            result.unwrap();
            served += 1;
        }
        assert_eq!(served, CONNECTIONS);
        assert_eq!(
            Instant::now(),
            Instant::ZERO + Duration::from_micros(100 * CONNECTIONS + 1_000)
        );
        (early, late)
    });
    // Not by one byte.
    assert_eq!(heap.0, heap.1);
}
