//! Processes that are measured.

use std::fs;
use std::io::ErrorKind;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::network::{Namespace, on_thread};

/// How to start a process.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The processor that it is kept on.
    pub cpu: usize,
    /// Its network namespace, if not ours.
    pub namespace: Option<&'a Namespace>,
}

/// A running process; ends with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    started: Instant,
}

impl Start<'_> {
    /// Starts `command`. No other program is between us and it.
    ///
    /// # Errors
    ///
    /// When the program cannot be run, or there is no such processor.
    pub fn process(self, command: &mut Command) -> Result<Process> {
        self.place(|| {
            let started = Instant::now();
            let child = command.spawn().with_context(|| named(command))?;
            Ok(Process { child, started })
        })
    }

    /// Runs `command` to its end; what it printed.
    ///
    /// # Errors
    ///
    /// As [`Start::process`], and when it fails.
    pub fn output(self, command: &mut Command) -> Result<Vec<u8>> {
        let output = self.place(|| command.output().with_context(|| named(command)))?;
        ensure!(
            output.status.success(),
            "{}: {}: {}{}",
            named(command),
            output.status,
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout),
        );
        Ok(output.stdout)
    }

    /// Runs `action` on a thread that is where a process would be.
    ///
    /// # Errors
    ///
    /// When there is no such processor, and when `action` fails.
    pub fn place<T: Send>(self, action: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let pinned = move || {
            let mut cpus = CpuSet::new();
            cpus.set(self.cpu)?;
            sched_setaffinity(Pid::from_raw(0), &cpus)
                .with_context(|| format!("CPU {}, which this benchmark needs", self.cpu))?;
            action()
        };
        match self.namespace {
            Some(namespace) => namespace.enter(pinned)?,
            None => on_thread(pinned)?,
        }
    }
}

/// The program, for an error.
fn named(command: &Command) -> String {
    let program = command.get_program().display();
    format!(
        "{program}, with {:?}",
        command.get_args().collect::<Vec<_>>()
    )
}

impl Process {
    /// When it was about to be started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The child itself: its pipes, its end.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Processor time so far, of it and of its children that run.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn cpu_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for process in self.tree()? {
            for task in fs::read_dir(format!("/proc/{process}/task"))? {
                let path = task?.path().join("schedstat");
                let Some(text) = unless_gone(fs::read_to_string(&path))? else {
                    continue;
                };
                let spent = text.split(' ').next().unwrap_or_default();
                nanoseconds += spent
                    .parse::<u64>()
                    .with_context(|| format!("{}: {text:?}", path.display()))?;
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Resident memory in octets, of it and its children; what they share is counted once.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn resident(&self) -> Result<u64> {
        let tree = self.tree()?;
        let field = if tree.len() > 1 { "Pss:" } else { "Rss:" };
        let mut kibibytes = 0;
        for process in tree {
            let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
            let line = rollup.lines().find(|line| line.starts_with(field));
            let figure = line.and_then(|line| line.split_whitespace().nth(1));
            kibibytes += figure
                .context("no figure in smaps_rollup")?
                .parse::<u64>()?;
        }
        Ok(kibibytes << 10)
    }

    /// It and its children, by their ids.
    fn tree(&self) -> Result<Vec<u32>> {
        let mut found = vec![self.child.id()];
        for entry in fs::read_dir("/proc")? {
            let Some(id) = entry?.file_name().to_str().and_then(|it| it.parse().ok()) else {
                continue;
            };
            let Some(stat) = unless_gone(fs::read_to_string(format!("/proc/{id}/stat")))? else {
                continue;
            };
            // Behind the name in parentheses: the state, and the parent.
            let fields = stat.rsplit(") ").next().unwrap_or_default();
            let parent = fields.split(' ').nth(1).and_then(|it| it.parse().ok());
            if parent == Some(self.child.id()) {
                found.push(id);
            }
        }
        Ok(found)
    }
}

/// What a file of a process says, if that has not ended.
fn unless_gone(read: std::io::Result<String>) -> Result<Option<String>> {
    match read {
        Ok(text) => Ok(Some(text)),
        // The latter is ESRCH.
        Err(error) if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(3) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its children first: they would live on. All fail only where a process has ended by itself.
        for child in self.tree().unwrap_or_default().into_iter().skip(1) {
            let id = Pid::from_raw(child.cast_signed());
            let _ = kill(id, Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
