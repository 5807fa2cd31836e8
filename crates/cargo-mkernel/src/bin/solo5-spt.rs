//! `solo5-spt`: runs a Solo5 unikernel as a process behind a seccomp filter.

use std::process::ExitCode;

fn main() -> ExitCode {
    tender::run(tender::Tender::Spt)
}
