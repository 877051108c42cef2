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

use crate::show::Screen;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let (cli, matches) = cli::parse(&words);
    let screen = Screen::new(&cli.options.talk);
    show::warnings::listen(screen);
    match command::run(cli, &matches, screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            interrupt::give_way();
            show::error::tell(screen, &failure);
            ExitCode::from(failure.exit() as u8)
        }
    }
}
