//! What `hyper` asks of a runtime.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

pub use real::hyper::Timer;

use crate::{Care, Orphans};

/// As miou-rs's.
#[derive(Clone, Default)]
pub struct Executor {
    tasks: Rc<RefCell<Orphans<()>>>,
}

impl Executor {
    /// How many tasks go on.
    pub fn len(&self) -> usize {
        let mut tasks = self.tasks.borrow_mut();
        while let Care::Finished(_) = tasks.care() {}
        tasks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<F: Future + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, future: F) {
        let mut tasks = self.tasks.borrow_mut();
        while let Care::Finished(_) = tasks.care() {}
        tasks.spawn(async move { drop(future.await) });
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").finish_non_exhaustive()
    }
}
