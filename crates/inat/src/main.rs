//! The command. Data goes to standard output, everything else to standard error; the exit code says what to do next.

mod cli;
mod command;
mod config;
mod exit;
mod failure;
mod in_process;
mod interrupt;
mod items;
mod show;

use std::process::ExitCode;

use clap::FromArgMatches;

use crate::cli::Cli;
use crate::show::Screen;

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(problem) => problem.format(&mut cli::command()).exit(),
    };
    let screen = Screen::new(&cli.options.talk);
    show::warnings::listen(screen);
    match command::run(cli, &matches, screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            show::error::tell(screen, &failure);
            ExitCode::from(failure.exit() as u8)
        }
    }
}
