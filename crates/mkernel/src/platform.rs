//! What is below the threads of a program.

#[cfg(feature = "authorities")]
mod authorities;
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

    #[cfg(feature = "signals")]
    fn shutdown(&self) -> Option<std::pin::Pin<Box<dyn Future<Output = ()>>>> {
        Some(Box::pin(crate::shutdown()))
    }

    #[cfg(feature = "authorities")]
    fn authorities(&self) -> Option<Vec<u8>> {
        Some(authorities::pem())
    }
}

posix::platform!(Solo5);
posix::network!(network::start);
posix::storage!(storage::start);
