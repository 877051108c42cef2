//! Ours beside its yardsticks: every figure of `docs/performance.md` comes from here.
//!
//! A figure alone says as much about the machine as about the program, so each is taken together with a yardstick: in the
//! same run, in turn, several times, and what counts is the median of the ratios. What is not time (requests, bytes on disk,
//! memory) is exact and needs no yardstick.
//!
//! What is printed is Markdown, machine and versions included, and goes into that document as it is.

mod about;
mod body;
mod cases;
mod child;
mod origin;
mod peers;
mod raw;
mod repeat;
mod report;
mod timing;
mod usage;

use std::time::{Duration, Instant};

use clap::Parser;

/// The error of a bench: it ends the case, and is shown.
type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures the session beside its yardsticks, and prints the result as a Markdown table.
#[derive(Debug, Parser)]
struct Options {
    /// Cases to run; all of them when none is named.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(cases::ALL.map(|case| case.name)))]
    cases: Vec<String>,
    /// Repetitions of each measurement.
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
    /// How long each side of a measurement runs, in milliseconds.
    #[arg(long, default_value_t = 150)]
    span: u64,
    /// Also measure a cache of a million entries: takes minutes and 2 GB of disk.
    #[arg(long)]
    million: bool,
}

/// How a case is to be measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    repetitions: usize,
    span: Duration,
    million: bool,
}

fn main() -> Fallible<()> {
    // First of all, and without reading options: what a child costs from its start to its end is measured.
    if let Some(result) = child::play() {
        return result;
    }
    let options = Options::parse();
    let effort = Effort {
        repetitions: options.repetitions.max(1),
        span: Duration::from_millis(options.span),
        million: options.million,
    };
    let wanted = |name: &str| options.cases.is_empty() || options.cases.iter().any(|case| case == name);
    let started = Instant::now();
    let steal = repeat::Steal::now();
    report::head(&about::lines());
    for case in cases::ALL.iter().filter(|case| wanted(case.name)) {
        match (case.run)(effort) {
            Ok(rows) => rows.iter().for_each(report::print),
            Err(error) => report::print(&report::Row::skipped(case.name, &error.to_string())),
        }
    }
    report::foot(effort, started.elapsed(), steal.share_since());
    Ok(())
}
