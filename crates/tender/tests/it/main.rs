//! The two binaries, run on guests that are assembled here byte by byte.
//!
//! - `albatross`: what the orchestrator of that name asks of a tender
//! - `command_line`: help, version, options, and what is said about bad ones
//! - `bad_input`: executables, devices and memory sizes that must be refused, each with its message
//! - `mutants`: executables damaged by the thousand, from a seed, in each tender's loader
//! - `confined`: what a running guest's process has left, as the host sees it
//! - `confinement`: what a hostile guest of solo5-spt finds of its host
//! - `shutdown`: what SIGTERM and SIGINT do
//! - `spt`: guests under solo5-spt, honest and hostile
//! - `storage`: what a guest of solo5-spt may do with a disk that it asks for more than Solo5's own interface has
//! - `hostile`: a guest of solo5-spt that owns its process tries what a process can do
//! - `hvt`: guests under solo5-hvt, honest and hostile (in an emulated machine where there is no KVM)
//! - `support`: the assembler, the ELF writer, and running things

mod albatross;
mod bad_input;
mod command_line;
mod confined;
mod confinement;
mod hostile;
mod hvt;
mod mutants;
mod shutdown;
mod spt;
mod storage;
mod support;
