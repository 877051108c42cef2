//! `inat budget`: what is used and left.

use crate::cli::{Json, Options};
use crate::config;
use crate::failure::Failure;
use crate::show::{Screen, budget};

pub(super) fn run(json: Json, options: &Options, screen: Screen) -> Result<(), Failure> {
    let reports = config::session(options)?.budget()?;
    if json.json {
        return Ok(screen.print_json(&reports)?);
    }
    for report in &reports {
        Screen::print(&budget::lines(report))?;
    }
    if reports.is_empty() {
        screen.say("nothing is used yet");
    }
    Ok(())
}
