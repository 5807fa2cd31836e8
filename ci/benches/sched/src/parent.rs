//! The process that starts the others.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use sched_bench::{CASES, SUBJECTS, cases, measure};

use crate::table::Table;

struct Options {
    rounds: u32,
    cases: Vec<&'static str>,
    subjects: Vec<&'static str>,
    json: Option<PathBuf>,
    instructions: bool,
}

/// Measures one case of one subject, and prints a line for each metric.
pub fn child(arguments: &[String]) -> ExitCode {
    let [case, subject, compute_loops] = arguments else {
        eprintln!("child: expected CASE SUBJECT COMPUTE_LOOPS, got {arguments:?}");
        return ExitCode::FAILURE;
    };
    let Ok(compute_loops) = compute_loops.parse() else {
        eprintln!("child: COMPUTE_LOOPS is {compute_loops:?}; expected a number");
        return ExitCode::FAILURE;
    };
    for (metric, unit, value) in measure(case, subject, compute_loops).unwrap_or_default() {
        println!("{metric} {unit} {value}");
    }
    ExitCode::SUCCESS
}

/// Runs all children, and shows what they measured.
pub fn run(arguments: &[String]) -> ExitCode {
    let result = parse(arguments).and_then(|options| {
        let table = if options.instructions {
            count_instructions(&options)?
        } else {
            measure_all(&options)?
        };
        println!("{}", table.print(&options.subjects));
        println!("In parentheses: miou-rs divided by that peer; last: by the best peer.");
        if let Some(json) = &options.json {
            table
                .write_json(json)
                .map_err(|error| format!("cannot write {}: {error}", json.display()))?;
        }
        Ok(())
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("sched-bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        rounds: 7,
        cases: CASES.to_vec(),
        subjects: SUBJECTS.to_vec(),
        json: None,
        instructions: false,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "instructions" {
            options.instructions = true;
            continue;
        }
        let value = arguments
            .next()
            .ok_or_else(|| format!("{argument:?}: unknown, or its value is missing"))?;
        match argument.as_str() {
            "--rounds" => {
                options.rounds = value
                    .parse()
                    .map_err(|_| format!("--rounds is {value:?}; expected a number"))?;
            }
            "--case" => options
                .cases
                .retain(|case| case.starts_with(value.as_str())),
            "--subject" => options.subjects.retain(|subject| subject == value),
            "--json" => options.json = Some(value.into()),
            _ => return Err(format!("unknown option {argument:?}")),
        }
    }
    if options.cases.is_empty() || options.subjects.is_empty() {
        return Err(format!(
            "no such case or subject; there are {CASES:?}, {SUBJECTS:?}"
        ));
    }
    Ok(options)
}

fn measure_all(options: &Options) -> Result<Table, String> {
    let loops = cases::calibrate().to_string();
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut table = Table::default();
    for case in &options.cases {
        // Memory does not vary.
        let rounds = if *case == "idle-task" {
            1
        } else {
            options.rounds
        };
        for round in 0..rounds {
            eprint!("\r{case} {}/{rounds}          ", round + 1);
            for subject in &options.subjects {
                let output = Command::new(&program)
                    .args(["child", case, subject, &loops])
                    .output()
                    .map_err(|error| error.to_string())?;
                if !output.status.success() {
                    return Err(format!(
                        "{case} of {subject}: {}\n{}",
                        output.status,
                        String::from_utf8_lossy(&output.stderr)
                    ));
                }
                for line in String::from_utf8_lossy(&output.stdout).lines() {
                    let fields: Vec<_> = line.split(' ').collect();
                    if let [metric, unit, value] = fields[..]
                        && let Ok(value) = value.parse()
                    {
                        table.add(case, subject, metric, unit, value);
                    }
                }
            }
        }
    }
    eprintln!();
    Ok(table)
}

/// Instructions by callgrind, of the whole child divided by the operations.
fn count_instructions(options: &Options) -> Result<Table, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut table = Table::default();
    for case in &options.cases {
        let operations = match *case {
            "spawn" | "wake" | "timer" => 1_000_000.0,
            "yield-2" | "yield-1000" | "yield-100000" => 2_000_000.0,
            _ => continue,
        };
        for subject in &options.subjects {
            let output = Command::new("valgrind")
                .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
                .arg(&program)
                .args(["child", case, subject, "1"])
                .env("SCHED_BENCH_CALLGRIND", "1")
                .output()
                .map_err(|error| format!("cannot run valgrind: {error}"))?;
            if output.stdout.is_empty() {
                continue;
            }
            let text = String::from_utf8_lossy(&output.stderr);
            let count = text
                .lines()
                .find_map(|line| line.split("Collected :").nth(1))
                .and_then(|count| count.trim().parse::<f64>().ok())
                .ok_or_else(|| format!("{case} of {subject}: no count in\n{text}"))?;
            table.add(case, subject, "instructions", "1/op", count / operations);
        }
    }
    Ok(table)
}
