//! The network, which starts with the first socket.

use core::cell::{Cell, OnceCell};
use core::task::Poll;
use core::time::Duration;
use std::rc::Rc;

use miou_rs::Instant;
use netstack::Stack;

use super::Network;
use crate::descriptors::process;
#[cfg(solo5)]
use crate::memory::stacks::{self, Lender};
use crate::readiness::ALL;
use crate::readiness::queue::Place;
#[cfg(solo5)]
use crate::resolv_conf::{self, Told};
#[cfg(solo5)]
use crate::wait::wait_undisturbed;
use crate::wait::{wait, wait_until};

#[cfg(solo5)]
unsafe extern "Rust" {
    /// What [`network!`](crate::network) defines.
    safe fn __solo5_posix_network(settings: &crate::Settings) -> crate::Starting;
}

global! {
    static NETWORK: OnceCell<Rc<Network>> = OnceCell::new();
    static STATE: Cell<State> = Cell::new(State::Absent);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Starting,
    Running,
}

/// The network; who asks first starts it, and all wait until it has an address.
pub(crate) fn network() -> Rc<Network> {
    let network = NETWORK.with(|network| network.get_or_init(Rc::default).clone());
    match STATE.with(Cell::get) {
        State::Running => {}
        State::Starting => {
            let mut place = Place::new(&network.started);
            wait("the network", |context| {
                place.wait(ALL, context.waker());
                match STATE.with(Cell::get) {
                    State::Running => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            });
        }
        State::Absent => {
            STATE.with(|state| state.set(State::Starting));
            attach(&network);
            STATE.with(|state| state.set(State::Running));
            network.started.wake(ALL);
        }
    }
    network
}

#[cfg(solo5)]
fn attach(network: &Network) {
    // Threads that are made meanwhile have their part of it.
    let free = stacks::held().saturating_add(nolibc::free_memory());
    let mut starting = crate::arguments::with(__solo5_posix_network);
    let attached = wait_undisturbed("the network", |context| starting.as_mut().poll(context));
    match attached {
        Ok((stack, resolver)) => {
            let counted_on = stack.memory_limit();
            network.attach(stack, resolver);
            resolv_conf::ask(told);
            // The allocator needs a seventh more.
            let left = free.saturating_sub(counted_on + counted_on / 7);
            stacks::share(left.saturating_sub(MARGIN), Lender { lend, regain });
            crate::ends::at_end(crate::ends::Step::Network, finish);
        }
        Err((why, status)) => crate::report::end(&why, status),
    }
}

/// What threads leave beside: for what starts with the network, and the program's own.
#[cfg(solo5)]
const MARGIN: usize = 1 << 20;

/// Calls `work` with the stack, if the program has one.
fn with_stack<T>(work: impl FnOnce(&Stack) -> T) -> Option<T> {
    let network = NETWORK.with(|network| network.get().cloned());
    network
        .as_ref()
        .and_then(|network| network.stack())
        .map(work)
}

#[cfg(solo5)]
fn told() -> Told {
    let told = with_stack(|stack| Told {
        servers: stack.name_servers(),
        domains: stack.domains(),
    });
    told.unwrap_or_default()
}

#[cfg(solo5)]
fn lend(octets: usize) -> bool {
    with_stack(|stack| stack.lend(octets)).unwrap_or(true)
}

#[cfg(solo5)]
fn regain(octets: usize) {
    with_stack(|stack| stack.regain(octets));
}

/// Closes what is open when the program ends, and has what was written reach its peers, as a system does it behind a program.
fn finish() {
    /// A peer that takes nothing does not keep the program for ever.
    const LIMIT: Duration = Duration::from_secs(10);
    /// How often to look.
    const PAUSE: Duration = Duration::from_millis(2);
    if crate::thread::current().is_none() {
        return;
    }
    drop(process::with(|process| process.table.take_all()));
    let deadline = Instant::now() + LIMIT;
    while with_stack(Stack::undelivered).is_some_and(|octets| octets > 0)
        && Instant::now() < deadline
    {
        let pause = Some(Instant::now() + PAUSE);
        wait_until("connections to end", pause, |_| Poll::<()>::Pending);
    }
}

/// In a test there is none but what is inside.
#[cfg(not(solo5))]
fn attach(_network: &Network) {}
