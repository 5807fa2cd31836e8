//! One table, and one JSON file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

/// The values of all rounds, by case, metric and subject.
#[derive(Default)]
pub struct Table {
    /// In the order of the first occurrence.
    rows: Vec<Row>,
}

struct Row {
    case: String,
    metric: String,
    unit: String,
    values: BTreeMap<String, Vec<f64>>,
}

/// The subject that the others are compared with.
const OURS: &str = "miou-rs";
/// Measured for information: not an executor that anybody could use.
const NO_PEER: &str = "async-task";

impl Table {
    pub fn add(&mut self, case: &str, subject: &str, metric: &str, unit: &str, value: f64) {
        let at = self
            .rows
            .iter()
            .position(|row| row.case == case && row.metric == metric);
        let at = at.unwrap_or_else(|| {
            self.rows.push(Row {
                case: case.into(),
                metric: metric.into(),
                unit: unit.into(),
                values: BTreeMap::new(),
            });
            self.rows.len() - 1
        });
        let values = &mut self.rows[at].values;
        values.entry(subject.into()).or_default().push(value);
    }

    /// The medians; behind each peer's, in parentheses, ours divided by it.
    pub fn print(&self, subjects: &[&str]) -> String {
        let mut text = String::new();
        let _ = write!(text, "{:<34}", "");
        for subject in subjects {
            let _ = write!(text, "{subject:>21}");
        }
        let _ = writeln!(text, "{:>17}", "ours/best peer");
        for row in &self.rows {
            let title = format!("{} {} [{}]", row.case, row.metric, row.unit);
            let _ = write!(text, "{title:<34}");
            let ours = row.values.get(OURS).map(|values| median(values));
            for subject in subjects {
                let cell = match (row.values.get(*subject), ours) {
                    (None, _) => "-".into(),
                    (Some(values), Some(ours)) if *subject != OURS => {
                        let theirs = median(values);
                        format!("{} ({:.2})", number(theirs), ours / theirs)
                    }
                    (Some(values), _) => number(median(values)),
                };
                let _ = write!(text, "{cell:>21}");
            }
            let best = row.best_peer();
            match ours.zip(best) {
                Some((ours, best)) => {
                    let _ = writeln!(text, "{:>17.2}", ours / best);
                }
                None => text.push('\n'),
            }
        }
        text
    }

    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write_json(&self, path: &Path) -> io::Result<()> {
        let mut rows = Vec::new();
        for row in &self.rows {
            for (subject, values) in &row.values {
                let (case, metric, unit) = (&row.case, &row.metric, &row.unit);
                let (min, max) = (fold(values, f64::min), fold(values, f64::max));
                rows.push(format!(
                    "  {{\"case\": \"{case}\", \"subject\": \"{subject}\", \"metric\": \"{metric}\", \
                     \"unit\": \"{unit}\", \"median\": {:.3}, \"min\": {min:.3}, \"max\": {max:.3}, \
                     \"n\": {}}}",
                    median(values),
                    values.len(),
                ));
            }
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, format!("[\n{}\n]\n", rows.join(",\n")))
    }
}

impl Row {
    /// The best median of the peers: the highest of a rate, the lowest of all
    /// else.
    fn best_peer(&self) -> Option<f64> {
        let peers = self
            .values
            .iter()
            .filter(|(subject, _)| *subject != OURS && *subject != NO_PEER)
            .map(|(_, values)| median(values));
        if self.unit == "1/s" {
            peers.reduce(f64::max)
        } else {
            peers.reduce(f64::min)
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

fn fold(values: &[f64], f: fn(f64, f64) -> f64) -> f64 {
    values.iter().copied().reduce(f).unwrap_or(f64::NAN)
}

fn number(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}
