//! The threads that flush images while the guest goes on, one for each.

use std::io;
use std::thread;

use hostdev::BlockImage;
use seccompiler::{BpfProgram, apply_filter};

use super::fault::{Fault, exit};
use super::seccomp::flush_filter;
use super::{HvtError, Machine};
use crate::Tender;
use crate::flush::{Background, FAILED, SUCCEEDED};
use crate::polling::{add_count, read_count};

/// Starts them, each behind a filter of its own.
pub(super) fn start(machine: &'static Machine) -> Result<(), HvtError> {
    for device in &machine.devices.block {
        let Some(background) = &device.background else {
            continue;
        };
        let image = &device.image;
        let filter = flush_filter(image, background).map_err(HvtError::Filter)?;
        let thread = thread::Builder::new().name("flush".to_owned());
        let flush = move || flush(&filter, image, background);
        drop(thread.spawn(flush).map_err(HvtError::FlushThread)?);
    }
    Ok(())
}

fn flush(filter: &BpfProgram, image: &BlockImage, background: &Background) -> ! {
    if let Err(error) = apply_filter(filter) {
        Tender::Hvt.notice(&HvtError::Install(error).to_string());
        exit(1);
    }
    loop {
        let told = read_count(&background.begin).and_then(|_| {
            let outcome = image.flush().map_or(FAILED, |()| SUCCEEDED);
            add_count(&background.end, outcome)
        });
        if let Err(error) = told {
            failed(&error).die();
        }
    }
}

fn failed(error: &io::Error) -> Fault {
    Fault::Io {
        what: "wait for what is to be flushed",
        errno: error.raw_os_error().unwrap_or(0),
    }
}
