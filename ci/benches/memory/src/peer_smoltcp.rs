//! smoltcp's sockets: a socket and its buffers, which are there from the first to the last.

use bench_common::Report;
use smoltcp::iface::SocketSet;
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer};

use crate::counting::Heap;

const SUBJECT: &str = "smoltcp";
const CONNECTIONS: usize = 1000;
/// Octets of each of the two buffers: what `ci/bench net` gives a socket for small messages.
const BUFFER: usize = 16 << 10;

/// A socket is as large in each state.
pub fn measure(report: &mut Report) {
    let mut set = SocketSet::new(Vec::with_capacity(CONNECTIONS));
    let before = Heap::now();
    for _ in 0..CONNECTIONS {
        let storage = || SocketBuffer::new(vec![0; BUFFER]);
        let mut socket = Socket::new(storage(), storage());
        socket.set_congestion_control(CongestionControl::Cubic);
        set.add(socket);
    }
    // The places in the set were made before.
    let place = size_of::<smoltcp::iface::SocketStorage<'_>>() as f64;
    let (requested, taken) = before.each(CONNECTIONS);
    for case in ["half-open", "idle", "after-1", "after-1M", "time-wait"] {
        report.add(case, SUBJECT, "requested", requested + place);
        report.add(case, SUBJECT, "bytes", taken + place);
    }
}
