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

use std::mem::ManuallyDrop;
use std::process::ExitCode;

use clap::FromArgMatches;

use crate::cli::Cli;
use crate::show::Screen;

fn main() -> ExitCode {
    // Taking the tree apart again would cost as much as a cached answer, and the process ends soon.
    let mut command = ManuallyDrop::new(cli::command());
    let matches = command.try_get_matches_from_mut(std::env::args_os()).unwrap_or_else(|problem| problem.exit());
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(problem) => problem.format(&mut command).exit(),
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
