//! What is attached to the devices that nobody has attached anything to.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use hostdev::{Tap, TapError};

use super::{Arguments, Unikernel, on_path, say};

/// Adds an option for each network device that has none: a TAP interface of the device's name if there is one that may be used,
/// otherwise a network without privilege.
///
/// # Errors
///
/// When something cannot be attached, with what to type.
pub(super) fn complete(unikernel: &Unikernel, arguments: &mut Arguments) -> Result<(), String> {
    let mut missing = Vec::new();
    for name in &unikernel.networks {
        if is_attached(&arguments.options, "--net:", name) {
            continue;
        }
        let tap = Tap::open(name);
        let unusable = tap.as_ref().err().filter(|error| is_there(error));
        if tap.is_ok() {
            let words = place(name).unwrap_or_default();
            say(format_args!(
                "{name}: the TAP interface {name}, which is there, with {} (--net:{name}=user for a network behind this host)",
                match words.is_empty() {
                    true => "whatever address the unikernel finds".to_owned(),
                    false => words.join(" "),
                }
            ));
            arguments
                .options
                .push(format!("--net:{name}={name}").into());
            // In front of the program's own, which so have the last word.
            arguments.tell(&words);
        } else if on_path("passt").is_some() {
            say(format_args!(
                "{name}: a network behind this host, by passt: {} (--net:{name}=TAP for another)",
                match unusable {
                    Some(error) => error.to_string(),
                    None => format!("there is no TAP interface {name} to use"),
                }
            ));
            arguments.options.push(format!("--net:{name}=user").into());
        } else if let Some(error) = unusable {
            missing.push(format!(
                "nothing to attach to network device {name}: {error}; or install passt (on Debian: sudo apt-get install passt)"
            ));
        } else {
            missing.push(format!(
                "nothing to attach to network device {name}: install passt (on Debian: sudo apt-get install passt), or make an \
                 interface: {}",
                make_tap(name)
            ));
        }
    }
    for name in &unikernel.blocks {
        if !is_attached(&arguments.options, "--block:", name) {
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

/// Whether there is an interface, which cannot be attached.
fn is_there(error: &TapError) -> bool {
    matches!(error, TapError::Down(_) | TapError::Attach { .. })
}

/// Whether an option attaches something to the device.
fn is_attached(options: &[OsString], kind: &str, name: &str) -> bool {
    let start = format!("{kind}{name}=");
    options
        .iter()
        .any(|option| option.as_bytes().starts_with(start.as_bytes()))
}

/// Options that tell the guest of its place in the interface's network: the address behind the host's own, which is its router.
/// None if the host has no address there.
fn place(interface: &str) -> Option<Vec<String>> {
    let output = Command::new("ip")
        .args(["-4", "-o", "address", "show", "dev", interface])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.split_whitespace().skip_while(|word| *word != "inet");
    let (host, prefix) = words.nth(1)?.split_once('/')?;
    let (host, prefix): (Ipv4Addr, u32) = (host.parse().ok()?, prefix.parse().ok()?);
    let others = u32::MAX.checked_shr(prefix)?;
    let number = host.to_bits() & others;
    // Neither the network's own number nor that of all in it.
    let guest = match number + 1 < others {
        true => host.to_bits() + 1,
        false if number > 1 => host.to_bits() - 1,
        false => return None,
    };
    let guest = Ipv4Addr::from_bits(guest);
    Some(vec![
        format!("--ipv4={guest}/{prefix}"),
        format!("--ipv4-gateway={host}"),
    ])
}

/// How an interface is made that this user may use.
fn make_tap(name: &str) -> String {
    format!(
        "sudo ip tuntap add dev {name} mode tap user \"$USER\" && sudo ip address add 10.0.0.1/24 dev {name} && \
         sudo ip link set {name} up"
    )
}
