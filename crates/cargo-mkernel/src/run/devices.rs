//! What is attached to the devices that nobody has attached anything to.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Unikernel, on_path, say};

/// Adds an option for each network device that has none: a TAP interface of the device's name if there is one that may be used,
/// otherwise a network without privilege.
///
/// # Errors
///
/// When something cannot be attached, with what to type.
pub(super) fn complete(unikernel: &Unikernel, options: &mut Vec<OsString>) -> Result<(), String> {
    let mut missing = Vec::new();
    for name in &unikernel.networks {
        if is_attached(options, "--net:", name) {
            continue;
        }
        if is_usable_tap(name) {
            say(format_args!(
                "{name}: the TAP interface {name} (--net:{name}=user for a network behind this host)"
            ));
            options.push(format!("--net:{name}={name}").into());
        } else if on_path("passt").is_some() {
            say(format_args!(
                "{name}: a network behind this host, by passt: there is no TAP interface {name} to use (--net:{name}=TAP for \
                 another)"
            ));
            options.push(format!("--net:{name}=user").into());
        } else {
            missing.push(format!(
                "nothing to attach to network device {name}: install passt (on Debian: sudo apt-get install passt), or make an \
                 interface: {}",
                make_tap(name)
            ));
        }
    }
    for name in &unikernel.blocks {
        if !is_attached(options, "--block:", name) {
            missing.push(format!(
                "nothing to attach to block device {name}: truncate -s 64M {name}.img, and add --block:{name}={name}.img behind \
                 cargo's `--`"
            ));
        }
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(missing.join("\nsolo5-run: ")),
    }
}

/// Whether an option attaches something to the device.
fn is_attached(options: &[OsString], kind: &str, name: &str) -> bool {
    let start = format!("{kind}{name}=");
    options
        .iter()
        .any(|option| option.as_bytes().starts_with(start.as_bytes()))
}

/// Whether this process may attach to an interface of this name: it is a TAP, and this user's.
fn is_usable_tap(name: &str) -> bool {
    let folder = Path::new("/sys/class/net").join(name);
    let number = |file: &str| {
        let text = fs::read_to_string(folder.join(file)).ok()?;
        text.trim().parse::<i64>().ok()
    };
    let device = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    folder.join("tun_flags").exists()
        && device.is_ok()
        && fs::metadata("/proc/self").is_ok_and(|own| {
            let own = std::os::unix::fs::MetadataExt::uid(&own);
            own == 0 || number("owner") == Some(i64::from(own))
        })
}

/// How an interface is made that this user may use.
fn make_tap(name: &str) -> String {
    format!(
        "sudo ip tuntap add dev {name} mode tap user \"$USER\" && sudo ip address add 10.0.0.1/24 dev {name} && \
         sudo ip link set {name} up"
    )
}
