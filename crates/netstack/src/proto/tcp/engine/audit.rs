//! For tests: the account against a walk over all that is held.

use super::Tcp;
use crate::proto::account::Kind;

impl Tcp {
    /// Walks over all connections and tables and returns what they hold, in octets.
    ///
    /// # Panics
    ///
    /// If that is not what was charged.
    #[doc(hidden)]
    pub fn audit(&mut self) -> usize {
        let mut sum = crate::proto::tcp::connection::held::Held::default();
        let (mut noted, mut leaving) = (0, (0, 0));
        for tcb in self.connections.iter() {
            let held = tcb.held();
            assert_eq!(tcb.charged, held, "{:?} {:?}", tcb.tuple, tcb.state);
            let block = tcb.block_octets(&self.shared);
            assert_eq!(tcb.block as usize, block, "{:?}", tcb.state);
            sum.connection += held.connection;
            sum.send += held.send;
            sum.receive += held.receive;
            sum.early += held.early;
            noted += tcb.charged.total() as isize - tcb.unnoted as isize;
            leaving.0 += usize::from(tcb.leaving > 0);
            leaving.1 += tcb.leaving as usize;
        }
        let connections = sum.connection as usize
            + self.connections.held()
            + self.timers.held()
            + self.shared.peers.held()
            + self.queues_held();
        let time_waits = self.time_waits.held();
        let account = &self.shared.account;
        for (kind, held) in [
            (Kind::Connections, connections),
            (Kind::TimeWaits, time_waits),
            (Kind::Spares, self.shared.spares_held()),
            (Kind::SendQueues, sum.send as usize),
            (Kind::ReceiveQueues, sum.receive as usize),
            (Kind::OutOfOrder, sum.early as usize),
        ] {
            assert_eq!(account.used_by(kind), held, "{kind:?}");
        }
        assert_eq!(self.shared.peers.noted() as isize, noted, "shares of peers");
        assert_eq!((self.shared.leaving, account.leaving()), leaving);
        connections
            + time_waits
            + self.shared.spares_held()
            + (sum.send + sum.receive + sum.early) as usize
    }
}
