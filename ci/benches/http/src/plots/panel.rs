//! One diagram: a metric of all subjects, over cases.

use bench_common::{Report, Summary};
use plotters::{
    chart::{ChartBuilder, ChartContext},
    coord::{
        cartesian::Cartesian2d, combinators::IntoLogRange, ranged1d::Ranged, types::RangedCoordf64,
    },
    element::{DynElement, IntoDynElement, PathElement, Rectangle, Text},
    style::{
        BLACK, Color, IntoFont, IntoTextStyle, RGBColor, ShapeStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{Area, colour};
use crate::subjects::Subject;

/// What a logarithmic axis has in the place of zero.
const LEAST: f64 = 1e-3;

/// What the values are drawn as.
#[derive(Clone, Copy, PartialEq)]
pub enum Shape {
    /// Points that are joined, each subject's last one with its value.
    Lines,
    /// A group of bars for each case, each bar with its value.
    Bars,
}

pub struct Panel {
    pub title: String,
    pub unit: &'static str,
    pub x_title: &'static str,
    pub metric: &'static str,
    /// Labels of the horizontal axis, and the cases there.
    pub points: Vec<(String, String)>,
    pub shape: Shape,
}

type Backend<'a> = plotters::backend::SVGBackend<'a>;
type Chart<'a, 'b, Y> = ChartContext<'a, Backend<'b>, Cartesian2d<RangedCoordf64, Y>>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

impl Panel {
    pub fn has_data(&self, report: &Report) -> bool {
        Subject::ALL
            .into_iter()
            .any(|subject| self.has(report, subject))
    }

    pub fn has(&self, report: &Report, subject: Subject) -> bool {
        !self.values(report, subject).is_empty()
    }

    /// The subject's values, with their place on the horizontal axis.
    fn values(&self, report: &Report, subject: Subject) -> Vec<(usize, Summary)> {
        let cases = self.points.iter().enumerate();
        cases
            .filter_map(|(place, (_, case))| {
                let summary = report.summary(case, subject.name(), self.metric)?;
                // A logarithmic axis has no zero.
                (summary.median > 0.0).then_some((place, summary))
            })
            .collect()
    }

    pub fn draw(&self, report: &Report, area: &Area<'_>) -> Drawn {
        let values: Vec<(Subject, Vec<(usize, Summary)>)> = Subject::ALL
            .into_iter()
            .map(|subject| (subject, self.values(report, subject)))
            .filter(|(_, values)| !values.is_empty())
            .collect();
        let all = || values.iter().flat_map(|(_, values)| values);
        let greatest = all().map(|(_, summary)| summary.max).fold(0.0, f64::max);
        let across = -0.5..self.points.len() as f64 - 0.5;
        let title = format!("{} [{}]", self.title, self.unit);
        let mut builder = ChartBuilder::on(area);
        builder
            .caption(title, ("sans-serif", 17))
            .margin(12)
            .margin_right(48)
            .x_label_area_size(44)
            .y_label_area_size(72);
        if self.is_logarithmic() {
            let least = all().map(|(_, summary)| summary.min.max(LEAST));
            let least = least.fold(f64::INFINITY, f64::min);
            let up = (least / 1.4..greatest * 1.6).log_scale();
            let mut chart = builder.build_cartesian_2d(across, up)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .x_labels(0)
                .y_max_light_lines(9)
                .light_line_style(RGBColor(238, 238, 238))
                .bold_line_style(RGBColor(200, 200, 200))
                .y_label_formatter(&|value| figure(*value))
                .label_style(("sans-serif", 14))
                .draw()?;
            self.draw_values(&mut chart, area, &values)
        } else {
            let mut chart = builder.build_cartesian_2d(across, 0.0..greatest * 1.12)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .x_labels(0)
                .y_max_light_lines(1)
                .bold_line_style(RGBColor(220, 220, 220))
                .y_label_formatter(&|value| figure(*value))
                .label_style(("sans-serif", 14))
                .draw()?;
            self.draw_values(&mut chart, area, &values)
        }
    }

    /// Latencies over clients grow with them. A bar begins at zero, and says what it stands for by its length.
    fn is_logarithmic(&self) -> bool {
        self.shape == Shape::Lines && self.unit == "µs"
    }

    fn draw_values<Y: Ranged<ValueType = f64>>(
        &self,
        chart: &mut Chart<'_, '_, Y>,
        area: &Area<'_>,
        values: &[(Subject, Vec<(usize, Summary)>)],
    ) -> Drawn {
        self.draw_labels(chart, area)?;
        // Ours is on top.
        for (index, (subject, values_of)) in values.iter().enumerate().rev() {
            match self.shape {
                Shape::Lines => draw_line(chart, *subject, values_of)?,
                Shape::Bars => draw_bars(chart, *subject, values_of, (index, values.len()))?,
            }
        }
        if self.shape == Shape::Lines {
            draw_last_values(chart, area, values)?;
        }
        Ok(())
    }

    /// Below the horizontal axis.
    fn draw_labels<Y: Ranged<ValueType = f64>>(
        &self,
        chart: &Chart<'_, '_, Y>,
        area: &Area<'_>,
    ) -> Drawn {
        let style = ("sans-serif", 14)
            .into_text_style(area)
            .color(&BLACK)
            .pos(Pos::new(HPos::Center, VPos::Top));
        let (horizontal, vertical) = chart.plotting_area().get_pixel_range();
        let width = f64::from(horizontal.end - horizontal.start) / self.points.len() as f64;
        // In pixels of the whole figure, of which this panel has a part.
        let (left, top) = area.get_base_pixel();
        let at = |place: f64, below: i32| {
            let x = f64::from(horizontal.start - left) + (place + 0.5) * width;
            (x as i32, vertical.end - top + below)
        };
        for (place, (label, _)) in self.points.iter().enumerate() {
            let text = Text::new(label.as_str(), at(place as f64, 8), style.clone());
            area.draw(&text)?;
        }
        let middle = (self.points.len() - 1) as f64 / 2.0;
        area.draw(&Text::new(self.x_title, at(middle, 26), style))?;
        Ok(())
    }
}

/// Medians joined by a line, each with its spread.
fn draw_line<Y: Ranged<ValueType = f64>>(
    chart: &mut Chart<'_, '_, Y>,
    subject: Subject,
    values: &[(usize, Summary)],
) -> Drawn {
    let colour = colour(subject);
    let at = |place: usize, value: f64| (place as f64, value);
    let line = values
        .iter()
        .map(|(place, summary)| at(*place, summary.median));
    chart.draw_series([PathElement::new(line.collect::<Vec<_>>(), stroke(subject))])?;
    chart.draw_series(values.iter().map(|(place, summary)| {
        let ends = [at(*place, summary.min.max(LEAST)), at(*place, summary.max)];
        PathElement::new(ends, colour.stroke_width(1))
    }))?;
    chart.draw_series(values.iter().map(|(place, summary)| {
        plotters::element::Circle::new(at(*place, summary.median), 4, colour.filled())
    }))?;
    Ok(())
}

/// The value of each line's last point beside it, one below the other where they would overlap.
fn draw_last_values<Y: Ranged<ValueType = f64>>(
    chart: &Chart<'_, '_, Y>,
    area: &Area<'_>,
    values: &[(Subject, Vec<(usize, Summary)>)],
) -> Drawn {
    const HEIGHT: i32 = 13;
    let (left, top) = area.get_base_pixel();
    let mut labels = Vec::new();
    for (subject, values) in values {
        let Some((place, summary)) = values.last() else {
            continue;
        };
        let point = (*place as f64, summary.median);
        let (x, y) = chart.plotting_area().map_coordinate(&point);
        labels.push((y - top, x - left + 9, *subject, figure(summary.median)));
    }
    labels.sort_by_key(|(y, ..)| *y);
    let mut lowest = i32::MIN;
    for (y, x, subject, text) in labels {
        let y = y.max(lowest);
        lowest = y + HEIGHT;
        let style = ("sans-serif", 12).into_font().color(&colour(subject));
        let style = style.pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(text, (x, y), style))?;
    }
    Ok(())
}

/// Bars up to the medians, each with its spread and its value.
fn draw_bars<Y: Ranged<ValueType = f64>>(
    chart: &mut Chart<'_, '_, Y>,
    subject: Subject,
    values: &[(usize, Summary)],
    (index, count): (usize, usize),
) -> Drawn {
    let colour = colour(subject);
    let width = 0.86 / count as f64;
    let left = |place: usize| place as f64 - 0.43 + index as f64 * width;
    chart.draw_series(values.iter().map(|(place, summary)| {
        let left = left(*place);
        let corners = [(left, 0.0), (left + width * 0.9, summary.median)];
        Rectangle::new(corners, colour.filled())
    }))?;
    let middle = |place: usize| left(place) + width * 0.45;
    chart.draw_series(values.iter().map(|(place, summary)| {
        let ends = [summary.min, summary.max].map(|end| (middle(*place), end));
        PathElement::new(ends, BLACK.stroke_width(1))
    }))?;
    let style = ("sans-serif", 11).into_text_style(chart.plotting_area());
    let style = style
        .color(&BLACK)
        .pos(Pos::new(HPos::Center, VPos::Bottom));
    chart.draw_series(values.iter().map(|(place, summary)| {
        let above = (middle(*place), summary.max * 1.01);
        Text::new(figure(summary.median), above, style.clone())
    }))?;
    Ok(())
}

/// A subject's line and mark, for the legend.
pub fn swatch<'a>(
    subject: Subject,
    (x, y): (i32, i32),
) -> [DynElement<'a, Backend<'a>, (i32, i32)>; 2] {
    let line = PathElement::new([(x, y), (x + 34, y)], stroke(subject));
    let mark = plotters::element::Circle::new((x + 17, y), 4, colour(subject).filled());
    [line.into_dyn(), mark.into_dyn()]
}

/// Ours stands out.
fn stroke(subject: Subject) -> ShapeStyle {
    colour(subject).stroke_width(if subject == Subject::Mkernel { 4 } else { 2 })
}

/// Three digits, as one would write it.
fn figure(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.3}M", value / 1e6),
        value if value >= 1e5 => format!("{:.0}k", value / 1e3),
        value if value >= 1e4 => format!("{:.1}k", value / 1e3),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        value => format!("{value:.2}"),
    }
}
