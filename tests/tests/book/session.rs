//! One shell, in which the commands of a page are run.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use system_tests::{cargo, target_folder, workspace};
use tempfile::TempDir;

use crate::expected::is_printed;

/// How long a command may take, which may have to compile much.
const LIMIT: Duration = Duration::from_secs(600);
/// How long a program in the background may take to print what it should: it may have to be compiled too.
const BACKGROUND_LIMIT: Duration = LIMIT;
/// How much later than its end what a program has printed may arrive: what names a backtrace's functions is a process of its
/// own.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(10);
/// The shell's folder, below one with what Cargo is told.
const HOME: &str = "home";
const SUDO: &str = "#!/bin/sh\nexec \"$@\"\n";
/// Takes an archive of images, and runs nothing.
const DOCKER: &str = "#!/bin/sh\n[ $1 != load ] || tar -t | grep -qx manifest.json\n";
/// Wants the folder of images that it would copy.
const SKOPEO: &str = "#!/bin/sh\nfolder=${2#oci:}\n[ -f \"${folder%%:*}/index.json\" ]\n";
const NERDCTL: &str = "#!/bin/sh\n[ \"$1\" = run ]\n";
/// All projects share what they have built; they find it where they look for it. `cargo add` looks for what is published.
const CARGO: &str = r#"#!/bin/sh
[ "$*" != 'install cargo-mkernel' ] || exit 0
[ "$*" != 'mkernel init --posix' ] || set -- "$@" --mkernel-path="$MKERNEL"
[ ! -f Cargo.toml ] || [ -e target ] || ln -s "$CARGO_TARGET_DIR" target
exec "$CARGO" "$@"
"#;
const PAUSE: Duration = Duration::from_millis(20);

/// A shell; dropping it ends everything that it has started.
pub(crate) struct Session {
    shell: Child,
    statuses: Receiver<String>,
    folder: TempDir,
    count: usize,
}

impl Session {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let programs = prepare(folder.path());
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("unshare")
            .args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["--", "bash", "--noprofile", "--norc", "-u"])
            .current_dir(folder.path().join(HOME))
            .env("PATH", format!("{programs}:{path}"))
            .env("CARGO", env!("CARGO"))
            .env(
                "MKERNEL",
                concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/mkernel"),
            )
            .env("CURL_HOME", &programs)
            .env("CARGO_TARGET_DIR", target_folder())
            // As in this workspace, with which they share what is compiled.
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .env("CARGO_PROFILE_DEV_BUILD_OVERRIDE_DEBUG", "false")
            .env_remove("RUSTC_WRAPPER")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare and bash are there");
        let stdout = shell.stdout.take().expect("it is a pipe");
        let (sender, statuses) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut session = Self {
            shell,
            statuses,
            folder,
            count: 0,
        };
        session
            .run("ip link set lo up", &[])
            .expect("the network namespace is ours");
        session
    }

    /// Where the shell begins.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join(HOME)
    }

    /// Writes a file where the shell is.
    pub(crate) fn write(&mut self, name: &str, text: &str) -> Result<(), String> {
        let content = self.folder.path().join("content");
        fs::write(&content, text).map_err(|error| error.to_string())?;
        let name = name.replace('\'', "'\\''");
        let content = content.display();
        self.run(
            &format!("mkdir -p \"$(dirname '{name}')\" && cp {content} '{name}'"),
            &[],
        )
    }

    /// Runs a command, which has to print what is expected.
    pub(crate) fn run(&mut self, command: &str, expected: &[String]) -> Result<(), String> {
        self.count += 1;
        let output = self.folder.path().join(format!("output-{}", self.count));
        let background = command.strip_suffix('&');
        let line = match background {
            Some(command) => format!(
                "{command} >{0} 2>&1 </dev/null &\necho 0\n",
                output.display()
            ),
            None => format!(
                "{{ {command}\n}} >{0} 2>&1 </dev/null\necho $?\n",
                output.display()
            ),
        };
        let stdin = self.shell.stdin.as_mut().expect("it is a pipe");
        stdin
            .write_all(line.as_bytes())
            .map_err(|error| format!("the shell has ended: {error}"))?;
        let status = self.statuses.recv_timeout(LIMIT);
        if background.is_some() {
            return wait_for(command, expected, &output, true, BACKGROUND_LIMIT);
        }
        let printed = read(&output);
        let status = status.map_err(|_| format!("`{command}` takes too long:\n{printed}"))?;
        if status != "0" {
            return Err(format!("`{command}` has ended with {status}:\n{printed}"));
        }
        match expected.is_empty() {
            true => Ok(()),
            false => wait_for(command, expected, &output, false, LAST_WORDS_LIMIT),
        }
    }
}

/// Waits until a program has printed what is expected, or with `more` has begun so.
fn wait_for(
    command: &str,
    expected: &[String],
    output: &Path,
    more: bool,
    limit: Duration,
) -> Result<(), String> {
    let deadline = Instant::now() + limit;
    loop {
        let printed = read(output);
        if is_printed(expected, &printed.lines().collect::<Vec<_>>(), more) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let expected = expected.join("\n");
            return Err(format!(
                "`{command}` is to print\n{expected}\nand printed\n{printed}"
            ));
        }
        thread::sleep(PAUSE);
    }
}

fn read(output: &Path) -> String {
    String::from_utf8_lossy(&fs::read(output).unwrap_or_default()).into_owned()
}

/// Makes in `folder` what the shell finds: in `programs` those of `cargo install cargo-mkernel`, which is therefore nothing to
/// do, a `sudo` for who is root already, and stand-ins for what copies and runs images; above its own folder, settings by
/// which Cargo takes the crates of this repository for those of crates.io. Returns the path of the programs.
fn prepare(folder: &Path) -> String {
    let programs = folder.join("programs");
    for name in ["programs", HOME, ".cargo"] {
        fs::create_dir(folder.join(name)).expect("the folder is empty");
    }
    for (name, text) in [
        ("sudo", SUDO),
        ("cargo", CARGO),
        ("docker", DOCKER),
        ("skopeo", SKOPEO),
        ("nerdctl", NERDCTL),
    ] {
        fs::write(programs.join(name), text).expect("it is ours");
        fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755))
            .expect("it is ours");
    }
    // It shows how far it is where its output is no terminal.
    fs::write(programs.join(".curlrc"), "silent\n").expect("it is ours");
    let mut settings = String::from("[net]\noffline = true\n\n[patch.crates-io]\n");
    for (package, crate_folder) in PUBLISHED {
        let path = workspace().join("crates").join(crate_folder);
        settings += &format!("{package} = {{ path = {path:?} }}\n");
    }
    fs::write(folder.join(".cargo/config.toml"), settings).expect("it is ours");
    for program in build_programs() {
        let name = program.file_name().expect("it is a file");
        symlink(&program, programs.join(name)).expect("the folder is ours");
    }
    programs.display().to_string()
}

/// Builds what `cargo install cargo-mkernel` installs.
fn build_programs() -> Vec<PathBuf> {
    let output = cargo()
        .args(["build", "--quiet", "--package=cargo-mkernel", "--bins"])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "cargo-mkernel does not compile");
    let messages = String::from_utf8_lossy(&output.stdout);
    let rest = messages.split("\"executable\":\"").skip(1);
    rest.filter_map(|rest| Some(rest.split_once('"')?.0.into()))
        .collect()
}

/// The crates that a project needs from crates.io, and their folders.
const PUBLISHED: [(&str, &str); 10] = [
    ("mkernel", "mkernel"),
    ("miou-rs", "miou-rs"),
    ("solo5-netstack", "netstack"),
    ("solo5-blockdev", "blockdev"),
    ("solo5-nolibc", "nolibc"),
    ("solo5-posix", "posix"),
    ("solo5-ffi", "solo5-ffi"),
    ("solo5-abi", "solo5-abi"),
    ("solo5-hostdev", "hostdev"),
    ("solo5-manifest-gen", "manifest-gen"),
];

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
