//! The cases, by name.

mod absent;
mod c_library;
mod collections;
mod ends;
mod memory;
mod runtime;

use std::process::ExitCode;

/// Cases that return if std behaves, and panic otherwise.
pub(crate) const RETURNS: [(&str, fn()); 20] = [
    ("hash_map", collections::hash_map),
    ("b_tree_map", collections::b_tree_map),
    ("formatting", collections::formatting),
    ("floating_point", collections::floating_point),
    ("thread_local", runtime::thread_local),
    ("instant", runtime::instant),
    ("system_time", runtime::system_time),
    ("environment", runtime::environment),
    ("catch_unwind", runtime::catch_unwind),
    ("backtrace", runtime::backtrace),
    ("locks_with_timeouts", runtime::locks_with_timeouts),
    ("large_allocations", memory::large_allocations),
    ("too_large_allocations", memory::too_large_allocations),
    ("mappings", memory::mappings),
    ("what_solo5_lacks", absent::what_solo5_lacks),
    ("loader", c_library::loader),
    ("usage", c_library::usage),
    (
        "semaphore_with_deadline",
        c_library::semaphore_with_deadline,
    ),
    ("remapping", c_library::remapping),
    ("streams", c_library::streams),
];

/// What is run with the arguments that follow the case's name.
type End = fn(&[String]) -> ExitCode;

/// Cases that print something, or end the program in another way than by returning success.
pub(crate) const ENDS: [(&str, End); 9] = [
    ("arguments", ends::arguments),
    ("return", ends::return_status),
    ("exit", ends::exit_status),
    ("abort", ends::abort),
    ("panic", ends::panic),
    ("stack_overflow", ends::stack_overflow),
    ("out_of_memory", ends::out_of_memory),
    ("deadlock", ends::deadlock),
    ("fortified", c_library::fortified),
];
