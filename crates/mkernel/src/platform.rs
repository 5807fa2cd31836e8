//! What is below the threads of a program.

mod network;
mod storage;

use std::rc::Rc;

use miou_rs::EventSource;

use crate::source;

struct Solo5;

impl posix::Platform for Solo5 {
    fn event_source(&self) -> Rc<dyn EventSource> {
        source::source()
    }
}

posix::platform!(Solo5);
posix::network!(network::start);
posix::storage!(storage::start);
