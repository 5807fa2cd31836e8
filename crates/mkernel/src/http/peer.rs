//! What is known of a client while it is connected: whose turn it is, since when, and what it was told.

#[cfg(feature = "tls")]
use std::cell::OnceCell;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::task::Waker;

use log::debug;
use miou_rs::Instant;

use super::content::Contents;
use super::options::Options;
#[cfg(feature = "tls")]
use super::remote::PeerCertificates;
use super::scan::Scan;

/// The state of a connection, shared by its task, the layer below `hyper` and the one above it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    #[cfg(feature = "tls")]
    pub(super) certificates: OnceCell<PeerCertificates>,
    /// When octets last came or went.
    pub(super) active: Cell<Instant>,
    /// Since when the client has taken nothing of what there is to be written.
    pub(super) blocked: Cell<Option<Instant>>,
    pub(super) scan: RefCell<Scan>,
    /// Whether HTTP begins only when TLS or the version is agreed upon.
    pub(super) arriving: Cell<bool>,
    /// Whether its handshake has ended with a version, for a request to come when there is one.
    pub(super) agreed: Cell<bool>,
    /// Whether the client has ended its stream.
    pub(super) ended: Cell<bool>,
    /// Requests that the service was given, that it has answered, and whose answers are written.
    pub(super) begun: Cell<u64>,
    pub(super) answered: Cell<u64>,
    pub(super) done: Cell<u64>,
    /// Answers of HTTP/2 of which there is something, or will be.
    pub(super) kept: Cell<u64>,
    /// Answers of which the service has to write the next piece.
    pub(super) writing: Cell<u64>,
    /// Whether it becomes the service's when the answer that says so has left.
    pub(super) upgrading: Cell<bool>,
    pub(super) upgraded: Cell<bool>,
    pub(super) http2: Cell<bool>,
    pub(super) contents: Contents,
    pub(super) turns: Arc<Turns>,
    pub(super) order: Cell<Order>,
    waker: RefCell<Option<Waker>>,
}

/// Whose turn a connection's requests are. The content of a request, which may be anywhere, counts here too.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Requests that the service has not answered, nor waits for the content of.
    pub(super) unanswered: AtomicI32,
    /// Requests that it is answering, and waits for the content of.
    pub(super) reading: AtomicI32,
    /// Requests of whose content it may have some that it has not taken: then the client may be kept from sending more.
    pub(super) held: AtomicI32,
    /// Octets that have come over HTTP/2.
    pub(super) come: AtomicU64,
    /// Whether the client's turn has begun since this was looked at.
    pub(super) passed: AtomicBool,
}

/// What a connection has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Serve,
    /// To end when what was asked for is answered.
    Finish,
    /// To make room for another.
    Leave,
}

/// What has lasted too long, or would be given up first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wait {
    /// For a request of which nothing has come.
    Idle,
    /// For the rest of a header, or of a handshake.
    Header,
    /// For the content of a request.
    Body,
    /// For the client to take an answer.
    Taking,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, now: Instant) -> Self {
        Self {
            address,
            #[cfg(feature = "tls")]
            certificates: OnceCell::new(),
            active: Cell::new(now),
            blocked: Cell::new(None),
            scan: RefCell::new(Scan::new()),
            arriving: Cell::new(true),
            agreed: Cell::new(false),
            ended: Cell::new(false),
            begun: Cell::new(0),
            answered: Cell::new(0),
            done: Cell::new(0),
            kept: Cell::new(0),
            writing: Cell::new(0),
            upgrading: Cell::new(false),
            upgraded: Cell::new(false),
            http2: Cell::new(false),
            contents: Contents::default(),
            turns: Arc::default(),
            order: Cell::new(Order::Serve),
            waker: RefCell::new(None),
        }
    }

    pub(super) fn order(&self) -> Order {
        self.order.get()
    }

    /// Tells the connection's task; an order that it has is not taken back.
    pub(super) fn tell(&self, order: Order) {
        self.order.set(self.order.get().max(order));
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether the client can be told that the connection ends, and was not.
    pub(super) fn may_finish(&self) -> bool {
        self.http2.get() && self.order() == Order::Serve
    }

    /// Has `waker` woken by an order.
    pub(super) fn listen(&self, waker: &Waker) {
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            let former = kept.replace(waker.clone());
            drop(kept);
            drop(former);
        }
    }

    /// The client's time begins when it is its turn.
    pub(super) fn note_pass(&self) {
        let passed = &self.turns.passed;
        if passed.load(Ordering::Relaxed) && passed.swap(false, Ordering::Relaxed) {
            self.active.set(Instant::now());
        }
    }

    /// What breaks a connection is its client's affair.
    pub(super) fn note(&self, result: hyper::Result<()>) {
        if let Err(error) = result {
            debug!("{}: {error}", self.address);
        }
    }

    /// What the client is waited for, and since when; `None` when it is the service's turn, as it is for good after an
    /// upgrade.
    pub(super) fn wait(&self) -> Option<(Wait, Instant)> {
        if self.upgraded.get() {
            return None;
        }
        if let Some(since) = self.blocked.get() {
            return Some((Wait::Taking, since));
        }
        // In this order, as another thread may pass the turn meanwhile.
        let unanswered = count(&self.turns.unanswered);
        let reading = count(&self.turns.reading);
        let held = count(&self.turns.held);
        self.note_pass();
        let active = self.active.get();
        if self.untaken() > self.writing.get() {
            return Some((Wait::Taking, active));
        }
        let is_turn = unanswered > 0 || self.writing.get() > reading;
        if is_turn && held > 0 {
            return None;
        }
        if self.begun.get() - self.answered.get() > unanswered {
            return Some((Wait::Body, active));
        }
        if is_turn {
            return None;
        }
        if self.untaken() > 0 {
            return Some((Wait::Taking, active));
        }
        match self.scan.borrow().header_since() {
            Some(since) => Some((Wait::Header, since)),
            None if self.arriving.get() && !self.agreed.get() => Some((Wait::Header, active)),
            None => Some((Wait::Idle, active)),
        }
    }

    /// Whether far more than a window has come since content did that is not taken. `h2` keeps with that all that was read
    /// at once, so whoever's turn it is, such a client makes room before all others.
    pub(super) fn is_far_ahead(&self, window: u32) -> bool {
        let come = self.turns.come.load(Ordering::Relaxed);
        let since = self.contents.held_since();
        since.is_some_and(|since| come.saturating_sub(since) / 2 > window.into())
    }

    /// Answers that the service has given of which something is kept here, or has not been written.
    fn untaken(&self) -> u64 {
        let answered = self.answered.get();
        if self.http2.get() {
            let unanswered = self.begun.get() - answered;
            self.kept.get().saturating_sub(unanswered)
        } else {
            answered - self.done.get()
        }
    }

    /// When the client's time is over, and what for.
    pub(super) fn deadline(&self, options: &Options) -> Option<(Wait, Instant)> {
        let (wait, since) = self.wait()?;
        let time = match wait {
            Wait::Header => options.header_time,
            // Its request alone is given up.
            Wait::Body if self.http2.get() => return None,
            _ => options.idle(),
        };
        Some((wait, since + time))
    }
}

/// What another thread may be about to change.
fn count(counter: &AtomicI32) -> u64 {
    u64::try_from(counter.load(Ordering::Acquire)).unwrap_or(0)
}
