//! The table and the file of figures.

use std::path::Path;
use std::{fs, io};

/// The rows so far, as JSON.
#[derive(Default)]
pub struct Report {
    rows: Vec<String>,
}

impl Report {
    /// Prints a row of the table and keeps it. Without figures there is none.
    pub fn add(
        &mut self,
        case: &str,
        subject: &str,
        metric: &str,
        unit: &str,
        mut figures: Vec<f64>,
    ) {
        figures.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (figures.first(), figures.last()) else {
            return;
        };
        let (median, n) = (figures[figures.len() / 2], figures.len());
        println!("{case:20} {metric:14} {subject:10} {median:12.3} {unit}");
        self.rows.push(format!(
            r#"{{"case":"{case}","subject":"{subject}","metric":"{metric}","unit":"{unit}","median":{median},"min":{min},"max":{max},"n":{n}}}"#
        ));
    }

    /// Writes the rows as a JSON array.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, format!("[\n{}\n]\n", self.rows.join(",\n")))
    }
}
