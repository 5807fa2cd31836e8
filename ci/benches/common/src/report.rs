//! Samples in, a table and a file of rows out.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

/// All samples, by case, subject and metric, in the order of arrival.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    case: String,
    subject: String,
    metric: String,
    samples: Vec<f64>,
}

/// What a sample's row says of it.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// The middle one.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// How many there are.
    pub count: usize,
}

/// A column of ratios: the first subject's median to the best of others'.
#[derive(Clone, Copy, Debug)]
pub struct Ratio<'a> {
    /// The column's title.
    pub title: &'a str,
    /// The others.
    pub to: &'a [&'a str],
}

impl Report {
    /// One more sample.
    pub fn add(&mut self, case: &str, subject: &str, metric: &str, value: f64) {
        let same = |row: &&mut Row| row.is(case, subject, metric);
        if let Some(row) = self.rows.iter_mut().find(same) {
            row.samples.push(value);
            return;
        }
        self.rows.push(Row {
            case: case.to_owned(),
            subject: subject.to_owned(),
            metric: metric.to_owned(),
            samples: vec![value],
        });
    }

    /// What there is of it.
    pub fn summary(&self, case: &str, subject: &str, metric: &str) -> Option<Summary> {
        let row = self.rows.iter().find(|row| row.is(case, subject, metric))?;
        Some(row.summary())
    }

    /// One line for each case and metric: the medians of the subjects in `columns`, and ratios. Rows of other
    /// subjects follow, in lines of their own, with the ratio of the first column's subject to each.
    pub fn print_table(&self, columns: &[&str], ratios: &[Ratio]) {
        let width = |row: &Row| row.case.len() + row.metric.len() + unit(&row.metric).len() + 4;
        let widest = self.rows.iter().map(width).max().unwrap_or(0);
        print!("{:widest$}", "");
        for column in columns {
            print!(" {:>wide$}", column, wide = column.len().max(10));
        }
        for ratio in ratios {
            print!(" {:>wide$}", ratio.title, wide = ratio.title.len().max(8));
        }
        println!();
        let in_column = |row: &&Row| columns.contains(&row.subject.as_str());
        let mut printed: Vec<(&str, &str)> = Vec::new();
        for Row { case, metric, .. } in self.rows.iter().filter(in_column) {
            if printed.contains(&(case, metric)) {
                continue;
            }
            printed.push((case, metric));
            let title = format!("{case} {metric} [{}]", unit(metric));
            print!("{title:widest$}");
            for column in columns {
                let wide = column.len().max(10);
                print!(" {:>wide$}", number(self.median(case, column, metric)));
            }
            for ratio in ratios {
                let wide = ratio.title.len().max(8);
                print!(" {:>wide$}", self.ratio(case, metric, columns[0], ratio));
            }
            println!();
        }
        for row in self.rows.iter().filter(|row| !in_column(row)) {
            let to = Ratio {
                title: "",
                to: &[&row.subject],
            };
            println!(
                "{:<20} {:<13} {:>20} {:>14} {:>8}",
                row.case,
                row.metric,
                row.subject,
                number(Some(row.summary().median)),
                self.ratio(&row.case, &row.metric, columns[0], &to),
            );
        }
    }

    /// One line for each row: median, least and greatest, and how many.
    pub fn print_rows(&self) {
        for row in &self.rows {
            let Summary {
                median,
                min,
                max,
                count,
            } = row.summary();
            println!(
                "{:<24} {:<14} {:<12} {:>12} {:<5} ({} to {}, {count})",
                row.case,
                row.subject,
                row.metric,
                number(Some(median)),
                unit(&row.metric),
                number(Some(min)),
                number(Some(max)),
            );
        }
    }

    /// Writes the rows as JSON.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        let row = |row: &Row| {
            let summary = row.summary();
            json!({
                "case": row.case, "subject": row.subject, "metric": row.metric,
                "unit": unit(&row.metric), "median": summary.median, "min": summary.min,
                "max": summary.max, "n": summary.count,
            })
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, serde_json::to_string_pretty(&rows)?)?;
        Ok(())
    }

    fn median(&self, case: &str, subject: &str, metric: &str) -> Option<f64> {
        Some(self.summary(case, subject, metric)?.median)
    }

    fn ratio(&self, case: &str, metric: &str, ours: &str, ratio: &Ratio) -> String {
        let theirs = ratio.to.iter();
        let theirs = theirs.filter_map(|subject| self.median(case, subject, metric));
        let best = match is_better_when_greater(metric) {
            true => theirs.reduce(f64::max),
            false => theirs.reduce(f64::min),
        };
        match (self.median(case, ours, metric), best) {
            (Some(ours), Some(best)) => format!("{:.2}", ours / best),
            _ => "-".to_owned(),
        }
    }
}

impl Row {
    fn is(&self, case: &str, subject: &str, metric: &str) -> bool {
        (&*self.case, &*self.subject, &*self.metric) == (case, subject, metric)
    }

    fn summary(&self) -> Summary {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        Summary {
            median: (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0,
            min: sorted[0],
            max: sorted[count - 1],
            count,
        }
    }
}

fn number(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value >= 10_000.0 => format!("{value:.0}"),
        Some(value) if value >= 1.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.5}"),
    }
}

fn is_better_when_greater(metric: &str) -> bool {
    metric == "per_s" || metric.ends_with("_per_s") && !metric.starts_with("cpu_")
}

fn unit(metric: &str) -> &'static str {
    match metric {
        "gbit_per_s" => "Gbit/s",
        "mb_per_s" => "MB/s",
        "cpu_us_per_s" => "us/s",
        "mem" => "MiB",
        "bytes" | "requested" => "B",
        metric if is_better_when_greater(metric) => "1/s",
        metric if metric.contains("_us") => "us",
        metric if metric.ends_with("_s") => "s",
        _ => "",
    }
}
