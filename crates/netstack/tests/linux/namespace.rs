//! A network namespace for this process alone.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Set in the process that runs inside.
const INSIDE: &str = "NETSTACK_TEST_NAMESPACE";

/// Goes on inside a namespace: this process is replaced by one that is there.
pub(crate) fn enter() -> Result<(), String> {
    if std::env::var_os(INSIDE).is_some() {
        ip("link set lo up");
        return Ok(());
    }
    std::fs::File::open("/dev/net/tun").map_err(|error| format!("/dev/net/tun: {error}"))?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("unshare");
    // As root the namespace alone is enough; anyone else needs one for users too.
    if Command::new("unshare")
        .args(["--net", "true"])
        .output()
        .is_ok_and(|o| !o.status.success())
    {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--net", "--pid", "--fork", "--kill-child", "--"])
        .arg(program);
    let error = command
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    Err(format!("unshare: {error}"))
}

/// Runs `ip`, which must succeed.
pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output();
    let output = output.unwrap_or_else(|error| panic!("ip: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {errors}");
}

/// A counter of the kernel's TCP in this namespace, as `/proc/net/snmp` names it.
pub(crate) fn kernel_tcp(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/net/snmp").expect("the kernel's counters");
    let mut rows = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (rows.next().expect("names"), rows.next().expect("values"));
    let mut pairs = names.split(' ').zip(values.split(' '));
    let value = pairs.find_map(|(key, value)| (key == name).then_some(value));
    value.expect("its name").parse().expect("a number")
}

/// A TAP interface with the address 10.0.0.1/24 on the kernel's side, until it is dropped.
pub(crate) struct Interface;

impl Interface {
    pub(crate) const NAME: &str = "tap0";

    pub(crate) fn new(mtu: usize) -> Self {
        ip("tuntap add dev tap0 mode tap");
        // The kernel's windows fit its queue: a fair link loses nothing.
        ip(&format!("link set tap0 mtu {mtu} txqueuelen 10000 up"));
        ip("addr add 10.0.0.1/24 dev tap0");
        Self
    }
}

impl Drop for Interface {
    fn drop(&mut self) {
        // Also when tasks that never end still hold it.
        ip("link del tap0");
    }
}
