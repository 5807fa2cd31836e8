//! Samples in, a table and `target/bench/NAME.json` out.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Result;
use serde_json::json;

use crate::subjects::{Subject, repository};

/// All samples, by case, metric and subject, in the order of arrival.
#[derive(Default)]
pub struct Report {
    order: Vec<(String, String)>,
    samples: BTreeMap<(String, String, &'static str), Vec<f64>>,
}

impl Report {
    pub fn add(&mut self, case: &str, subject: &'static str, metric: &str, value: f64) {
        let row = (case.to_owned(), metric.to_owned());
        if !self.order.contains(&row) {
            self.order.push(row);
        }
        let key = (case.to_owned(), metric.to_owned(), subject);
        self.samples.entry(key).or_default().push(value);
    }

    /// One line per case and metric: medians, and ours as a ratio to each peer.
    pub fn print(&self) {
        print!("{:<20} {:<13}", "case", "metric");
        for subject in Subject::COLUMNS {
            print!(" {:>20}", subject.name());
        }
        println!(" {:>12} {:>12}", "/ smoltcp", "/ tokio");
        for (case, metric) in &self.order {
            print!("{case:<20} {metric:<13}");
            let medians = Subject::COLUMNS.map(|subject| self.median(case, metric, subject));
            for median in medians {
                match median {
                    Some(median) if median < 1.0 => print!(" {median:>20.5}"),
                    Some(median) => print!(" {median:>20.2}"),
                    None => print!(" {:>20}", "-"),
                }
            }
            for peer in &medians[1..] {
                match (medians[0], peer) {
                    (Some(ours), Some(theirs)) => print!(" {:>12.2}", ours / theirs),
                    _ => print!(" {:>12}", "-"),
                }
            }
            println!();
        }
    }

    /// Subjects that have no column, each case in a line of its own, and ours as a ratio to it.
    pub fn print_others(&self) {
        for ((case, metric, subject), values) in &self.samples {
            if !Subject::COLUMNS
                .iter()
                .any(|column| column.name() == *subject)
            {
                let theirs = middle(&sorted(values));
                let ours = self.median(case, metric, Subject::Mkernel);
                let ratio = ours.map_or(f64::NAN, |ours| ours / theirs);
                println!("{case:<20} {metric:<13} {subject:>20} {theirs:>14.5} {ratio:>8.3}");
            }
        }
    }

    pub fn save(&self, name: &str) -> Result<()> {
        let mut rows = Vec::new();
        for ((case, metric, subject), values) in &self.samples {
            let sorted = sorted(values);
            rows.push(json!({
                "case": case, "subject": subject, "metric": metric, "unit": unit(metric),
                "median": middle(&sorted), "min": sorted[0], "max": sorted[sorted.len() - 1],
                "n": sorted.len(),
            }));
        }
        let folder = Path::new(&repository()).join("target/bench");
        fs::create_dir_all(&folder)?;
        fs::write(
            folder.join(format!("{name}.json")),
            serde_json::to_string_pretty(&rows)?,
        )?;
        Ok(())
    }

    fn median(&self, case: &str, metric: &str, subject: Subject) -> Option<f64> {
        let key = (case.to_owned(), metric.to_owned(), subject.name());
        self.samples.get(&key).map(|values| middle(&sorted(values)))
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn middle(sorted: &[f64]) -> f64 {
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

fn unit(metric: &str) -> &'static str {
    match metric {
        "gbit_per_s" => "Gbit/s",
        "p50_us" | "p99_us" | "p999_us" => "us",
        "per_s" | "req_per_s" => "1/s",
        "server_cpu_s" | "client_cpu_s" => "s",
        "bytes" => "B",
        _ => "",
    }
}
