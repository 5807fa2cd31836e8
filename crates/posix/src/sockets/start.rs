//! The network, which starts with the first socket.

use core::cell::{Cell, OnceCell};
use core::task::Poll;
use std::rc::Rc;

use super::Network;
use crate::readiness::ALL;
use crate::readiness::queue::Place;
use crate::wait::wait;

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
    let mut starting = crate::arguments::with(__solo5_posix_network);
    match wait("the network", |context| starting.as_mut().poll(context)) {
        Ok((stack, resolver)) => network.attach(stack, resolver),
        Err((why, status)) => {
            crate::descriptors::console::write(format!("{why}\n").as_bytes());
            // SAFETY: it may be called from anywhere.
            unsafe { libc::exit(status) }
        }
    }
}

/// In a test there is none but what is inside.
#[cfg(not(solo5))]
fn attach(_network: &Network) {}
