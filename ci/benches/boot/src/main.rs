//! `ci/bench boot`: how long it takes from starting a tender until a unikernel answers, and what it takes up, beside
//! a static program and nginx in a network namespace, and a Linux guest where there is KVM.
//!
//! `boot-bench [--rounds N] [--case PART]... [--subject NAME]... [--json FILE] [--emulate]`
//!
//! - `boot-SERVICE`: the network (a TAP interface, or a namespace with a veth pair) is there before; `boot-SERVICE-new`:
//!   it is made within the time. `arp_us`, `syn_ack_us` and `answer_us` say how long it took until the first answer of
//!   each kind: see `probe`. `boot-hello`: to the first output, and to the end of the process.
//! - `size-SERVICE`: octets of the file; `size-tender`.
//! - `resident-SERVICE-idle`, `-512`: resident octets of the process. What Linux holds for a process's connections is
//!   in the kernel, outside of this figure.
//! - `least-mem-SERVICE-N`: the least memory with which so many connections are held.

mod linux_guest;
mod memory;
mod netlink;
mod probe;
mod subjects;

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench_common::{
    CLIENT_CPU, Options, Ratio, Report, SERVER_CPU, Start, build::repository, network,
};

use crate::memory::ENOUGH;
use crate::subjects::{Networks, Programs, Service, Subject, link, octets, size, start};

const ROUNDS: usize = 20;
/// Of what hardly varies.
const MEMORY_ROUNDS: usize = 3;
/// Services that serve somebody.
const SERVED: [Service; 2] = [Service::Echo, Service::Http];
/// Connections with which the least memory is looked for.
const LEAST_FOR: [usize; 3] = [1, 64, 512];

fn main() -> Result<()> {
    let options = Options::parse(ROUNDS, 0, &["--emulate"])?;
    let names = Subject::ALL.map(Subject::name);
    options.check_subjects(&names)?;
    if options.switches.iter().any(|switch| switch == "--emulate") {
        return emulate();
    }
    let subjects = present(&options);
    let programs = Programs::prepare(&subjects, &services(&options))?;
    network::enter_namespace()?;
    network::open_at_any_rate()?;
    let mut report = Report::default();
    // The probe never sleeps; what it asks has the other CPU.
    let here = Start {
        cpu: CLIENT_CPU,
        namespace: None,
    };
    here.place(|| {
        boots(&mut report, &programs, &subjects, &options)?;
        sizes(&mut report, &programs, &subjects, &options)?;
        residents(&mut report, &programs, &subjects, &options)?;
        least_memories(&mut report, &programs, &options)
    })?;
    println!(
        "probe on CPU {CLIENT_CPU}, server on CPU {SERVER_CPU}; {} interleaved rounds; medians",
        options.rounds
    );
    let ratios = [
        Ratio {
            title: "/ static",
            to: &names[2..3],
        },
        Ratio {
            title: "/ nginx",
            to: &names[3..4],
        },
    ];
    report.print_table(&names, &ratios);
    let file = repository().join("target/bench/boot.json");
    report.save(options.json.as_ref().unwrap_or(&file))
}

/// The services that a wanted case is about.
fn services(options: &Options) -> Vec<Service> {
    let mut services = Service::ALL.to_vec();
    services.retain(|service| {
        let name = service.name();
        let kinds = [
            "boot-NAME-new",
            "size-NAME",
            "resident-NAME-idle",
            "resident-NAME-512",
        ];
        let least = LEAST_FOR.map(|count| format!("least-mem-{name}-{count}"));
        let cases = kinds.map(|kind| kind.replace("NAME", name));
        cases.iter().chain(&least).any(|case| options.wants(case))
    });
    services
}

/// The subjects that are wanted and can be had.
fn present(options: &Options) -> Vec<Subject> {
    let nginx = Command::new("nginx")
        .arg("-v")
        .stderr(Stdio::null())
        .status();
    let has_nginx = nginx.is_ok_and(|status| status.success());
    let obstacle = linux_guest::obstacle();
    let is_here = |subject: &Subject| {
        let absent = match subject {
            Subject::Nginx if !has_nginx => Some("apt-get install nginx"),
            subject if subject.needs_kvm() => obstacle,
            _ => None,
        };
        if let Some(absent) = absent {
            eprintln!("{}: skipped: {absent}", subject.name());
        }
        absent.is_none()
    };
    let wanted = Subject::ALL
        .into_iter()
        .filter(|subject| options.wants_subject(subject.name()));
    wanted.filter(is_here).collect()
}

fn boots(
    report: &mut Report,
    programs: &Programs,
    subjects: &[Subject],
    options: &Options,
) -> Result<()> {
    for service in Service::ALL {
        for (networks, suffix) in [(Networks::There, ""), (Networks::MadeAnew, "-new")] {
            let case = format!("boot-{}{suffix}", service.name());
            let pointless = service == Service::Hello && networks == Networks::MadeAnew;
            if !options.wants(&case) || pointless {
                continue;
            }
            for round in 0..options.rounds {
                for turn in 0..subjects.len() {
                    let subject = subjects[(round + turn) % subjects.len()];
                    if subject.has(service)
                        && let Err(error) =
                            boot(report, &case, programs, subject, service, networks)
                    {
                        // The others go on.
                        eprintln!("{case} of {}: {error:#}", subject.name());
                    }
                }
            }
            eprintln!("{case}: done");
        }
    }
    Ok(())
}

fn boot(
    report: &mut Report,
    case: &str,
    programs: &Programs,
    subject: Subject,
    service: Service,
    networks: Networks,
) -> Result<()> {
    let mut add = |metric, time: Duration| {
        report.add(case, subject.name(), metric, time.as_nanos() as f64 / 1e3);
    };
    let Some(question) = service.question() else {
        let (output, end) = output(programs, subject)?;
        add("output_us", output);
        add("end_us", end);
        return Ok(());
    };
    let booting = start(programs, subject, service, networks, ENOUGH)?;
    let times = probe::ask(
        &link(subject as u8),
        subject as u8,
        booting.started,
        question,
    )?;
    add("arp_us", times.arp);
    add("syn_ack_us", times.syn_ack);
    add("answer_us", times.answer);
    Ok(())
}

/// How long `hello` takes to its first output, and to its end.
fn output(programs: &Programs, subject: Subject) -> Result<(Duration, Duration)> {
    let mut command = programs.command(subject, Service::Hello, subject as u8, ENOUGH)?;
    command.stdout(Stdio::piped());
    let place = Start {
        cpu: SERVER_CPU,
        namespace: None,
    };
    let mut process = place.process(&mut command)?;
    let mut text = [0; 64];
    let pipe = process.child().stdout.take();
    let length = pipe.context("standard output")?.read(&mut text)?;
    let output = process.started().elapsed();
    let status = process.child().wait()?;
    let end = process.started().elapsed();
    ensure!(
        status.success() && text[..length].starts_with(b"Hello"),
        "{status}, printed {:?}",
        String::from_utf8_lossy(&text[..length])
    );
    Ok((output, end))
}

fn sizes(
    report: &mut Report,
    programs: &Programs,
    subjects: &[Subject],
    options: &Options,
) -> Result<()> {
    for service in Service::ALL {
        let case = format!("size-{}", service.name());
        let having = subjects.iter().filter(|subject| subject.has(service));
        for subject in having.filter(|_| options.wants(&case)) {
            let octets = size(programs, *subject, service)?;
            report.add(&case, subject.name(), "bytes", octets as f64);
        }
    }
    if options.wants("size-tender") {
        let octets = octets(&programs.tender)?;
        report.add(
            "size-tender",
            Subject::Mkernel.name(),
            "bytes",
            octets as f64,
        );
    }
    Ok(())
}

fn residents(
    report: &mut Report,
    programs: &Programs,
    subjects: &[Subject],
    options: &Options,
) -> Result<()> {
    for service in SERVED {
        let case = format!("resident-{}", service.name());
        let connected = format!("{case}-{}", memory::CONNECTIONS);
        if !options.wants(&connected) && !options.wants(&format!("{case}-idle")) {
            continue;
        }
        for _ in 0..options.rounds.min(MEMORY_ROUNDS) {
            for subject in subjects.iter().filter(|subject| subject.has(service)) {
                let (idle, busy) = match memory::resident(programs, *subject, service) {
                    Ok(octets) => octets,
                    // The others go on.
                    Err(error) => {
                        eprintln!("{case} of {}: {error:#}", subject.name());
                        continue;
                    }
                };
                report.add(
                    &format!("{case}-idle"),
                    subject.name(),
                    "bytes",
                    idle as f64,
                );
                report.add(&connected, subject.name(), "bytes", busy as f64);
            }
        }
    }
    Ok(())
}

fn least_memories(report: &mut Report, programs: &Programs, options: &Options) -> Result<()> {
    for service in Service::ALL {
        let counts = match service {
            Service::Hello => &[0][..],
            _ => &LEAST_FOR,
        };
        for connections in counts {
            let case = format!("least-mem-{}-{connections}", service.name());
            if options.wants(&case) && options.wants_subject(Subject::Mkernel.name()) {
                let mem = memory::least(programs, service, *connections)?;
                report.add(&case, Subject::Mkernel.name(), "mem", mem as f64);
            }
        }
    }
    Ok(())
}

/// Sees that the Linux guest works, where there is no KVM to measure it with.
fn emulate() -> Result<()> {
    let programs = Programs::prepare(&[Subject::LinuxGuest], &SERVED)?;
    network::enter_namespace()?;
    for service in SERVED {
        let number = Subject::LinuxGuest as u8;
        network::add_tap(&link(number), number, 1500)?;
        let place = Start {
            cpu: SERVER_CPU,
            namespace: None,
        };
        let _guest = place.process(&mut programs.emulated(service)?)?;
        let question = service.question().context("a service")?;
        probe::ask(&link(number), number, Instant::now(), question)?;
        println!(
            "linux-guest, emulated: {} answers; not measured",
            service.name()
        );
    }
    Ok(())
}
