//! What each command does.

mod budget;
mod cache;
mod config;
mod request;
mod sandbox;
mod serve;
mod shell;

use clap::ArgMatches;

use crate::cli::{Cli, Command, RequestArgs};
use crate::config as settings;
use crate::failure::Failure;
use crate::show::Screen;

/// Does what the command line says.
pub(crate) fn run(cli: Cli, matches: &ArgMatches, screen: Screen) -> Result<(), Failure> {
    let Cli { mut options, command } = cli;
    settings::settle(&mut options, matches);
    let request = |method: &str, args: &RequestArgs| request::run(method, args, &options, matches, screen);
    match command {
        Command::Get(args) => request("GET", &args),
        Command::Post(args) => request("POST", &args),
        Command::Put(args) => request("PUT", &args),
        Command::Patch(args) => request("PATCH", &args),
        Command::Delete(args) => request("DELETE", &args),
        Command::Head(args) => request("HEAD", &args),
        Command::Request(command) => request(&command.method, &command.args),
        Command::Cache { command } => cache::run(command, &options, screen),
        Command::Budget(args) => budget::run(args.json, &options, screen),
        Command::Serve(args) => serve::run(args, matches, &options, screen),
        Command::Sandbox(args) => sandbox::run(&args, screen),
        Command::Config { command } => config::run(&command, &options, matches, screen),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { to } => shell::man(to.as_deref()),
        Command::ExitCodes => Ok(Screen::print(crate::exit::TOPIC)?),
        Command::Items => Ok(Screen::print(crate::items::TOPIC)?),
    }
}
