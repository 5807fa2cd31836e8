//! A network namespace for each scenario.

use std::process::Command;

/// In the process that runs inside: the scenario's name.
const INSIDE: &str = "NETSTACK_TEST_SCENARIO";
/// There too, in the long form.
const LONG: &str = "NETSTACK_TEST_LONG";

/// The scenario that this process is to run, if it is inside a namespace, which is made ready for it.
pub(crate) fn inside() -> Option<String> {
    let scenario = std::env::var(INSIDE).ok()?;
    ip("link set lo up");
    bound_retransmission_timeout();
    Some(scenario)
}

/// Whether this process runs the long form of its scenario.
pub(crate) fn is_long() -> bool {
    std::env::var_os(LONG).is_some()
}

/// Runs this program inside namespaces of its own.
pub(crate) struct Namespaces {
    unshare: Vec<&'static str>,
    long: bool,
}

impl Namespaces {
    /// Finds out whether there can be any; scenarios have their long form, or the short one.
    pub(crate) fn new(long: bool) -> Result<Self, String> {
        std::fs::File::open("/dev/net/tun").map_err(|error| format!("/dev/net/tun: {error}"))?;
        let mut unshare = vec!["--net", "--pid", "--fork", "--kill-child"];
        let works = |arguments: &[&str]| {
            Command::new("unshare")
                .args(arguments)
                .arg("true")
                .output()
                .map_err(|error| format!("unshare: {error}"))
        };
        // As root these are enough; anyone else needs one for users too.
        if !works(&unshare)?.status.success() {
            unshare.extend(["--user", "--map-root-user"]);
            let output = works(&unshare)?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned());
            }
        }
        Ok(Self { unshare, long })
    }

    /// Runs a scenario in a fresh namespace: the kernel's side knows nothing of those before. True if
    /// it succeeds.
    pub(crate) fn run(&self, scenario: &str) -> Result<bool, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new("unshare");
        command.args(&self.unshare).arg("--").arg(program);
        command.env(INSIDE, scenario).env_remove(LONG);
        if self.long {
            command.env(LONG, "");
        }
        let status = command.status();
        Ok(status.map_err(|error| error.to_string())?.success())
    }
}

/// Has the kernel wait a second at most before it sends again, and open connections for as long as a scenario waits.
///
/// At 20 % loss it backs off to minutes now and then: when acknowledgements are lost, the next one
/// echoes the timestamp of data that arrived long before (RFC 7323 §4.3), and the kernel takes what
/// has passed since for the round-trip time. Linux before 6.15 has no such setting.
///
/// With it the usual six retransmissions of a SYN are over after seven seconds, also while the SYN waits for its
/// neighbour: of a question and its answer one is lost in a third of all cases, and the next is asked a second later.
fn bound_retransmission_timeout() {
    const SETTING: &str = "/proc/sys/net/ipv4/tcp_rto_max_ms";
    if std::path::Path::new(SETTING).exists() {
        std::fs::write(SETTING, "1000").expect("a setting of this namespace");
        // For both families.
        std::fs::write("/proc/sys/net/ipv4/tcp_syn_retries", "120")
            .expect("a setting of this namespace");
    }
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

/// Whether the kernel sends with BBR.
pub(crate) fn kernel_uses_bbr() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control")
        .is_ok_and(|name| name.trim() == "bbr")
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
        let interface = Self;
        interface.ask_often("ipv4");
        interface
    }

    /// Where a fifth is lost, three questions in a row are lost now and then, and connections refused for it.
    fn ask_often(&self, family: &str) {
        for questions in ["mcast_solicit", "ucast_solicit"] {
            let setting = format!("/proc/sys/net/{family}/neigh/{}/{questions}", Self::NAME);
            std::fs::write(setting, "20").expect("a setting of this namespace");
        }
    }

    /// Gives it an address of IPv6 too, which is used at once.
    pub(crate) fn add_ipv6(&self) {
        ip("addr add fd00::1/64 dev tap0 nodad");
        self.ask_often("ipv6");
    }
}

impl Drop for Interface {
    fn drop(&mut self) {
        // Also when tasks that never end still hold it.
        ip("link del tap0");
    }
}
