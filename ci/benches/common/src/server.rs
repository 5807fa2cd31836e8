//! Servers, on the processor that they have for themselves.

use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::network::{self, Namespace};
use crate::{Process, SERVER_CPU, Start};

/// Where servers run, unless their stack is a namespace's.
pub const SERVER: Start<'static> = Start {
    cpu: SERVER_CPU,
    namespace: None,
};

/// The command of a unikernel on the TAP interface `link`, to which its own arguments may be added.
pub fn unikernel(tender: &Path, program: &Path, link: &str, address: impl Into<IpAddr>) -> Command {
    let address = match address.into() {
        IpAddr::V4(address) => format!("--ipv4={address}/24"),
        IpAddr::V6(address) => format!("--ipv6={address}/64"),
    };
    let mut command = Command::new(tender);
    command
        .arg("--mem=512")
        .arg(format!("--net:service={link}"))
        .arg("--")
        .arg(program)
        .args(["--solo5:quiet", &address])
        .stdout(Stdio::null());
    command
}

/// Starts a server in a namespace of its own, joined to ours by a veth pair.
///
/// # Errors
///
/// As [`network::add_veth`], and [`Start::process`].
pub fn behind_veth(link: &str, number: u8, mtu: usize, command: &mut Command) -> Result<Process> {
    let namespace = Namespace::new()?;
    network::add_veth(link, number, mtu, &namespace)?;
    let namespace = Some(&namespace);
    Start {
        namespace,
        ..SERVER
    }
    .process(command)
}
