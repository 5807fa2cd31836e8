//! `solo5-hvt`: runs a Solo5 unikernel in a virtual machine under KVM.

use std::process::ExitCode;

fn main() -> ExitCode {
    tender::run(tender::Tender::Hvt)
}
