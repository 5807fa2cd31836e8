//! Panics, as lines of the log.

use std::panic::{self, PanicHookInfo};

use miou_rs::TaskInfo;

use super::line::Line;

/// Has each panic written as one line, whatever the filter, that names the task and where it was spawned.
pub(super) fn install() {
    panic::set_hook(Box::new(|info| {
        super::print(line(info, &miou_rs::running_tasks()))
    }));
}

/// What there is to say of a panic in `tasks`, of which there are several where one drops another's future.
pub(super) fn line(info: &PanicHookInfo<'_>, tasks: &[TaskInfo]) -> Line {
    let mut line = Line::new("ERROR", "panic");
    for task in tasks {
        match &task.name {
            Some(name) => line.push(format_args!("task {name:?}, ")),
            None => line.push(format_args!("a task ")),
        }
        line.push(format_args!("spawned at {}, ", task.location));
    }
    match info.location() {
        Some(location) => line.push(format_args!("panicked at {location}: ")),
        None => line.push(format_args!("panicked: ")),
    }
    match info.payload_as_str() {
        Some(message) => line.push(format_args!("{message}")),
        None => line.push(format_args!("a value that is no text")),
    }
    line
}
