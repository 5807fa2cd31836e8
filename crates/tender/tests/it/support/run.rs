//! Running the tenders.

use std::ffi::OsStr;
use std::fs;
use std::ops::{Deref, DerefMut};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use system_tests::host_program;

/// A folder of its own for a test's files, removed at the test's end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{count}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file of `len` bytes, all of them `fill`.
    pub(crate) fn image(&self, name: &str, len: usize, fill: u8) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, vec![fill; len]).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A tender that does not outlive its test, of which it holds standard error.
pub(crate) struct Mortal(pub(crate) Child);

impl Deref for Mortal {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Mortal {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.kill();
        let _ = self.wait();
    }
}

/// How a tender ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit status, unless a signal ended it.
    pub(crate) code: Option<i32>,
    /// That signal.
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn new(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Checks that the tender itself gave up, with one line that holds `what` and, if `usage`, says where to read on.
    #[track_caller]
    pub(crate) fn refused(&self, tender: Tender, what: &str, usage: bool) {
        assert_eq!(self.code, Some(1), "{self:?}");
        let name = tender.name();
        let line = self.stderr.strip_suffix('\n').unwrap_or_default();
        assert!(line.starts_with(&format!("{name}: ")), "{self:?}");
        assert!(line.contains(what), "expected {what:?} in {line:?}");
        let hint = format!(" (see {name} --help)");
        assert_eq!(line.ends_with(&hint), usage, "{self:?}");
        assert!(!line.contains('\n'), "one line expected: {self:?}");
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Tender {
    Spt,
    Hvt,
}

impl Tender {
    pub(crate) const BOTH: [Self; 2] = [Self::Spt, Self::Hvt];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Spt => "solo5-spt",
            Self::Hvt => "solo5-hvt",
        }
    }

    pub(crate) fn path(self) -> PathBuf {
        host_program("cargo-mkernel", self.name())
    }

    pub(crate) fn run<I: AsRef<OsStr>>(self, args: impl IntoIterator<Item = I>) -> Ended {
        Ended::new(
            &Command::new(self.path())
                .args(args)
                .stdin(Stdio::null())
                .output()
                .unwrap(),
        )
    }
}

/// Runs a guest under solo5-hvt, by the workspace's script: with KVM, or else in an emulated machine.
///
/// It runs in a network namespace of its own, with a TAP interface `tap0` that is up.
pub(crate) fn run_hvt<I: AsRef<OsStr>>(
    kernel: &Path,
    options: impl IntoIterator<Item = I>,
    args: &[&str],
) -> Ended {
    let _guard = one_machine();
    let output = hvt(kernel, options, args).output();
    Ended::new(&output.unwrap())
}

/// One emulated machine at a time is enough for the processors.
pub(crate) fn one_machine() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What [`run_hvt`] runs, for [`one_machine`].
pub(crate) fn hvt<I: AsRef<OsStr>>(
    kernel: &Path,
    options: impl IntoIterator<Item = I>,
    args: &[&str],
) -> Command {
    // The script looks for the interface in /sys, which shows the namespace that it was mounted in.
    const NAMESPACE: [&str; 6] = [
        "--map-root-user",
        "--net",
        "--mount",
        "sh",
        "-c",
        "mount -t sysfs sysfs /sys && ip tuntap add tap0 mode tap && ip link set tap0 up && exec \"$@\"",
    ];
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ci/hvt");
    let mut command = Command::new("unshare");
    command.args(NAMESPACE).arg("unshare").stdin(Stdio::null());
    command
        .env("SOLO5_HVT", Tender::Hvt.path())
        .arg(script)
        .arg(kernel)
        .args(options)
        .arg("--")
        .args(args);
    command
}
