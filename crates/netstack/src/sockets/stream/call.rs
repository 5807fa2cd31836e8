//! Calls on a connection that may have to wait.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::connection::{Connection, Side};
use crate::driver::waiters::Ticket;
use crate::driver::{Driver, Limit, Queue};
use crate::proto::Instant;
use crate::proto::tcp::{ConnectionId, Error, Tcp};

/// A call that reads or writes, which is made again until it is ready or the user's time-out has
/// passed. That begins when the call first has to wait, and goes with the call.
pub(super) struct Call<'a, F> {
    connection: &'a Connection,
    direction: Direction,
    ticket: Option<Ticket>,
    limit: Limit,
    call: F,
}

#[derive(Clone, Copy)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Direction {
    pub(super) fn queue(self, connection: &Connection) -> Queue {
        match self {
            Self::Read => Queue::Read(connection.id),
            Self::Write => Queue::Write(connection.id),
        }
    }

    fn side(self, connection: &Connection) -> &Side {
        match self {
            Self::Read => &connection.read,
            Self::Write => &connection.write,
        }
    }
}

impl Connection {
    /// Makes a call for a task that has no future of ours.
    pub(super) fn poll_call<T>(
        &self,
        context: &mut Context<'_>,
        direction: Direction,
        call: impl FnOnce(&mut Tcp, Instant, ConnectionId) -> Poll<Result<T, Error>>,
    ) -> Poll<io::Result<T>> {
        let side = direction.side(self);
        let mut limit = side.task_limit.take();
        let poll = self.driver.with(|driver| {
            driver.check()?;
            let now = driver.now();
            let poll = call(driver.tcp(), now, self.id);
            if poll.is_ready() {
                driver.end_limit(&mut limit);
                driver.after_call();
                return poll.map_err(io::Error::from);
            }
            let queue = direction.queue(self);
            if let Some(timeout) = side.timeout.get() {
                let timeout = driver.poll_task_timeout(&mut limit, timeout, context.waker());
                if let Poll::Ready(error) = timeout {
                    // The limit was that of the last to poll: for others who wait another begins.
                    driver.wake(queue);
                    return Poll::Ready(Err(error));
                }
            }
            driver.wait_task(queue, context.waker());
            Poll::Pending
        });
        side.task_limit.set(limit);
        poll
    }
}

impl<'a, F, T> Call<'a, F>
where
    F: FnMut(&mut Tcp, Instant, ConnectionId) -> Poll<Result<T, Error>> + Unpin,
{
    #[inline]
    pub(super) fn read(connection: &'a Connection, call: F) -> Self {
        Self::new(connection, Direction::Read, call)
    }

    #[inline]
    pub(super) fn write(connection: &'a Connection, call: F) -> Self {
        Self::new(connection, Direction::Write, call)
    }

    #[inline]
    fn new(connection: &'a Connection, direction: Direction, call: F) -> Self {
        Self {
            connection,
            direction,
            ticket: None,
            limit: Limit::default(),
            call,
        }
    }

    fn poll_driver(
        &mut self,
        driver: &mut Driver,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        driver.check()?;
        let now = driver.now();
        let poll = (self.call)(driver.tcp(), now, self.connection.id);
        if poll.is_ready() {
            self.leave(driver);
            // A window may have opened that the peer should hear of, or there is data to send.
            driver.after_call();
            return poll.map_err(io::Error::from);
        }
        driver.wait(
            self.direction.queue(self.connection),
            &mut self.ticket,
            context.waker(),
        );
        match self.direction.side(self.connection).timeout.get() {
            None => Poll::Pending,
            Some(timeout) => driver
                .poll_timeout(&mut self.limit, timeout, context.waker())
                .map(Err),
        }
    }
}

impl<F> Call<'_, F> {
    #[inline]
    fn leave(&mut self, driver: &mut Driver) {
        if self.ticket.is_some() {
            driver.leave(self.direction.queue(self.connection), &mut self.ticket);
            if self.limit.is_set() {
                driver.end_limit(&mut self.limit);
            }
        }
    }
}

impl<F, T> Future for Call<'_, F>
where
    F: FnMut(&mut Tcp, Instant, ConnectionId) -> Poll<Result<T, Error>> + Unpin,
{
    type Output = io::Result<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let this = &mut *self;
        let driver = &this.connection.driver;
        driver.with(|driver| this.poll_driver(driver, context))
    }
}

impl<F> Drop for Call<'_, F> {
    #[inline]
    fn drop(&mut self) {
        if self.ticket.is_some() {
            let driver = &self.connection.driver;
            driver.with(|driver| self.leave(driver));
        }
    }
}
