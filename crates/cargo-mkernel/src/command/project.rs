//! `cargo mkernel new` and `cargo mkernel init`.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;

use super::run::cargo;
use super::template::{CONFIG, DEV_PROFILE, PROFILE, Template};
use super::workspace::{depends, root};
use super::{posix, say};

/// The version of `mkernel` that projects ask for.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION_MAJOR"),
    ".",
    env!("CARGO_PKG_VERSION_MINOR")
);

/// The oldest Rust, as a line of `Cargo.toml`.
const MINIMUM: &str = concat!("rust-version = \"", env!("CARGO_PKG_RUST_VERSION"), "\"");

/// What both are told of the dependency.
#[derive(Args)]
struct Source {
    /// Depend on mkernel in this folder, as in a checkout
    #[arg(long, value_name = "FOLDER")]
    mkernel_path: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct New {
    /// The project's folder, which has its name
    folder: PathBuf,
    /// The project's name, if it is to be another
    #[arg(long)]
    name: Option<String>,
    /// An HTTP server
    #[arg(long, group = "template")]
    http: bool,
    /// A TCP echo server
    #[arg(long, group = "template")]
    echo: bool,
    /// A key-value service on a disk
    #[arg(long, group = "template")]
    kv: bool,
    /// A server by std's sockets and threads, as it would run on Linux
    #[arg(long, group = "template")]
    posix: bool,
    #[command(flatten)]
    source: Source,
}

#[derive(Args)]
pub(super) struct Init {
    /// The project's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// For a program of std's threads, sockets and files, or of tokio
    #[arg(long)]
    posix: bool,
    #[command(flatten)]
    source: Source,
}

impl New {
    pub(super) fn run(&self) -> Result<ExitCode, String> {
        let asked = [
            (self.http, Template::Http),
            (self.echo, Template::Echo),
            (self.kv, Template::Kv),
            (self.posix, Template::Posix),
        ];
        let asked = asked.into_iter().find(|(asked, _)| *asked);
        let template = asked.map_or(Template::Hello, |(_, template)| template);
        let dependency = self.source.dependency(template)?;
        let name = self.free_name()?;
        // It looks at the name and at the workspace around it.
        let mut command = cargo();
        command.args(["new", "--quiet", "--bin"]).arg(&self.folder);
        if let Some(name) = &self.name {
            command.args(["--name", name]);
        }
        succeed(&mut command)?;
        let manifest = self.folder.join("Cargo.toml");
        let mut text = read(&manifest)?;
        text += &dependency;
        text += template.dependencies();
        // A workspace may have one for all.
        if !text.contains("rust-version") {
            let line = format!("\n{MINIMUM}\n\n[dependencies]");
            text = text.replacen("\n\n[dependencies]", &line, 1);
        }
        write(&manifest, &text)?;
        write(&self.folder.join("src/main.rs"), template.program())?;
        write(&self.folder.join("README.md"), &readme(&name, template))?;
        let root = root(&self.folder)?;
        complete(&root)?;
        // In a workspace it would be for all of its members.
        let canonical = |path: &Path| fs::canonicalize(path).ok();
        if canonical(&self.folder) == canonical(&root) {
            let text = read(&manifest)?;
            write(&manifest, &format!("{}\n\n{DEV_PROFILE}", text.trim_end()))?;
        }
        say(format_args!(
            "mkernel: {} is there; next: cd {} && cargo mkernel run",
            name,
            self.folder.display()
        ));
        Ok(ExitCode::SUCCESS)
    }

    /// The project's name, if it may have it and nothing is in its place.
    fn free_name(&self) -> Result<String, String> {
        let folder = self.folder.display();
        if self.folder.join("Cargo.toml").exists() {
            return Err(format!(
                "{folder} has a project already: `cargo mkernel init {folder}` makes it one of unikernels"
            ));
        }
        if self.folder.exists() {
            return Err(format!(
                "{folder} is there already: `cargo init {folder} && cargo mkernel init {folder}` makes it a project"
            ));
        }
        let last = || Some(self.folder.file_name()?.display().to_string());
        let name = self.name.clone().or_else(last);
        match name.as_deref() {
            Some("mkernel") => Err(
                "a project named mkernel would depend on its own name: give it another, by --name"
                    .to_owned(),
            ),
            _ => name.ok_or_else(|| format!("{folder} has no name: give it one, by --name")),
        }
    }
}

impl Init {
    pub(super) fn run(&self) -> Result<ExitCode, String> {
        let manifest = self.folder.join("Cargo.toml");
        if !manifest.exists() {
            return Err(format!(
                "there is no {}: `cargo mkernel new NAME` makes a project",
                manifest.display()
            ));
        }
        let depends = depends(&self.folder, "mkernel")?;
        if depends == Some(false) || (self.posix && depends.is_some()) {
            let mut command = cargo();
            command
                .args(["add", "--quiet", "--manifest-path"])
                .arg(&manifest);
            match self.source.path()? {
                Some(path) => command.arg("--path").arg(path),
                // It stays where it is.
                None if depends == Some(true) => command.arg("mkernel"),
                None => command.arg(format!("mkernel@{VERSION}")),
            };
            if self.posix {
                command.args(["--features", "posix"]);
            }
            succeed(&mut command)?;
        }
        let root = root(&self.folder)?;
        complete(&root)?;
        if self.posix && depends.is_some() && !posix::refer(&self.folder)? {
            say(format_args!(
                "mkernel: there is no {}: each program needs the line `{}`",
                self.folder.join("src/main.rs").display(),
                posix::LINE
            ));
        }
        say(match depends {
            Some(_) => "mkernel: done; next: cargo mkernel run",
            None => {
                "mkernel: the workspace is done; next: cargo mkernel init MEMBER, or cargo mkernel new MEMBER"
            }
        });
        Ok(ExitCode::SUCCESS)
    }
}

impl Source {
    fn path(&self) -> Result<Option<PathBuf>, String> {
        let absolute = |path: &PathBuf| {
            let wrong = |what: &dyn Display| {
                let path = path.display();
                format!("--mkernel-path {path}: {what}: expected crates/mkernel of a checkout")
            };
            let text = fs::read_to_string(path.join("Cargo.toml"));
            let text = text.map_err(|error| wrong(&format_args!("its Cargo.toml: {error}")))?;
            if !text.lines().any(|line| line == "name = \"mkernel\"") {
                return Err(wrong(&"another package"));
            }
            fs::canonicalize(path).map_err(|error| wrong(&error))
        };
        self.mkernel_path.as_ref().map(absolute).transpose()
    }

    /// The dependency as a line of `Cargo.toml`.
    fn dependency(&self, template: Template) -> Result<String, String> {
        let mut keys = vec![match self.path()? {
            Some(path) => format!("path = {:?}", path.display().to_string()),
            None => format!("version = {VERSION:?}"),
        }];
        if !template.features().is_empty() {
            keys.push(format!("features = {:?}", template.features()));
        }
        Ok(format!("mkernel = {{ {} }}\n", keys.join(", ")))
    }
}

/// Adds what only a workspace's root can have: what Cargo is told, and the profile.
fn complete(root: &Path) -> Result<(), String> {
    let manifest = root.join("Cargo.toml");
    let text = read(&manifest)?;
    if !text.contains("[profile.stripped]") {
        write(&manifest, &format!("{}\n\n{PROFILE}", text.trim_end()))?;
    }
    let config = root.join(".cargo/config.toml");
    if config.exists() {
        if !read(&config)?.contains("solo5-rustc") {
            return Err(format!(
                "{} is there already: add these lines to it\n\n{CONFIG}",
                config.display()
            ));
        }
        return Ok(());
    }
    let folder = root.join(".cargo");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    write(&config, CONFIG)
}

fn readme(name: &str, template: Template) -> String {
    let disk = match template {
        Template::Kv => "truncate -s 64M data.img\n$ cargo mkernel run -- --block:data=data.img",
        _ => "cargo mkernel run",
    };
    let client = match template.client() {
        "" => String::new(),
        client => format!("\nand in another terminal\n\n```console\n$ {client}\n```\n"),
    };
    format!(
        "# {name}\n\nA unikernel. Run it with\n\n```console\n$ {disk}\n```\n{client}\n\
         Plain Cargo works as well: `cargo run --target x86_64-solo5-spt`, and likewise `build`, `test`, `check`, `clippy`; \
         `-hvt` in place of `-spt` where there is KVM. rust-analyzer reads the code as for this host, and as for a unikernel with \
         `\"rust-analyzer.cargo.target\": \"x86_64-solo5-spt\"`. `cargo build --profile stripped` builds what is shipped. \
         `cargo mkernel doctor` says what is missing on a machine.\n"
    )
}

fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        // It has said why.
        Ok(_) => Err(format!("{} did not succeed", words(command))),
        Err(error) => Err(format!("cannot run {}: {error}", words(command))),
    }
}

fn words(command: &Command) -> String {
    let arguments: Vec<OsString> = command.get_args().map(OsString::from).collect();
    let arguments = arguments.join(&OsString::from(" "));
    format!("cargo {}", arguments.display())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let file = fs::File::create(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| format!("{}: {error}", path.display()))
}
