//! Listening.

use core::cell::RefCell;
use core::ffi::c_int;
use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};

use libc::{EADDRINUSE, ECONNREFUSED, EINVAL};
use netstack::TcpListener;
use netstack::proto::tcp;

use super::{State, Tcp};
use crate::error::{Errno, Result, fail};
use crate::readiness::{ALL, Events, READ};
use crate::sockets::notice::Which;
use crate::sockets::places;
use crate::sockets::stream::{End, Manner};

/// A socket that listens: for the stack, if it has an address there, and inside of the program.
pub(super) struct Listener {
    backlog: usize,
    /// Of those that share a port, the same for all.
    outside: Option<Rc<TcpListener>>,
    inside: RefCell<Inside>,
}

#[derive(Default)]
struct Inside {
    /// What is to be accepted, with the address of its peer.
    accepted: VecDeque<(Rc<Tcp>, SocketAddr)>,
    /// Those that connect and for which there is no place.
    waiting: VecDeque<Weak<Tcp>>,
}

impl Tcp {
    pub(super) fn start_listening(&self, backlog: c_int) -> Result<()> {
        match self.state() {
            State::Fresh => {}
            // The backlog stays.
            State::Listening(_) => return Ok(()),
            _ => return fail(EINVAL),
        }
        let bound = self.bind_to(self.family.any())?;
        self.network.tcp.listen(bound.port(), &self.this)?;
        let backlog = places(backlog);
        let outside = self.listen_outside(bound, backlog)?;
        self.enter(State::Listening(Rc::new(Listener {
            backlog,
            outside,
            inside: RefCell::default(),
        })));
        self.queue.wake(ALL);
        Ok(())
    }

    fn listen_outside(&self, bound: SocketAddr, backlog: usize) -> Result<Option<Rc<TcpListener>>> {
        let Some(stack) = self.network.outside(bound.ip()) else {
            return Ok(None);
        };
        let shares = self.options.reuse_port.get();
        let options = tcp::Options::default().only_v6(self.options.only_v6.get());
        match TcpListener::bind_with(stack, bound, backlog, &options) {
            Ok(listener) => Ok(Some(Rc::new(listener))),
            Err(error) if shares && Errno::from(&error) == Errno(EADDRINUSE) => {
                Ok(Some(self.shared_listener(bound).ok_or(error)?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The stack's listener of another one that listens at the same address: whoever accepts first has a connection.
    fn shared_listener(&self, bound: SocketAddr) -> Option<Rc<TcpListener>> {
        let others = self.network.tcp.all(bound.port());
        let mut others = others
            .iter()
            .filter(|other| other.bound.get() == Some(bound))
            .filter(|other| other.options.only_v6 == self.options.only_v6);
        others.find_map(|other| match other.state() {
            State::Listening(listener) => listener.outside.clone(),
            _ => None,
        })
    }

    /// A socket for what this one accepts.
    fn new_accepted(&self) -> Rc<Self> {
        let new = Self::new(&self.network, self.family);
        new.options.inherit(&self.options);
        new.settings.inherit(&self.settings);
        new
    }

    /// Connects to this listener from inside of the program.
    pub(super) fn take_in(&self, listener: &Listener, client: &Rc<Tcp>, to: SocketAddr) {
        let mut inside = listener.inside.borrow_mut();
        if inside.accepted.len() > listener.backlog {
            client.enter(State::Waiting(to));
            inside.waiting.push_back(Rc::downgrade(client));
            return;
        }
        drop(inside);
        let from = client.bound.get().unwrap_or(client.family.any());
        let server = self.new_accepted();
        let [ours, theirs] = End::pair(Manner::Tcp, [&client.queue, &server.queue]);
        client.enter(State::Inside(to, Rc::new(ours)));
        server.enter(State::Inside(from, Rc::new(theirs)));
        server.bound.set(Some(to));
        let accepted = &listener.inside;
        accepted.borrow_mut().accepted.push_back((server, from));
        client.queue.wake(ALL);
        self.queue.wake(READ);
    }
}

impl Listener {
    /// How many wait to be accepted, of those inside of the program.
    pub(super) fn len(&self) -> usize {
        self.inside.borrow().accepted.len()
    }

    pub(super) fn accept(&self, socket: &Tcp) -> Result<(Rc<Tcp>, SocketAddr)> {
        let next = self.inside.borrow_mut().accepted.pop_front();
        if let Some(accepted) = next {
            self.admit(socket);
            return Ok(accepted);
        }
        let Some(outside) = &self.outside else {
            return Err(Errno::AGAIN);
        };
        let mut context = Context::from_waker(socket.waker(Which::Read));
        match outside.poll_accept(&mut context) {
            Poll::Ready(accepted) => {
                let (stream, peer) = accepted?;
                let new = socket.new_accepted();
                new.apply(&stream);
                new.enter(State::Outside(Rc::new(stream)));
                Ok((new, peer))
            }
            Poll::Pending => Err(Errno::AGAIN),
        }
    }

    /// Takes the next that waits for a place.
    fn admit(&self, socket: &Tcp) {
        loop {
            let next = self.inside.borrow_mut().waiting.pop_front();
            let Some(client) = next else {
                return;
            };
            if let Some(client) = client.upgrade()
                && let State::Waiting(to) = client.state()
            {
                return socket.take_in(self, &client, to);
            }
        }
    }

    pub(super) fn ready(&self, socket: &Tcp) -> Events {
        if self.len() > 0 {
            return READ;
        }
        let Some(outside) = &self.outside else {
            return 0;
        };
        let mut context = Context::from_waker(socket.waker(Which::Read));
        match outside.poll_acceptable(&mut context) {
            Poll::Ready(_) => READ,
            Poll::Pending => 0,
        }
    }

    /// Resets what was not accepted.
    pub(super) fn end(&self) {
        let Inside { accepted, waiting } = self.inside.take();
        for (server, _) in accepted {
            if let State::Inside(_, end) = server.state() {
                end.reset();
            }
        }
        for client in waiting.into_iter().filter_map(|client| client.upgrade()) {
            client.fail_to_connect(ECONNREFUSED);
        }
    }
}
