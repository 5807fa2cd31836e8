//! Samples in, a table and `target/bench/memory.json` out.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

/// All samples, by case, subject and metric, in the order of arrival.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

struct Row {
    case: String,
    subject: &'static str,
    metric: &'static str,
    samples: Vec<f64>,
}

impl Report {
    pub fn add(&mut self, case: &str, subject: &'static str, metric: &'static str, value: f64) {
        let same = |row: &&mut Row| {
            (row.case.as_str(), row.subject, row.metric) == (case, subject, metric)
        };
        if let Some(row) = self.rows.iter_mut().find(same) {
            row.samples.push(value);
            return;
        }
        self.rows.push(Row {
            case: case.to_owned(),
            subject,
            metric,
            samples: vec![value],
        });
    }

    pub fn print(&self) {
        for row in &self.rows {
            let (median, min, max) = summary(&row.samples);
            println!(
                "{:<24} {:<10} {:<10} {:>12.0} {:<4} ({min:.0} to {max:.0}, {})",
                row.case,
                row.subject,
                row.metric,
                median,
                unit(row.metric),
                row.samples.len()
            );
        }
    }

    pub fn save(&self, file: &Path) -> Result<()> {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                let (median, min, max) = summary(&row.samples);
                json!({
                    "case": row.case, "subject": row.subject, "metric": row.metric,
                    "unit": unit(row.metric), "median": median, "min": min, "max": max,
                    "n": row.samples.len(),
                })
            })
            .collect();
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, serde_json::to_string_pretty(&rows)?)?;
        Ok(())
    }
}

/// Median, least and largest.
fn summary(samples: &[f64]) -> (f64, f64, f64) {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
    (middle, sorted[0], sorted[sorted.len() - 1])
}

fn unit(metric: &str) -> &'static str {
    match metric {
        "mem" => "MiB",
        _ => "B",
    }
}
