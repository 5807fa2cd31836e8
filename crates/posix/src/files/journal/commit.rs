//! Making durable what was done.

use core::future::poll_fn;
use core::mem;
use core::task::Poll;
use core::time::Duration;
use std::rc::Rc;

use libc::{EIO, ENOSPC, EOPNOTSUPP};

use super::extents::Run;
use super::log::Log;
use super::ops::{Op, Ops};
use super::{Content, Journal, Node, Pending, attributes, describe};
use crate::error::{Errno, Result, fail};
use crate::files::volume::{Sync, Volume as _};
use crate::readiness::ALL;
use crate::readiness::queue::Place;

/// How long what nobody syncs may wait for a commit.
const LATER: Duration = Duration::from_secs(1);
/// Octets of one record of many.
const PART: usize = 32 << 10;

/// What a commit writes: decided at once, whatever happens meanwhile.
struct Batch {
    number: u64,
    is_ordered: bool,
    record: Record,
    freed: Vec<Run>,
}

impl Pending {
    /// The next commit is to write all there is.
    fn hold_all(&mut self) {
        (self.whole, self.is_needed, self.is_ordered) = (true, true, true);
    }
}

enum Record {
    None,
    Ops(Vec<u8>),
    /// All there is, for the other area.
    Whole(Vec<Vec<u8>>),
}

impl Journal {
    pub(super) async fn synced(self: Rc<Self>, manner: Sync) -> Result<()> {
        let progress = &self.progress;
        let only_data = manner.only_data && !self.pending.borrow().is_needed;
        // What is not needed may be in a commit that has begun.
        let wanted = match only_data || self.is_clean() {
            true => progress.begun.get(),
            false => progress.begun.get() + 1,
        };
        while progress.durable.get() < wanted {
            self.check()?;
            if progress.is_running.get() {
                match manner.waits {
                    true => self.wait_for_end().await,
                    false => self.overtake().await?,
                }
                continue;
            }
            progress.is_running.set(true);
            let outcome = self.commit(manner.waits).await;
            progress.is_running.set(false);
            progress.ended.wake(ALL);
            outcome?;
        }
        self.check()?;
        if only_data && self.pending.borrow().has_data {
            self.flush(manner.waits).await?;
        }
        match self.device.can_flush {
            true => Ok(()),
            false => fail(EOPNOTSUPP),
        }
    }

    fn is_clean(&self) -> bool {
        let pending = self.pending.borrow();
        let is_told = !pending.is_needed && !pending.whole && pending.changed.is_empty();
        is_told && !pending.has_data && pending.freed.is_empty()
    }

    async fn wait_for_end(&self) {
        let progress = &self.progress;
        let mut place = Place::new(&progress.ended);
        poll_fn(|context| match progress.is_running.get() {
            true => {
                place.wait(ALL, context.waker());
                Poll::Pending
            }
            false => Poll::Ready(()),
        })
        .await;
    }

    /// For who is no thread, and cannot let the commit that is suspended go on: writes all there is, and nothing is left for
    /// that one to do.
    async fn overtake(&self) -> Result<()> {
        let progress = &self.progress;
        progress.overtaken.set(progress.overtaken.get() + 1);
        self.pending.borrow_mut().hold_all();
        self.commit(false).await
    }

    /// One that fails is the last.
    async fn flush(&self, waits: bool) -> Result<()> {
        if self.device.flush(waits).await.is_err() {
            self.progress.has_failed.set(true);
            return fail(EIO);
        }
        Ok(())
    }

    async fn commit(&self, waits: bool) -> Result<()> {
        let batch = self.take_batch();
        if batch.is_ordered {
            self.flush(waits).await?;
        }
        if let Err(error) = self.write_record(&batch, waits).await {
            // The host may have no room now: the next commit has it all.
            let mut pending = self.pending.borrow_mut();
            pending.freed.extend(batch.freed);
            pending.hold_all();
            return Err(error);
        }
        if !self.is_durable(&batch) {
            self.flush(waits).await?;
        }
        let mut blocks = self.blocks.borrow_mut();
        batch
            .freed
            .into_iter()
            .for_each(|run| blocks.give_back(run));
        let durable = self.progress.durable.get();
        self.progress.durable.set(durable.max(batch.number));
        Ok(())
    }

    /// Whether one that has overtaken it has made it durable.
    fn is_durable(&self, batch: &Batch) -> bool {
        self.progress.durable.get() >= batch.number
    }

    fn take_batch(&self) -> Batch {
        let pending: Pending = mem::take(&mut *self.pending.borrow_mut());
        let number = self.progress.begun.get() + 1;
        self.progress.begun.set(number);
        let mut ops = pending.ops;
        for node in pending.changed.iter().filter_map(std::rc::Weak::upgrade) {
            node.is_changed.set(false);
            // What has no name is nothing to the journal.
            if node.names.get() > 0 && !pending.whole {
                ops.push(&attributes(&node));
            }
        }
        let is_whole = pending.whole || !self.log.borrow().has_room(ops.octets.len());
        Batch {
            number,
            is_ordered: pending.is_ordered,
            record: match is_whole {
                true => Record::Whole(self.all()),
                false if ops.octets.is_empty() => Record::None,
                false => Record::Ops(ops.octets),
            },
            freed: pending.freed,
        }
    }

    /// All there is, in parts.
    fn all(&self) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        let mut ops = Ops::default();
        let mut tell = |op: &Op<'_>| {
            ops.push(op);
            if ops.octets.len() >= PART {
                parts.push(mem::take(&mut ops).octets);
            }
        };
        let mut todo: Vec<Rc<Node>> = self.root.borrow().upgrade().into_iter().collect();
        // A file with more than one name is described once.
        let mut told = std::collections::BTreeSet::new();
        todo.iter().for_each(|root| tell(&attributes(root)));
        while let Some(directory) = todo.pop() {
            let Content::Directory(entries) = &directory.content else {
                continue;
            };
            for (name, node) in entries.borrow().iter() {
                if node.volume.id() != directory.volume.id() {
                    continue;
                }
                if node.names.get() == 1 || told.insert(node.number) {
                    describe(node, &mut tell);
                }
                tell(&Op::Name {
                    directory: directory.number,
                    node: node.number,
                    name,
                });
                if node.entries().is_some() {
                    todo.push(node.clone());
                }
            }
        }
        parts.push(ops.octets);
        parts
    }

    async fn write_record(&self, batch: &Batch, waits: bool) -> Result<()> {
        match &batch.record {
            _ if self.is_durable(batch) => Ok(()),
            Record::None => Ok(()),
            Record::Ops(ops) => self.log.borrow_mut().append(&self.device, ops),
            Record::Whole(parts) => {
                let overtaken = self.progress.overtaken.get();
                let mut log: Log = self.log.borrow().next(&self.device, parts.len() as u64);
                for part in parts {
                    if !log.has_room(part.len()) {
                        return fail(ENOSPC);
                    }
                    log.append(&self.device, part)?;
                }
                self.flush(waits).await?;
                if self.is_durable(batch) {
                    return Ok(());
                }
                if self.progress.overtaken.get() != overtaken {
                    // Its place in the other area was written over, and that came to nothing.
                    return fail(ENOSPC);
                }
                if let Err(error) = log.header().write(&self.device) {
                    // Unless there was no room for it, it may be there or not: nothing can be said of the next.
                    if error != Errno(ENOSPC) {
                        self.progress.has_failed.set(true);
                    }
                    return Err(error);
                }
                self.log.replace(log);
                Ok(())
            }
        }
    }

    /// Has a commit begin after a while.
    pub(super) fn commit_later(&self) {
        let has_scheduler = cfg!(solo5) || crate::is_in_thread();
        if !has_scheduler || self.progress.due.get().is_some() {
            return;
        }
        let later = || miou_rs::Instant::now() + LATER;
        self.progress.due.set(Some(later()));
        let this = self.this.clone();
        let task = miou_rs::spawn_named("files", async move {
            while let Some(due) = this.upgrade().and_then(|this| this.progress.due.get()) {
                miou_rs::sleep_until(due).await;
                let Some(this) = this.upgrade() else { return };
                // Who syncs hears of what fails.
                let _ = this.clone().synced(Sync::WAITING).await;
                let is_done = this.is_clean() || this.progress.has_failed.get();
                this.progress.due.set((!is_done).then(later));
            }
        });
        *self.progress.later.borrow_mut() = Some(task);
    }
}
