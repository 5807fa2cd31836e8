//! `cargo mkernel doctor`.

use std::env;
use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

use super::run::is_ours;
use crate::machine;
use crate::run::on_path;
use crate::toolchain::{self, version};

const MINIMUM_RUST: &str = toolchain::MINIMUM_RUST.expect("Cargo compiles this");

/// Whether a unikernel can do without what a check looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
}

/// What a check found.
struct Finding {
    name: &'static str,
    need: Need,
    /// What is there, or what is missing and the command that mends it.
    result: Result<String, (String, String)>,
}

/// Prints a line for each thing, and below what is missing what to type; fails when a required one is missing.
pub(super) fn run() -> Result<ExitCode, String> {
    let mut missing = false;
    for finding in [
        rust(),
        programs(),
        wrapper(),
        compiler(),
        kvm(),
        tun(),
        namespaces(),
        passt(),
    ] {
        let Finding { name, need, result } = finding;
        match result {
            Ok(what) => print(format_args!("ok       {name}: {what}")),
            Err((what, mend)) => {
                let word = match need {
                    Need::Required => "missing ",
                    Need::Optional => "without ",
                };
                missing |= need == Need::Required;
                print(format_args!("{word} {name}: {what}\n         {mend}"));
            }
        }
    }
    Ok(match missing {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Prints a line; a closed standard output is nobody's loss.
fn print(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn rust() -> Finding {
    let output = Command::new("rustc").arg("--version").output();
    let line = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let update = "rustup update stable, or https://rustup.rs for a first rustup".to_owned();
    let result = match line {
        Ok(line) => match version(&line) {
            Some(found) if Some(found) >= version(MINIMUM_RUST) => Ok(line),
            Some(_) => Err((format!("{line}: expected {MINIMUM_RUST} or newer"), update)),
            None => Err((format!("rustc --version says {line:?}"), update)),
        },
        Err(error) => Err((format!("rustc cannot be run: {error}"), update)),
    };
    Finding {
        name: "Rust",
        need: Need::Required,
        result,
    }
}

fn programs() -> Finding {
    const PROGRAMS: [&str; 6] = [
        "solo5-rustc",
        "solo5-rustdoc",
        "solo5-cc",
        "solo5-run",
        "solo5-spt",
        "solo5-hvt",
    ];
    let absent: Vec<&str> = PROGRAMS
        .into_iter()
        .filter(|name| on_path(name).is_none())
        .collect();
    let folder = env::current_exe()
        .ok()
        .and_then(|path| path.parent().map(Path::to_owned))
        .unwrap_or_default();
    let result = match absent.is_empty() {
        true => Ok("on PATH".to_owned()),
        false => Err((
            format!("not on PATH: {}", absent.join(", ")),
            format!("export PATH=\"{}:$PATH\"", folder.display()),
        )),
    };
    Finding {
        name: "solo5-rustc and its companions",
        need: Need::Required,
        result,
    }
}

fn wrapper() -> Finding {
    let other = ["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"]
        .into_iter()
        .filter_map(|name| Some((name, env::var_os(name).filter(|value| !value.is_empty())?)))
        .find(|(_, value)| !is_ours(Path::new(value)));
    let result = match other {
        None => Ok("no other in the environment".to_owned()),
        Some((name, value)) => Err((
            format!("{name}={} takes the place of solo5-rustc", value.display()),
            format!(
                "export {name}=solo5-rustc SOLO5_RUSTC_WRAPPER='{}'",
                value.display()
            ),
        )),
    };
    Finding {
        name: "rustc's wrapper",
        need: Need::Required,
        result,
    }
}

fn compiler() -> Finding {
    let result = machine::works("cc", &["--version"])
        .map(|()| "cc".to_owned())
        .map_err(|reason| (reason, apt("gcc libc6-dev")));
    Finding {
        name: "C compiler",
        need: Need::Required,
        result,
    }
}

fn kvm() -> Finding {
    let result = machine::kvm()
        .map(|()| "works: unikernels may run in virtual machines".to_owned())
        .map_err(|reason| {
            let mend = match reason.contains("ermission denied") {
                true => "sudo usermod -aG kvm \"$USER\", and log in again; spt does without",
                false => "spt does without: --target x86_64-solo5-spt",
            };
            (reason, mend.to_owned())
        });
    Finding {
        name: "KVM",
        need: Need::Optional,
        result,
    }
}

fn tun() -> Finding {
    let result = machine::tun()
        .map(|()| "/dev/net/tun can be opened".to_owned())
        .map_err(|reason| {
            let mend = match reason.contains("there is no") {
                true => "sudo modprobe tun; the user-mode network does without",
                false => "the user-mode network does without",
            };
            (reason, mend.to_owned())
        });
    Finding {
        name: "TAP interfaces",
        need: Need::Optional,
        result,
    }
}

fn namespaces() -> Finding {
    let result = machine::works("unshare", &["--user", "--map-root-user", "true"])
        .map(|()| "may be made".to_owned())
        .map_err(|reason| {
            let mend = match reason.contains("on PATH") {
                true => apt("util-linux"),
                false => "sudo sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000".to_owned(),
            };
            (reason, mend)
        });
    Finding {
        name: "user namespaces",
        need: Need::Optional,
        result,
    }
}

fn passt() -> Finding {
    let result = machine::works("passt", &["--version"])
        .map(|()| "passt: a network without root".to_owned())
        .map_err(|reason| (reason, apt("passt")));
    Finding {
        name: "user-mode network",
        need: Need::Optional,
        result,
    }
}

/// How Debian's packages are installed.
fn apt(packages: &str) -> String {
    format!("sudo apt-get install {packages}")
}
