//! The figures: each says by itself what was measured, and how.

mod panel;

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use bench_common::{Options, Report};
use plotters::{
    backend::SVGBackend,
    drawing::{DrawingArea, IntoDrawingArea},
    element::Text,
    style::{BLACK, IntoFont, RGBColor, TextStyle, WHITE},
};

use crate::{
    cases::{CLIENTS, OPEN_CLIENTS, OPEN_PERCENT, RATES},
    subjects::Subject,
};
use panel::{Panel, Shape};

const WIDTH: u32 = 1280;
/// Of a row of panels.
const ROW: u32 = 400;
/// Above the panels: title and legend.
const HEAD: u32 = 76;
/// Below them: how it was measured.
const FOOT: u32 = 30;

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// A file with panels, two in a row.
struct Figure {
    file: &'static str,
    title: &'static str,
    panels: Vec<Panel>,
}

/// Draws what there are figures of, and returns their paths.
pub fn draw(report: &Report, options: &Options, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut drawn = Vec::new();
    for mut figure in figures() {
        figure.panels.retain(|panel| panel.has_data(report));
        if figure.panels.is_empty() {
            continue;
        }
        let path = folder.join(figure.file);
        figure
            .draw(report, options, &path)
            .map_err(|error| anyhow!("{}: {error}", path.display()))?;
        drawn.push(path);
    }
    Ok(drawn)
}

fn figures() -> Vec<Figure> {
    vec![
        Figure {
            file: "http.svg",
            title: "Small HTTP responses, closed loop: each client sends its next request when it has its answer",
            panels: over_clients("http"),
        },
        Figure {
            file: "http-busy.svg",
            title: "The same, while a task in the server's program computes 5 µs at a time and yields in between",
            panels: over_clients("http-busy"),
        },
        Figure {
            file: "http-open.svg",
            title: "Small HTTP responses at a given rate (percent of the slowest server's greatest), latency from the \
                    intended time of sending",
            panels: open(),
        },
        Figure {
            file: "http-cpu.svg",
            title: "What requests at a fixed rate cost on one connection, and what waiting for none costs",
            panels: cpu(),
        },
        Figure {
            file: "https.svg",
            title: "Over TLS",
            panels: tls(),
        },
    ]
}

fn over_clients(kind: &str) -> Vec<Panel> {
    let panel = |title: &str, unit, metric| Panel {
        title: title.to_owned(),
        unit,
        x_title: "clients",
        metric,
        points: CLIENTS
            .map(|clients| (clients.to_string(), format!("{kind}-{clients}")))
            .into(),
        shape: Shape::Lines,
    };
    vec![
        panel("median latency", "µs", "p50_us"),
        panel("99th percentile of latency", "µs", "p99_us"),
        panel("99.9th percentile of latency", "µs", "p999_us"),
        panel("requests a second", "1/s", "req_per_s"),
    ]
}

fn open() -> Vec<Panel> {
    let points = |metric, title: &str| {
        let mut points = Vec::new();
        for connections in OPEN_CLIENTS {
            for percent in OPEN_PERCENT {
                let label = format!("{percent} %, {connections} connections");
                points.push((label, format!("http-open-{percent}-{connections}")));
            }
        }
        bars(title, "µs", metric, points)
    };
    vec![
        points("p50_us", "median latency"),
        points("p99_us", "99th percentile of latency"),
        points("p999_us", "99.9th percentile of latency"),
        points("max_us", "greatest latency"),
    ]
}

fn cpu() -> Vec<Panel> {
    let rates = || RATES.map(|rate| (format!("{rate} requests/s"), format!("http-rate-{rate}")));
    vec![
        bars(
            "processor time of the server for each request",
            "µs",
            "cpu_us_per_req",
            rates().into(),
        ),
        bars("99th percentile of latency", "µs", "p99_us", rates().into()),
        bars(
            "processor time of an idle server with one connection, for each second",
            "µs/s",
            "cpu_us_per_s",
            vec![("idle".to_owned(), "http-idle".to_owned())],
        ),
    ]
}

fn tls() -> Vec<Panel> {
    let kept = || {
        [8, 64, 512]
            .map(|clients| (format!("{clients} clients"), format!("https-{clients}")))
            .into()
    };
    let downloads = vec![
        ("HTTP".to_owned(), "http-download".to_owned()),
        ("HTTPS".to_owned(), "https-download".to_owned()),
    ];
    let handshakes = vec![("handshakes".to_owned(), "https-handshakes".to_owned())];
    vec![
        bars(
            "requests a second on kept connections",
            "1/s",
            "req_per_s",
            kept(),
        ),
        bars("99th percentile of latency, there", "µs", "p99_us", kept()),
        bars(
            "handshakes a second, a request each",
            "1/s",
            "per_s",
            handshakes,
        ),
        bars("download", "MB/s", "mb_per_s", downloads),
    ]
}

fn bars(
    title: &str,
    unit: &'static str,
    metric: &'static str,
    points: Vec<(String, String)>,
) -> Panel {
    Panel {
        title: title.to_owned(),
        unit,
        x_title: "",
        metric,
        points,
        shape: Shape::Bars,
    }
}

impl Figure {
    fn draw(
        &self,
        report: &Report,
        options: &Options,
        path: &Path,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let rows = self.panels.len().div_ceil(2);
        let height = HEAD + ROW * rows as u32 + FOOT;
        let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        root.draw(&Text::new(self.title, (16, 12), written(20)))?;
        self.draw_legend(report, &root)?;
        let note = format!(
            "Client on CPU 0, server on CPU 1. Medians of {} rounds of {} s, with the least and the greatest.",
            options.rounds, options.seconds
        );
        let below = (16, (height - FOOT + 4) as i32);
        root.draw(&Text::new(note, below, written(14)))?;
        let (_, below) = root.split_vertically(HEAD);
        let (middle, _) = below.split_vertically(ROW * rows as u32);
        let areas = middle.split_evenly((rows, 2.min(self.panels.len())));
        for (panel, area) in self.panels.iter().zip(&areas) {
            panel.draw(report, area)?;
        }
        root.present()?;
        Ok(())
    }

    fn draw_legend(
        &self,
        report: &Report,
        root: &Area<'_>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut x = 16;
        for subject in Subject::ALL {
            if self.panels.iter().all(|panel| !panel.has(report, subject)) {
                continue;
            }
            for element in panel::swatch(subject, (x, 50)) {
                root.draw(&element)?;
            }
            let name = Text::new(subject.name(), (x + 42, 42), written(16));
            root.draw(&name)?;
            x += 70 + 9 * subject.name().len() as i32;
        }
        Ok(())
    }
}

/// Black letters of this height.
fn written(height: u32) -> TextStyle<'static> {
    ("sans-serif", height).into_font().color(&BLACK)
}

/// Colours that also those tell apart who see few (Okabe and Ito).
fn colour(subject: Subject) -> RGBColor {
    match subject {
        Subject::Mkernel => RGBColor(0, 114, 178),
        Subject::AsyncExecutor => RGBColor(86, 180, 233),
        Subject::TokioCurrentThread => RGBColor(213, 94, 0),
        Subject::TokioMultiThread => RGBColor(230, 159, 0),
        Subject::Axum => RGBColor(204, 121, 167),
        Subject::Nginx => RGBColor(0, 158, 115),
        Subject::Smoltcp => RGBColor(120, 120, 120),
    }
}
