//! The command line.

use std::env;
use std::path::PathBuf;
use std::process;

use anyhow::{Context, Result, bail, ensure};

/// What is to be measured, and how often.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How often each case is measured.
    pub rounds: usize,
    /// How long.
    pub seconds: u64,
    /// Parts of the names of wanted cases; none: all.
    pub cases: Vec<String>,
    /// Wanted subjects; none: all.
    pub subjects: Vec<String>,
    /// Where the rows are written to.
    pub json: Option<PathBuf>,
    /// Those of the benchmark's own switches that were given.
    pub switches: Vec<String>,
}

impl Options {
    /// Reads the arguments of this process, over these defaults; `switches` are what else the benchmark knows. `--help`
    /// prints what there is and ends the process.
    ///
    /// # Errors
    ///
    /// When there is an argument that has no meaning.
    pub fn parse(rounds: usize, seconds: u64, switches: &[&str]) -> Result<Self> {
        let mut options = Self {
            rounds,
            seconds,
            ..Self::default()
        };
        let arguments = env::args().skip(1).flat_map(|argument| {
            // `--name=value` is `--name value`.
            match argument.split_once('=') {
                Some((name, value)) => vec![name.to_owned(), value.to_owned()],
                None => vec![argument],
            }
        });
        let mut arguments = arguments.collect::<Vec<_>>().into_iter();
        let mut usage = format!(
            "[--rounds {rounds}] [--seconds {seconds}] [--case PART]... [--subject NAME]... [--json FILE]"
        );
        for switch in switches {
            usage.push_str(&format!(" [{switch}]"));
        }
        while let Some(name) = arguments.next() {
            if switches.contains(&name.as_str()) {
                options.switches.push(name);
                continue;
            }
            if name == "--help" {
                println!("{usage}");
                process::exit(0);
            }
            if !["--rounds", "--seconds", "--case", "--subject", "--json"].contains(&name.as_str())
            {
                bail!("{name}: expected {usage}");
            }
            let value = arguments
                .next()
                .with_context(|| format!("{name}: expected a value"))?;
            let number = || {
                let number = value.parse().ok().filter(|number| *number > 0);
                number.with_context(|| format!("{name} {value}: expected a number above 0"))
            };
            match name.as_str() {
                "--rounds" => options.rounds = number()?,
                "--seconds" => options.seconds = number()? as u64,
                "--case" => options.cases.push(value),
                "--subject" => options.subjects.push(value),
                _ => options.json = Some(value.into()),
            }
        }
        Ok(options)
    }

    /// Whether this case is to be measured.
    pub fn wants(&self, case: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|part| case.contains(part))
    }

    /// Whether this subject is to be measured.
    pub fn wants_subject(&self, subject: &str) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|name| name == subject)
    }

    /// Checks that the subjects asked for are among those that there are.
    ///
    /// # Errors
    ///
    /// When one is not.
    pub fn check_subjects(&self, all: &[&str]) -> Result<()> {
        for subject in &self.subjects {
            ensure!(
                all.contains(&subject.as_str()),
                "--subject {subject}: expected one of {}",
                all.join(", ")
            );
        }
        Ok(())
    }
}
