//! A unikernel under attack, and the honest clients that watch over it.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use hostdev::Tap;
use nix::unistd::dup;
use system_tests::attacks::{Strangers, port};
use system_tests::frames::Link;
use system_tests::honest::Visits;
use system_tests::{Guest, Network, Running, Target};

/// What a test is given.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) mebibytes: usize,
    pub(crate) from: Strangers,
}

impl Setting {
    /// The number for this much memory, out of those for 8, 16, 64 and 512 MiB.
    pub(crate) fn of(&self, numbers: [usize; 4]) -> usize {
        match self.mebibytes {
            8 => numbers[0],
            16 => numbers[1],
            64 => numbers[2],
            512 => numbers[3],
            other => panic!("no number for {other} MiB"),
        }
    }

    /// `short`, and ten times that in the long form.
    pub(crate) fn time(short: Duration) -> Duration {
        if cfg!(feature = "long") {
            short * 10
        } else {
            short
        }
    }
}

pub(crate) struct Field {
    pub(crate) guest: Running,
    pub(crate) link: Link,
    /// Whom honest clients visit.
    pub(crate) echo: SocketAddr,
}

/// Clients that come one after the other when the attack is over.
pub(crate) const AFTERWARDS: usize = 18;

impl Field {
    /// Boots `inetd` in a network of its own.
    pub(crate) fn with(setting: Setting, test: impl FnOnce(&mut Field) + Send) {
        Self::on(setting, |_| "tap0".into(), test);
    }

    /// The same with an interface that the tender inherits, and so one without offload.
    pub(crate) fn without_offload(setting: Setting, test: impl FnOnce(&mut Field) + Send) {
        let inherit = |inherited: &mut Option<OwnedFd>| {
            let tap = Tap::open("tap0").expect("an interface that nobody else has open");
            // A copy stays open in programs that this process starts.
            let copy = inherited.insert(dup(&tap).expect("a copy of a descriptor"));
            format!("@{}", copy.as_raw_fd())
        };
        Self::on(setting, inherit, test);
    }

    fn on(
        setting: Setting,
        interface: impl FnOnce(&mut Option<OwnedFd>) -> String + Send,
        test: impl FnOnce(&mut Field) + Send,
    ) {
        let guest = Guest::build_release("inetd", Target::Spt);
        Self::boot(guest, &[], setting, interface, test);
    }

    /// Boots a guest with the services of `inetd`, and these arguments behind the addresses.
    pub(crate) fn boot(
        guest: Guest,
        arguments: &[&str],
        setting: Setting,
        interface: impl FnOnce(&mut Option<OwnedFd>) -> String + Send,
        test: impl FnOnce(&mut Field) + Send,
    ) {
        let guest = guest
            .option(format!("--mem={}", setting.mebibytes))
            .option("--net-mac:service=02:00:00:00:00:02")
            .argument("--ipv4=10.0.0.2/24")
            .argument("--ipv4-gateway=10.0.0.1")
            .argument("--ipv6=fd00::2/64")
            .argument("--ipv6-gateway=fd00::1")
            .limit(Duration::from_secs(900));
        let guest = arguments.iter().fold(guest, |guest, it| guest.argument(it));
        Network::with(|network| {
            network.add_tap("tap0", "10.0.0.1/24");
            network.add_ipv6("tap0", "fd00::1/64");
            let mut inherited = None;
            let interface = interface(&mut inherited);
            let guest = guest.option(format!("--net:service={interface}"));
            let mut guest = guest.start();
            drop(inherited);
            let echo = setting.from.service(port::ECHO);
            drop(guest.connect(echo, Duration::from_secs(30)));
            let link = Link::open("tap0", [2, 0, 0, 0, 0, 2]);
            test(&mut Field { guest, link, echo });
        });
    }

    /// Has the unikernel attacked, with honest clients coming one after the other all the while and afterwards.
    #[track_caller]
    pub(crate) fn attack<T>(&mut self, attack: impl FnOnce(&mut Link) -> T) -> T {
        let (result, during) = self.attack_beside(attack);
        self.assert_served("during the attack", &during);
        let afterwards = Visits::pay(self.echo, AFTERWARDS);
        self.assert_served("afterwards", &afterwards);
        result
    }

    /// Has the unikernel attacked, with honest clients beside that: what became of these.
    pub(crate) fn attack_beside<T>(&mut self, attack: impl FnOnce(&mut Link) -> T) -> (T, Visits) {
        let (cpu, frames) = (self.guest.processor_time(), self.link.sent());
        let pause = Duration::from_millis(50);
        let outcome = Visits::during(self.echo, pause, || attack(&mut self.link));
        println!(
            "{} frames, {:.1} s of the tender's CPU, {:.1} MB resident",
            self.link.sent() - frames,
            (self.guest.processor_time() - cpu).as_secs_f64(),
            self.guest.resident_memory() as f64 / 1e6
        );
        outcome
    }

    #[track_caller]
    pub(crate) fn assert_served(&mut self, when: &str, visits: &Visits) {
        println!(
            "{} clients served {when}, {:.1} ms at most; {} not",
            visits.count(),
            visits.longest().as_secs_f64() * 1e3,
            visits.failures().len(),
        );
        self.assert_lives();
        let failures = visits.failures();
        assert!(failures.is_empty(), "{when}: {failures:?}");
    }

    #[track_caller]
    pub(crate) fn assert_lives(&mut self) {
        let has_ended = self.guest.has_ended();
        assert!(
            !has_ended,
            "the unikernel has ended: {}",
            self.guest.outcome()
        );
    }
}
