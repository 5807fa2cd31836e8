//! A process that cannot outlive its test, and what it printed.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// How a process ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit status as a shell gives it: 128 and the signal's number if a signal ended the process.
    pub status: i32,
    /// Standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "status {}\nstdout:\n{}\nstderr:\n{}",
            self.status, self.stdout, self.stderr
        )
    }
}

impl Outcome {
    /// Panics unless the status is `status` and standard error, which must be free of panic messages, holds `message`.
    #[track_caller]
    pub fn assert_error(&self, status: i32, message: &str) {
        assert_eq!(self.status, status, "{self}");
        assert!(
            self.stderr.contains(message),
            "expected {message:?} on standard error\n{self}"
        );
        assert!(!self.stderr.contains("panicked at"), "{self}");
    }

    /// Panics unless the program ended well having printed `stdout` and nothing on standard error.
    #[track_caller]
    pub fn assert_printed(&self, stdout: &str) {
        assert_eq!(self.status, 0, "{self}");
        assert_eq!(self.stdout, stdout, "{self}");
        assert_eq!(self.stderr, "", "{self}");
    }
}

enum Event {
    Stdout(String),
    Stderr(String),
    Ended(i32),
}

/// A running process; dropping it ends the process.
#[derive(Debug)]
pub struct Running {
    child: Child,
    events: Receiver<Event>,
    deadline: Instant,
    stdout: String,
    stderr: String,
    status: Option<i32>,
}

impl Running {
    /// Starts `command` with no standard input; it is ended, and the test fails, when it has not ended after `limit`.
    pub fn start(mut command: Command, limit: Duration) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let process = process_id(&child);
        let (sender, events) = mpsc::channel();
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let readers = [
            forward(stdout, sender.clone(), Event::Stdout),
            forward(stderr, sender.clone(), Event::Stderr),
        ];
        thread::spawn(move || report_end(process, readers, &sender));
        Self {
            child,
            events,
            deadline: Instant::now() + limit,
            stdout: String::new(),
            stderr: String::new(),
            status: None,
        }
    }

    /// Waits until a line of standard output contains `text`.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        while !self.stdout.contains(text) {
            assert!(
                self.status.is_none(),
                "ended without printing {text:?}: {}",
                self.outcome()
            );
            if self.next_event(self.deadline).is_err() {
                self.end();
                panic!("has not printed {text:?} in time: {}", self.outcome());
            }
        }
    }

    /// Waits for the end.
    #[track_caller]
    pub fn wait(mut self) -> Outcome {
        while self.status.is_none() {
            if self.next_event(self.deadline).is_err() {
                self.end();
                panic!("has not ended in time: {}", self.outcome());
            }
        }
        self.outcome()
    }

    /// Sends a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill(process_id(&self.child), signal).expect("the process has not been waited for");
    }

    /// Ends the process and returns what it has printed.
    pub fn stop(mut self) -> Outcome {
        self.end();
        self.outcome()
    }

    /// Takes note of what has been printed so far and says whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        while self.next_event(Instant::now()).is_ok() {}
        self.status.is_some()
    }

    /// The process's id, which for a guest on spt is the tender's.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in octets; zero when the process has ended.
    pub fn resident_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
            .map_or(0, |kibibytes| kibibytes * 1024)
    }

    /// The processor time used so far, in user and kernel mode; zero when the process has ended.
    pub fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        // The name before the last parenthesis may contain anything. Fields 14 and 15, in hundredths of a second.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let ticks = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map_while(|field| field.parse::<u64>().ok());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    fn next_event(&mut self, deadline: Instant) -> Result<(), RecvTimeoutError> {
        match self
            .events
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))?
        {
            Event::Stdout(line) => self.stdout.push_str(&line),
            Event::Stderr(line) => self.stderr.push_str(&line),
            Event::Ended(status) => self.status = Some(status),
        }
        Ok(())
    }

    /// What is known of it so far.
    pub fn outcome(&self) -> Outcome {
        Outcome {
            status: self.status.unwrap_or(-1),
            stdout: self.stdout.clone(),
            stderr: self.stderr.clone(),
        }
    }

    /// Asks the process to end, insists after a second, which a unikernel may have meant to give to its clients, and kills it
    /// after ten more.
    fn end(&mut self) {
        for (signal, seconds) in [
            (Signal::SIGTERM, 1),
            (Signal::SIGINT, 10),
            (Signal::SIGKILL, 10),
        ] {
            if self.status.is_some() {
                return;
            }
            // The process may have ended, but not been reaped: the id is still its own.
            let _ = kill(process_id(&self.child), signal);
            let deadline = Instant::now() + Duration::from_secs(seconds);
            while self.status.is_none() && self.next_event(deadline).is_ok() {}
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        let _ = self.child.wait();
    }
}

/// Sends each line of `pipe`, with its end.
fn forward(
    pipe: impl Read + Send + 'static,
    sender: Sender<Event>,
    event: fn(String) -> Event,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe
            .read_until(b'\n', &mut line)
            .is_ok_and(|length| length > 0)
        {
            // The receiver may be gone: the pipe is read to its end all the same, so that the process is not stopped.
            let _ = sender.send(event(String::from_utf8_lossy(&line).into_owned()));
            line.clear();
        }
    })
}

/// Reports the end of `process` without reaping it, which is left to [`Running`]'s drop.
fn report_end(process: Pid, readers: [thread::JoinHandle<()>; 2], sender: &Sender<Event>) {
    for reader in readers {
        reader.join().expect("a reader does not panic");
    }
    let status = match waitid(
        Id::Pid(process),
        WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT,
    ) {
        Ok(WaitStatus::Exited(_, status)) => status,
        Ok(WaitStatus::Signaled(_, signal, _)) => 128 + signal as i32,
        other => panic!("waiting for a child gave {other:?}"),
    };
    // Without a receiver nobody waits for the end.
    let _ = sender.send(Event::Ended(status));
}

fn process_id(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().expect("a process id is positive"))
}
