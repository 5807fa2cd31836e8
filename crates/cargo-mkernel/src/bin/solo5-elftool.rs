//! `solo5-elftool`: makes application manifests, and reads them and the ABI out of unikernels.

use std::process::ExitCode;

fn main() -> ExitCode {
    manifest_gen::elftool::run()
}
