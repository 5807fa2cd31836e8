//! What this machine has for unikernels.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

/// Whether a virtual machine can run; otherwise why not.
///
/// # Errors
///
/// The reason.
pub fn kvm() -> Result<(), String> {
    const DEVICE: &str = "/dev/kvm";
    match OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(format!("there is no {DEVICE}"));
        }
        Err(error) => return Err(format!("{DEVICE} cannot be opened: {error}")),
    }
    tender::hvt::probe().map_err(|error| error.to_string())
}

/// Whether interfaces can be attached: `/dev/net/tun` is there and open to this user.
///
/// # Errors
///
/// The reason.
pub fn tun() -> Result<(), String> {
    const DEVICE: &str = "/dev/net/tun";
    match OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(format!("there is no {DEVICE}")),
        Err(error) => Err(format!("{DEVICE} cannot be opened: {error}")),
    }
}

/// Whether a program with these arguments succeeds; otherwise why not.
///
/// # Errors
///
/// The reason.
pub fn works(program: &str, arguments: &[&str]) -> Result<(), String> {
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} does not work: {status}")),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(format!("no {program} on PATH")),
        Err(error) => Err(format!("{program} cannot be run: {error}")),
    }
}
