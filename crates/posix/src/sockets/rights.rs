//! Descriptors that are on their way from one Unix socket to another (`SCM_RIGHTS`): what they stand for stays open until
//! somebody has them, or the socket that they were sent to is closed.
//!
//! Unix sockets are not sent: two that were on their way to each other would hold each other for ever, which Linux has a
//! collector for.

use core::cell::Cell;
use core::mem;
use std::rc::Rc;

use libc::{AF_UNIX, EINVAL, ENOMEM, EOPNOTSUPP, ETOOMANYREFS};

use crate::descriptors::open::Open;
use crate::descriptors::table::LIMIT;
use crate::error::{Result, fail};

/// In one message, at most: Linux' `SCM_MAX_FD`.
const MOST: usize = 253;

global! {
    static ON_THEIR_WAY: Cell<usize> = Cell::new(0);
}

/// Those of one message. All messages together have no more of them than there may be descriptors.
#[derive(Default)]
pub(crate) struct Rights(Vec<Rc<Open>>);

impl Rights {
    /// # Errors
    ///
    /// `EINVAL` and `ETOOMANYREFS` if there are as many as may be, of this message and of all; `EOPNOTSUPP` if it is a Unix
    /// socket; `ENOMEM`.
    pub(crate) fn push(&mut self, open: Rc<Open>) -> Result<()> {
        let socket = open.description().as_socket();
        if socket.is_ok_and(|socket| socket.sort().0 == AF_UNIX) {
            return fail(EOPNOTSUPP);
        }
        if self.0.len() >= MOST {
            return fail(EINVAL);
        }
        self.0.try_reserve(1).or(fail(ENOMEM))?;
        ON_THEIR_WAY.with(|count| match count.get() {
            LIMIT.. => fail(ETOOMANYREFS),
            number => {
                count.set(number + 1);
                Ok(())
            }
        })?;
        self.0.push(open);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is received for the first time, or looked at.
    pub(crate) fn take(&mut self, peek: bool) -> Self {
        if !peek {
            return mem::take(self);
        }
        ON_THEIR_WAY.with(|count| count.set(count.get() + self.0.len()));
        Self(self.0.clone())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rc<Open>> {
        self.0.iter()
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        ON_THEIR_WAY.with(|count| count.set(count.get() - self.0.len()));
    }
}
