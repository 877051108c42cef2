//! The table.

use std::time::Duration;

use crate::Effort;
use crate::repeat::{self, Spread};

/// A line of the table.
#[derive(Debug)]
pub struct Row {
    pub case: String,
    pub ours: String,
    pub yardstick: String,
    pub figure: String,
    pub target: String,
    pub met: Option<bool>,
}

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// Nothing is asked of it; it is there to be known.
    None,
}

impl Target {
    fn met(self, value: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(value >= least),
            Self::AtMost(most) => Some(value <= most),
            Self::None => None,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {least}{unit}"),
            Self::AtMost(most) => format!("≤ {most}{unit}"),
            Self::None => "–".to_owned(),
        }
    }
}

impl Row {
    /// Ours against a yardstick; the median of the ratios is judged.
    pub fn ratio(case: impl Into<String>, ours: String, yardstick: String, ratios: &[f64], target: Target) -> Self {
        let spread = Spread::of(ratios);
        Self {
            case: case.into(),
            ours,
            yardstick,
            figure: format!("{}×", spread.text(2)),
            met: target.met(spread.median),
            target: target.text("×"),
        }
    }

    /// Ours alone; its median is judged.
    pub fn alone(case: impl Into<String>, values: &[f64], unit: &str, target: Target) -> Self {
        let spread = Spread::of(values);
        let unit = format!(" {unit}");
        Self {
            case: case.into(),
            ours: format!("{}{unit}", spread.text(digits(spread.median))),
            yardstick: String::new(),
            figure: String::new(),
            met: target.met(spread.median),
            target: target.text(&unit),
        }
    }

    /// Something counted: it is as it must be, or it is not.
    pub fn counted(case: impl Into<String>, found: String, target: &str, met: bool) -> Self {
        Self {
            case: case.into(),
            ours: found,
            yardstick: String::new(),
            figure: String::new(),
            target: target.to_owned(),
            met: Some(met),
        }
    }

    /// A case that could not be measured here.
    pub fn skipped(case: &str, why: &str) -> Self {
        Self {
            case: case.to_owned(),
            ours: format!("not measured: {why}"),
            yardstick: String::new(),
            figure: String::new(),
            target: String::new(),
            met: None,
        }
    }
}

/// Decimals worth showing.
pub fn digits(value: f64) -> usize {
    match value.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        _ => 2,
    }
}

/// A rate.
pub fn per_second(values: &[f64]) -> String {
    format!("{:.0}/s", Spread::of(values).median)
}

/// Times of one call.
pub fn micros(values: &[f64]) -> String {
    let median = Spread::of(values).median;
    format!("{median:.*} µs", digits(median))
}

pub fn head(about: &[String]) {
    about.iter().for_each(|line| println!("{line}\n"));
    println!("| case | ours | yardstick | ratio (median [min–max]) | target | met |");
    println!("|---|---:|---:|---:|---:|:--:|");
}

pub fn print(row: &Row) {
    let met = match row.met {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "",
    };
    println!("| {} | {} | {} | {} | {} | {met} |", row.case, row.ours, row.yardstick, row.figure, row.target);
}

pub fn foot(effort: Effort, took: Duration, steal: f64) {
    println!();
    println!(
        "{} repetitions of {} ms a side, {:.0} s in all; {:.0} % of the processor's time was stolen by other machines, {}.",
        effort.repetitions,
        effort.span.as_millis(),
        took.as_secs_f64(),
        steal * 100.0,
        match repeat::dropped() {
            0 => "in no repetition more than 35 %".to_owned(),
            some => format!("and {some} repetitions with more than 35 % were dropped and taken again"),
        }
    );
}
