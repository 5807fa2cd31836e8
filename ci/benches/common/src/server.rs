//! Servers, on the processor that they have for themselves.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::network::{self, Namespace};
use crate::{Process, SERVER_CPU, Start};

/// The command of a unikernel on the TAP interface `link`, to which its own arguments may be added.
pub fn unikernel(tender: &Path, program: &Path, link: &str, address: Ipv4Addr) -> Command {
    let mut command = Command::new(tender);
    command
        .arg("--mem=512")
        .arg(format!("--net:service={link}"))
        .arg("--")
        .arg(program)
        .args(["--solo5:quiet", &format!("--ipv4={address}/24")])
        .stdout(Stdio::null());
    command
}

/// Starts a server in a namespace, or in ours.
///
/// # Errors
///
/// As [`Start::process`].
pub fn start(namespace: Option<&Namespace>, command: &mut Command) -> Result<Process> {
    let start = Start {
        cpu: SERVER_CPU,
        namespace,
    };
    start.process(command)
}

/// Starts a server in a namespace of its own, joined to ours by a veth pair.
///
/// # Errors
///
/// As [`network::add_veth`], and [`Start::process`].
pub fn behind_veth(link: &str, number: u8, mtu: usize, command: &mut Command) -> Result<Process> {
    let namespace = Namespace::new()?;
    network::add_veth(link, number, mtu, &namespace)?;
    start(Some(&namespace), command)
}
