//! The program `solo5-rustc`, which Cargo runs in place of rustc (`build.rustc-wrapper`).
//!
//! For our two targets it compiles with the stock standard library of `super::BASE`, and links programs with Solo5's
//! bindings and nolibc in place of glibc. For every other target it runs rustc unchanged.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use super::left_out::{self, Linked};
use super::{
    Abi, MINIMUM_RUST, argfile, become_command, command_of, contains, fail, flags, for_base,
    joined, link, missing, succeeded, target, version,
};

const USAGE: &str = "\
usage: solo5-rustc RUSTC [ARGUMENTS...]
Cargo runs it in place of rustc, by `rustc-wrapper = \"solo5-rustc\"` below `[build]` in .cargo/config.toml.
SOLO5_RUSTC_WRAPPER names another wrapper, such as sccache, to run rustc through.
";

/// Runs rustc, whose path comes first, with the arguments changed.
#[must_use]
pub fn run(mut arguments: Vec<OsString>) -> ExitCode {
    if link::is_asked(&arguments) {
        return link::run(arguments);
    }
    let first = arguments.first().map(|first| first.as_bytes());
    if first == Some(b"--help") {
        let _ = io::stdout().write_all(USAGE.as_bytes());
        return ExitCode::SUCCESS;
    }
    if first.is_none_or(|first| first.starts_with(b"-")) {
        return fail(
            "expected rustc's path as the first argument of solo5-rustc (try solo5-rustc --help)",
        );
    }
    let rustc = arguments.remove(0);
    let (expanded, by_file) = match argfile::expand(&arguments) {
        Ok(expanded) => expanded,
        Err(message) => return fail(&message),
    };
    let Some(abi) = Abi::of_arguments(&expanded) else {
        let target = OsStr::from_bytes(target(&expanded)).to_string_lossy();
        // A path is that of a target's description.
        if target.contains("solo5") && !target.contains(['/', '.']) {
            return fail(&format!(
                "no target {target}: expected x86_64-solo5-spt or x86_64-solo5-hvt"
            ));
        }
        let mut command = compiler(&rustc);
        // What is compiled for both sides may ask on which it is; of others' crates Cargo shows no warnings.
        let has = |start: &[u8]| expanded.iter().any(|it| it.as_bytes().starts_with(start));
        let asks = has(b"--check-cfg") && !has(b"--cap-lints");
        command.args(arguments);
        if asks {
            command.args(["--check-cfg", flags::CFG_VALUES]);
        }
        return become_command(command);
    };
    let invocation = Invocation::new(abi, rustc, expanded, by_file);
    let ended = match invocation.compile() {
        Ok(status) if status.success() => return ExitCode::SUCCESS,
        Ok(status) if status.code().is_none() => fail(&format!("rustc ended with {status}")),
        Ok(status) => succeeded(status),
        Err(message) => fail(&message),
    };
    if let Some(note) = too_old(&invocation.rustc) {
        // A closed stderr is nobody's loss.
        let _ = writeln!(io::stderr(), "{note}");
    }
    ended
}

/// What to say if the compiler, which has failed, is older than what is needed.
fn too_old(rustc: &OsStr) -> Option<String> {
    let minimum = MINIMUM_RUST?;
    let output = Command::new(rustc).arg("--version").output().ok()?;
    let line = String::from_utf8_lossy(&output.stdout);
    let line = line.trim();
    (version(line)? < version(minimum)?).then(|| {
        format!("note: this is {line}: expected {minimum} or newer (rustup update stable)")
    })
}

/// rustc, or the other wrapper in front of it.
fn compiler(rustc: &OsStr) -> Command {
    match command_of("SOLO5_RUSTC_WRAPPER") {
        Some(mut command) => {
            command.arg(rustc);
            command
        }
        None => Command::new(rustc),
    }
}

/// One run of rustc for a unikernel.
struct Invocation {
    abi: Abi,
    rustc: OsString,
    /// One word for each option.
    options: Vec<OsString>,
    /// Where they are handed on, if they came by a file.
    file: Option<argfile::File>,
    /// What the options say.
    crate_name: OsString,
    out_dir: PathBuf,
    suffix: OsString,
    /// Whether it is a program, and whether code comes out.
    is_program: bool,
    is_archive: bool,
    links: bool,
    /// Whether functions of the same instructions become one: not where somebody may look at them with a debugger.
    folds: bool,
    /// Whether rustc is told of a linker, and whether there is debugging information.
    has_linker: bool,
    is_debugged: bool,
    /// What the linker is told of the stack, unless the user has told it.
    stack: Option<u64>,
    /// Where solo5-ffi has put the bindings; whether nolibc's archive is on the search path.
    bindings: Option<PathBuf>,
    has_libc: bool,
}

impl Invocation {
    fn new(abi: Abi, rustc: OsString, arguments: Vec<OsString>, by_file: bool) -> Self {
        let mut this = Self {
            abi,
            rustc,
            options: in_one_word_each(arguments),
            file: None,
            crate_name: OsString::new(),
            out_dir: PathBuf::from("."),
            suffix: OsString::new(),
            is_program: false,
            is_archive: false,
            links: false,
            folds: false,
            has_linker: false,
            is_debugged: false,
            stack: Some(flags::STACK),
            bindings: None,
            has_libc: false,
        };
        let script = format!("solo5_{}.lds", abi.name());
        let mut is_test = false;
        let mut own_stack = false;
        for option in &this.options {
            let option = option.as_bytes();
            let value = |name: &[u8]| option.strip_prefix(name).map(OsStr::from_bytes);
            own_stack |= contains(option, b"=__solo5_stack_size=");
            is_test |= option == b"--test";
            this.folds |= option.starts_with(b"-Copt-level=") && option != b"-Copt-level=0";
            this.has_linker |=
                option.starts_with(b"-Clinker=") || option.starts_with(b"-Clinker-flavor=");
            this.is_debugged |= option == b"-g"
                || option.starts_with(b"-Cdebuginfo=")
                    && !matches!(option, b"-Cdebuginfo=0" | b"-Cdebuginfo=none");
            this.is_program |= option == b"--crate-type=bin";
            this.is_archive |= option == b"--crate-type=staticlib";
            this.links |= option.starts_with(b"--emit=") && contains(option, b"link");
            if let Some(name) = value(b"--crate-name=") {
                this.crate_name = name.to_owned();
            } else if let Some(folder) = value(b"--out-dir=") {
                this.out_dir = folder.into();
            } else if let Some(suffix) = value(b"-Cextra-filename=") {
                this.suffix = suffix.to_owned();
            } else if let Some(folder) = value(b"-Lnative=").map(Path::new) {
                if folder.join(&script).is_file() {
                    this.bindings = Some(folder.to_owned());
                }
                this.has_libc |= folder.join("libc.a").is_file();
            }
        }
        this.file = by_file.then(|| argfile::File::new(&this.out_dir));
        this.is_program |= is_test;
        this.stack = match (own_stack, is_test) {
            (true, _) => None,
            (false, true) => Some(flags::TEST_STACK),
            (false, false) => Some(flags::STACK),
        };
        this
    }

    fn compile(&self) -> Result<ExitStatus, String> {
        let is_nolibc = env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == "solo5-nolibc");
        if is_nolibc && self.is_archive && self.links {
            return self.compile_nolibc();
        }
        if self.links && self.is_program {
            return self.compile_program();
        }
        let mut command = self.command(self.options.clone())?;
        status(&mut command)
    }

    /// rustc with these options and those that everything is compiled with. Bitcode is not left out, because nolibc's archive is
    /// made by link-time optimisation of nolibc and what it depends on, in debug builds too.
    fn command(&self, options: Vec<OsString>) -> Result<Command, String> {
        let mut command = compiler(&self.rustc);
        let options = options
            .into_iter()
            .filter(|option| option != "-Cembed-bitcode=no");
        let options = for_base(options);
        match &self.file {
            Some(file) => command.arg(file.write(&options)?),
            None => command.args(options),
        };
        command.args(flags::compile(self.abi));
        Ok(command)
    }

    /// nolibc is compiled twice: the rlib, which is empty but for documentation, and `libc.a`, which has the C symbols and,
    /// through link-time optimisation, nothing else. It goes to the package's `OUT_DIR`, which its build script has put on the
    /// link search path of every program that depends on it.
    fn compile_nolibc(&self) -> Result<ExitStatus, String> {
        let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: expected Cargo to set it")?;
        let archive = Path::new(&out).join("libc.a");
        let without_archive = |option: &&OsString| *option != "--crate-type=staticlib";
        let rlib = self.options.iter().filter(without_archive).cloned();
        let done = status(&mut self.command(rlib.collect())?)?;
        if !done.success() {
            return Ok(done);
        }
        const NOT_FOR_THE_ARCHIVE: [&[u8]; 8] = [
            b"--crate-type=",
            b"--emit=",
            b"--out-dir=",
            b"--json=",
            b"-Cextra-filename=",
            b"-Cincremental=",
            b"-Cprofile-",
            b"-Cinstrument-",
        ];
        let options = self.options.iter().filter(|option| {
            let option = option.as_bytes();
            !NOT_FOR_THE_ARCHIVE
                .iter()
                .any(|start| option.starts_with(start))
        });
        let mut command = self.command(options.cloned().collect())?;
        command
            .args(["--crate-type=staticlib", "--emit=link", "-o"])
            .arg(&archive)
            .args(["--cfg=nolibc_archive", "-Copt-level=3", "-Clto=fat"])
            .args(["-Ccodegen-units=1", "-Cpanic=abort", "-Cdebuginfo=0"])
            .args(["-Cdebug-assertions=off", "-Coverflow-checks=off"])
            .arg("--cap-lints=allow");
        let done = status(&mut command)?;
        if done.success() {
            // Cargo looks for an archive of this name when it decides whether to compile again.
            let name = [b"libnolibc", self.suffix.as_bytes(), b".a"].concat();
            let link = self.out_dir.join(OsStr::from_bytes(&name));
            let _ = fs::remove_file(&link);
            fs::hard_link(&archive, &link)
                .map_err(|error| format!("cannot link {archive:?} to {link:?}: {error}"))?;
        }
        Ok(done)
    }

    fn compile_program(&self) -> Result<ExitStatus, String> {
        let (Some(bindings), true) = (&self.bindings, self.has_libc) else {
            // The linker would take glibc's archive and start-up files.
            let package = env::var("CARGO_PKG_NAME").unwrap_or_else(|_| "this program".to_owned());
            return Err(format!(
                "{package} is built for x86_64-solo5-{} but does not depend on solo5-nolibc, which stands for the operating \
                 system: add `mkernel` (or `solo5-nolibc`) to its dependencies",
                self.abi.name()
            ));
        };
        let mut folds = self.folds;
        let (mut done, mut messages) = self.link(None, folds)?;
        // GNU ld, asked for or what rustc was built to call.
        if !done.success() && folds && messages.contains(&format!("option '{}'", flags::FOLD)) {
            folds = false;
            (done, messages) = self.link(None, folds)?;
        }
        // The program shares functions with what solo5_backtrace.lds leaves out: nothing is left out then.
        if !done.success() && messages.contains("prohibited cross reference") {
            let whole = joined("-Lnative=", bindings.join("whole").as_os_str());
            (done, messages) = self.link(Some(whole), folds)?;
        }
        let mut notes = String::new();
        if !done.success() {
            notes = missing::explain(&messages);
        }
        let program = self.program();
        let linked = match (done.success(), notes.is_empty()) {
            (true, _) => Some(Linked::Program(&program)),
            (false, false) => Some(Linked::Missed(&messages)),
            (false, true) => None,
        };
        if let Some(note) = linked.and_then(|it| left_out::explain(&self.options, &it)) {
            notes += &note;
        }
        messages += &notes;
        // A closed stderr is nobody's loss.
        let _ = io::stderr().write_all(messages.as_bytes());
        Ok(done)
    }

    /// Where rustc writes the program.
    fn program(&self) -> PathBuf {
        let name = [self.crate_name.as_bytes(), self.suffix.as_bytes()].concat();
        self.out_dir.join(OsStr::from_bytes(&name))
    }

    /// Compiles and links the program, with an option before its own, and what rustc has to say.
    fn link(&self, first: Option<OsString>, folds: bool) -> Result<(ExitStatus, String), String> {
        let name = env::var_os("CARGO_BIN_NAME").unwrap_or_else(|| self.crate_name.clone());
        let options = first.into_iter().chain(self.options.iter().cloned());
        let mut command = self.command(options.collect())?;
        command
            .args(flags::link(self.abi, self.stack, name.as_bytes(), folds))
            .stderr(Stdio::piped())
            .stdout(Stdio::inherit());
        if self.folds && !self.has_linker && !self.is_debugged {
            link::ask(&mut command);
        }
        let output = command
            .spawn()
            .and_then(std::process::Child::wait_with_output)
            .map_err(|error| cannot_run(&command, &error))?;
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status, messages))
    }
}

fn status(command: &mut Command) -> Result<ExitStatus, String> {
    command
        .status()
        .map_err(|error| cannot_run(command, &error))
}

fn cannot_run(command: &Command, error: &io::Error) -> String {
    format!("cannot run {:?}: {error}", command.get_program())
}

/// Joins what Cargo writes as two words (`-C`, `opt-level=3`).
fn in_one_word_each(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let between = match argument.as_bytes() {
            b"-C" | b"-L" => "",
            b"--crate-name" | b"--target" | b"--crate-type" | b"--emit" | b"--out-dir" => "=",
            _ => {
                words.push(argument);
                continue;
            }
        };
        let mut word = argument;
        if let Some(value) = arguments.next() {
            word.push(between);
            word.push(value);
        }
        words.push(word);
    }
    words
}
