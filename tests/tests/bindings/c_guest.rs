//! C programs as guests.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use system_tests::{Outcome, Running, Target, host_program, workspace};

use crate::flags::FLAGS;

/// The linkers that the scripts are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linker {
    Gnu,
    Lld,
}

pub(crate) const LINKERS: [Linker; 2] = [Linker::Gnu, Linker::Lld];
/// How long a guest may run.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);
pub(crate) const TARGETS: [Target; 2] = [Target::Spt, Target::Hvt];

/// What applications are compiled with: as the bindings, but with whatever registers there are.
const APPLICATION_FLAGS: [&str; 6] = [
    "-std=gnu11",
    "-ffreestanding",
    "-fno-builtin",
    "-fno-pie",
    "-fstack-protector-strong",
    "-mstack-protector-guard=global",
];
/// Where `/dev/kvm` is emulated, only the general registers can be relied on.
const GENERAL_REGISTERS: [&str; 3] = ["-mno-sse", "-mno-mmx", "-mno-avx"];

/// A program of `vendor/solo5/tests`.
#[derive(Clone, Debug)]
pub(crate) struct Program<'a> {
    source: &'a str,
    defines: Vec<String>,
    manifest: Option<&'a str>,
    vectors: bool,
}

impl<'a> Program<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self {
            source,
            defines: Vec::new(),
            manifest: None,
            vectors: false,
        }
    }

    /// Defines the macro.
    pub(crate) fn define(mut self, name: &str, value: usize) -> Self {
        self.defines.push(format!("-D{name}={value}"));
        self
    }

    /// Adds a manifest in C, as `solo5-elftool gen-manifest` writes it.
    pub(crate) fn manifest(mut self, c_source: &'a str) -> Self {
        self.manifest = Some(c_source);
        self
    }

    /// Lets the compiler use vector registers.
    pub(crate) fn vectors(mut self) -> Self {
        self.vectors = true;
        self
    }

    /// The executable.
    pub(crate) fn link(&self, target: Target, linker: Linker) -> PathBuf {
        self.try_link(target, linker)
            .unwrap_or_else(|message| panic!("{self:?} does not link: {message}"))
    }

    /// The executable, or what the linker says.
    pub(crate) fn try_link(&self, target: Target, linker: Linker) -> Result<PathBuf, String> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

        let name = format!("{}{}", self.source, self.defines.concat());
        let mut objects = vec![self.compile(&name), bindings(target)];
        if let Some(source) = self.manifest {
            let file = scratch(&format!("{name}.manifest.c"));
            std::fs::write(&file, source).expect("a scratch file can be written");
            objects.push(compile(&file, &scratch(&format!("{name}.manifest.o")), &[]));
        }
        let executable = scratch(&format!("{name}.{linker:?}.{}", abi(target)));
        let output = Command::new(linker_path(linker))
            .args(["-static", "-no-pie", "-z", "max-page-size=0x1000"])
            .args(["--build-id=none", "--gc-sections", "--eh-frame-hdr", "-L"])
            .arg(vendor())
            .arg("-T")
            .arg(format!("solo5_{}.lds", abi(target)))
            .args(objects)
            .arg("-o")
            .arg(&executable)
            .output()
            .expect("the linker can be run");
        if output.status.success() {
            Ok(executable)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn compile(&self, name: &str) -> PathBuf {
        let source = vendor().join("tests").join(self.source);
        let mut flags: Vec<&str> = APPLICATION_FLAGS.to_vec();
        if !self.vectors {
            flags.extend(GENERAL_REGISTERS);
        }
        flags.extend(self.defines.iter().map(String::as_str));
        compile(&source, &scratch(&format!("{name}.o")), &flags)
    }

    /// Links it with lld and boots it in 16 MiB.
    pub(crate) fn run(&self, target: Target, arguments: &str) -> Outcome {
        let executable = self.link(target, Linker::Lld);
        let options = ["--mem=16".to_owned()];
        boot(&executable, target, &options, arguments, !self.vectors).wait()
    }
}

/// Boots the executable. `general` says that it uses the general registers only: it then runs without emulation also
/// where `/dev/kvm` is good for nothing else.
pub(crate) fn boot(
    executable: &Path,
    target: Target,
    options: &[String],
    arguments: &str,
    general: bool,
) -> Running {
    Running::start(
        boot_command(executable, target, options, arguments, general),
        LIMIT,
    )
}

/// The command that boots it.
pub(crate) fn boot_command(
    executable: &Path,
    target: Target,
    options: &[String],
    arguments: &str,
    general: bool,
) -> Command {
    if target == Target::Spt || general && kvm_runs_general_code() {
        let tender = host_program("cargo-mkernel", &format!("solo5-{}", abi(target)));
        let mut command = Command::new(tender);
        command.args(options).arg("--").arg(executable);
        return with_words(command, arguments);
    }
    let mut command = Command::new(workspace().join("ci/hvt"));
    command.env("SOLO5_HVT", host_program("cargo-mkernel", "solo5-hvt"));
    command.arg(executable).args(options).arg("--");
    with_words(command, arguments)
}

fn with_words(mut command: Command, arguments: &str) -> Command {
    command.args(arguments.split_whitespace());
    command
}

/// Whether solo5-hvt boots the smallest guest on this machine as it is.
pub(crate) fn kvm_runs_general_code() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        if !Path::new("/dev/kvm").exists() || env::var_os("HVT_EMULATE").is_some() {
            return false;
        }
        let executable = Program::new("cases.c").link(Target::Hvt, Linker::Lld);
        let mut command = Command::new(host_program("cargo-mkernel", "solo5-hvt"));
        command.arg("--mem=4").arg(executable);
        let outcome = Running::start(command, Duration::from_secs(60)).wait();
        outcome.status == 0
    })
}

pub(crate) fn abi(target: Target) -> &'static str {
    match target {
        Target::Spt => "spt",
        Target::Hvt => "hvt",
    }
}

/// The bindings' object, compiled as the build script does: once, since a test may be reading it while
/// another one links.
pub(crate) fn bindings(target: Target) -> PathBuf {
    static SPT: OnceLock<PathBuf> = OnceLock::new();
    static HVT: OnceLock<PathBuf> = OnceLock::new();
    let object = match target {
        Target::Spt => &SPT,
        Target::Hvt => &HVT,
    };
    let compiled = object.get_or_init(|| {
        let source = vendor().join(format!("bindings/solo5_{}.c", abi(target)));
        let mut flags = FLAGS.to_vec();
        flags.push("-DSOLO5_BINDINGS_VERSION=\"under test\"");
        let object = scratch(&format!("solo5_{}.o", abi(target)));
        compile(&source, &object, &flags)
    });
    compiled.clone()
}

fn compile(source: &Path, object: &Path, flags: &[&str]) -> PathBuf {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler)
        .args([
            "-c",
            "-O2",
            "-m64",
            "-fno-pic",
            "-ffunction-sections",
            "-fdata-sections",
        ])
        .args(["-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-I"])
        .arg(vendor().join("include"))
        .arg("-I")
        .arg(vendor().join("bindings"))
        .args(flags)
        .arg(source)
        .arg("-o")
        .arg(object)
        .output()
        .expect("the C compiler can be run");
    assert!(
        output.status.success(),
        "{}: {}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    object.to_owned()
}

fn linker_path(linker: Linker) -> PathBuf {
    if linker == Linker::Gnu {
        return "ld.bfd".into();
    }
    static LLD: OnceLock<PathBuf> = OnceLock::new();
    LLD.get_or_init(|| {
        let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .args(["--print", "sysroot"])
            .output()
            .expect("rustc can be run");
        let sysroot = String::from_utf8(output.stdout).expect("the sysroot's path is UTF-8");
        let tools = "lib/rustlib/x86_64-unknown-linux-gnu/bin/gcc-ld/ld.lld";
        Path::new(sysroot.trim()).join(tools)
    })
    .clone()
}

pub(crate) fn vendor() -> PathBuf {
    workspace().join("vendor/solo5")
}

pub(crate) fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
