//! Connections that are kept for what is asked next, and those that are shared.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use miou_rs::sync::Mutex;
use miou_rs::{Instant, Promise, sleep, spawn_named, timeout};

use super::Inner;
use super::connect::Origin;
use super::error::ClientError;
use super::link::{Http1, Http2, Link};

/// A kept connection is ready when its task has taken note of the end of the last answer, which is soon; it never is where
/// the server has answered without taking all that it was asked.
const PROMPT: Duration = Duration::from_millis(10);

/// How often connections are looked at that may have been unused for too long, at most.
const LEAST: Duration = Duration::from_secs(1);

/// What there is for each server.
#[derive(Debug, Default)]
pub(super) struct Pool {
    ways: RefCell<HashMap<Origin, Ways>>,
    /// The task that ends connections which nobody uses any more, as long as there are any.
    end: RefCell<Option<Promise<()>>>,
}

/// What there is for one server.
#[derive(Debug, Default)]
struct Ways {
    /// Of HTTP/1.1, not in use.
    kept: Vec<Http1>,
    /// Of HTTP/2, in use or not.
    shared: Option<Rc<Http2>>,
    /// Held by who finds out which version the server speaks.
    gate: Weak<Mutex<()>>,
}

impl Inner {
    /// A connection to `origin`, and whether it was there.
    pub(super) async fn link(&self, origin: &Origin) -> Result<(Link, bool), ClientError> {
        if let Some(link) = self.take_kept(origin).await {
            return Ok((link, true));
        }
        let gate = self.may_share(origin).then(|| self.pool.gate(origin));
        let mut connects = None;
        if let Some(gate) = &gate {
            connects = gate.try_lock();
            if connects.is_none() {
                // Who connects may get a connection for all.
                drop(gate.lock().await);
                if let Some(link) = self.take_kept(origin).await {
                    return Ok((link, true));
                }
            }
        }
        let link = self.connect(origin).await?;
        if let Link::Http2(shared) = &link
            && self.options.kept > 0
        {
            self.pool.share(origin, shared.clone());
            self.end_unused();
        }
        drop(connects);
        Ok((link, false))
    }

    /// A connection to `origin` that was kept and can be used.
    async fn take_kept(&self, origin: &Origin) -> Option<Link> {
        let time = self.options.kept_time;
        self.pool.forget(Instant::now(), time);
        if let Some(shared) = self.pool.shared(origin, time) {
            return Some(Link::Http2(shared));
        }
        // Bounded by those that are kept.
        loop {
            let mut link = self.pool.pop(origin)?;
            if let Ok(Ok(())) = timeout(PROMPT, link.sender.ready()).await {
                return Some(Link::Http1(link));
            }
        }
    }

    /// Keeps a connection whose request is answered.
    pub(super) fn keep(&self, origin: Origin, link: Link) {
        let now = Instant::now();
        self.pool.forget(now, self.options.kept_time);
        match link {
            Link::Http2(shared) => shared.since.set(now),
            Link::Http1(mut link) => {
                link.since = now;
                if !link.sender.is_closed() {
                    self.pool.push(origin, link, self.options.kept);
                }
            }
        }
        self.end_unused();
    }

    fn end_unused(&self) {
        let mut end = self.pool.end.borrow_mut();
        if end.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let time = self.options.kept_time;
        let pool = Rc::downgrade(&self.pool);
        let task = spawn_named("http client", async move {
            loop {
                sleep(time.max(LEAST)).await;
                let Some(pool) = pool.upgrade() else { return };
                pool.forget(Instant::now(), time);
                if pool.ways.borrow().is_empty() {
                    return;
                }
            }
        });
        let former = end.replace(task);
        drop(end);
        drop(former);
    }
}

/// What is dropped is dropped while nothing is borrowed: it may be the last of anything.
impl Pool {
    fn gate(&self, origin: &Origin) -> Rc<Mutex<()>> {
        let mut table = self.ways.borrow_mut();
        let ways = table.entry(origin.clone()).or_default();
        ways.gate.upgrade().unwrap_or_else(|| {
            let gate = Rc::default();
            ways.gate = Rc::downgrade(&gate);
            gate
        })
    }

    fn share(&self, origin: &Origin, link: Rc<Http2>) {
        let mut table = self.ways.borrow_mut();
        let ways = table.entry(origin.clone()).or_default();
        let former = ways.shared.replace(link);
        drop(table);
        drop(former);
    }

    /// The connection that is shared, unless it has been idle for `time`.
    fn shared(&self, origin: &Origin, time: Duration) -> Option<Rc<Http2>> {
        let mut table = self.ways.borrow_mut();
        let shared = &mut table.get_mut(origin)?.shared;
        let now = Instant::now();
        let bad = shared.take_if(|link| !link.is_good(now, time));
        let good = shared.clone();
        drop(table);
        drop(bad);
        good
    }

    fn pop(&self, origin: &Origin) -> Option<Http1> {
        self.ways.borrow_mut().get_mut(origin)?.kept.pop()
    }

    fn push(&self, origin: Origin, link: Http1, most: usize) {
        let mut table = self.ways.borrow_mut();
        let kept = &mut table.entry(origin).or_default().kept;
        kept.push(link);
        let surplus = kept.len().checked_sub(most + 1).map(|_| kept.remove(0));
        drop(table);
        drop(surplus);
    }

    /// Forgets connections that have ended, or were idle for `time`.
    fn forget(&self, now: Instant, time: Duration) {
        let mut forgotten = Vec::new();
        let mut shared = Vec::new();
        self.ways.borrow_mut().retain(|_, ways| {
            let stale = |link: &mut Http1| now - link.since >= time || link.sender.is_closed();
            forgotten.extend(ways.kept.extract_if(.., stale));
            shared.extend(ways.shared.take_if(|link| !link.is_good(now, time)));
            !ways.kept.is_empty() || ways.shared.is_some() || ways.gate.strong_count() > 0
        });
    }
}
