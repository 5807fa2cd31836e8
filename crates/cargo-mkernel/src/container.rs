//! The program `solo5-container`, which an image with a tender starts with: `solo5-container UNIKERNEL [[TENDER OPTIONS] --]
//! [GUEST ARGUMENTS]`.
//!
//! It hands the container's own network interface over to the unikernel, which gets its frames, its MAC address and its IPv4
//! address, and becomes the tender.

mod interface;
mod netlink;

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use hostdev::Tap;

use crate::run::{Arguments, Unikernel, beside_us};
use interface::{Interface, name_servers};
use netlink::Netlink;

/// The program's name.
pub const PROGRAM: &str = "solo5-container";

const USAGE: &str = "\
usage: solo5-container UNIKERNEL [[TENDER OPTIONS] --] [ARGUMENTS...]
A container of an image that `cargo mkernel image --tender` has made starts with it. Without --net: options, the unikernel gets
the container's network interface, with the device /dev/net/tun and the capability NET_ADMIN.
";

/// Becomes the tender; comes back only when that cannot be, which has then been printed.
#[must_use]
pub fn run(mut words: Vec<OsString>) -> ExitCode {
    let message = match words.first() {
        Some(first) if first == "--help" => {
            let _ = std::io::stdout().write_all(USAGE.as_bytes());
            return ExitCode::SUCCESS;
        }
        None => "expected the path of a unikernel (try solo5-container --help)".to_owned(),
        Some(_) => {
            let path = PathBuf::from(words.remove(0));
            let Err(message) = start(path, words);
            message
        }
    };
    // A closed stderr is nobody's loss.
    let _ = writeln!(std::io::stderr(), "{PROGRAM}: {message}");
    ExitCode::FAILURE
}

fn start(path: PathBuf, words: Vec<OsString>) -> Result<Infallible, String> {
    let unikernel = Unikernel::read(&path)?;
    let mut arguments = Arguments::split(words);
    attach_networks(&unikernel, &mut arguments)?;
    let name = unikernel.abi.tender();
    let tender = beside_us(name).ok_or_else(|| format!("no {name} beside {PROGRAM}"))?;
    let mut command = Command::new(&tender);
    command
        .args(arguments.options)
        .arg("--")
        .arg(path)
        .arg(arguments.line);
    Err(format!("cannot run {tender:?}: {}", command.exec()))
}

/// Gives the unikernel's network devices that no option attaches the container's interfaces, each in its order.
fn attach_networks(unikernel: &Unikernel, arguments: &mut Arguments) -> Result<(), String> {
    let attached = |name: &&String| {
        let option = format!("--net:{name}=");
        let mut options = arguments.options.iter();
        !options.any(|given| given.to_string_lossy().starts_with(&option))
    };
    let networks: Vec<&String> = unikernel.networks.iter().filter(attached).collect();
    if networks.is_empty() {
        return Ok(());
    }
    let interfaces = Interface::all()?;
    for (position, name) in networks.into_iter().enumerate() {
        let interface = interfaces.get(position).ok_or_else(|| {
            format!("the network device {name:?} has no interface here: expected one more than the {} there are, or --net:{name}=…", interfaces.len())
        })?;
        interface.check()?;
        let tap = hand_over(interface)?;
        arguments.options.push(format!("--net:{name}={tap}").into());
        arguments
            .options
            .push(format!("--net-mac:{name}={}", interface.mac).into());
        // The options have one name for all devices: they are the first one's.
        if position == 0 {
            arguments.tell(&addresses(interface, unikernel, arguments));
        }
    }
    Ok(())
}

/// What the unikernel is told of its network, as far as the arguments do not say it.
fn addresses(interface: &Interface, unikernel: &Unikernel, arguments: &Arguments) -> Vec<String> {
    if arguments.mention("--dhcp") {
        return Vec::new();
    }
    let mut told = Vec::new();
    if let Some(network) = &interface.network {
        told.push(("--ipv4", network.clone()));
    }
    if let Some(gateway) = interface.gateway {
        told.push(("--ipv4-gateway", gateway.to_string()));
    }
    // Not all programs that know these know the third, which is ours.
    if unikernel.ours {
        let servers = name_servers().into_iter();
        told.extend(servers.map(|server| ("--dns", server.to_string())));
    }
    let told = told
        .into_iter()
        .filter(|(name, _)| !arguments.mention(name));
    told.map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// Makes a TAP interface to which all frames of `interface` go, and whose frames go out there; its name.
fn hand_over(interface: &Interface) -> Result<String, String> {
    let explain = |error: &dyn std::fmt::Display| {
        format!(
            "cannot hand {} over to the unikernel: {error} (it takes /dev/net/tun and NET_ADMIN, as in `docker run --device \
             /dev/net/tun --cap-add NET_ADMIN`)",
            interface.name
        )
    };
    let name = format!("solo5-{}", interface.index);
    Tap::create(&name).map_err(|error| explain(&error))?;
    let join = || {
        let index = interface::index(&name)?;
        let mut netlink = Netlink::open()?;
        netlink.set_up(index, interface.mtu)?;
        netlink.redirect(interface.index, index)?;
        netlink.redirect(index, interface.index)
    };
    join().map_err(|error| explain(&error))?;
    Ok(name)
}
