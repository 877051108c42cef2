//! The command line. These doc comments are the manual: `--help`, the man page and the completions are made from them.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, reason = "what is shown in a terminal is no Markdown")]

mod options;
mod request;
mod serve;
pub(crate) mod values;

pub(crate) use options::{ColorChoice, Options, Talk, Version};
pub(crate) use request::{RequestArgs, RequestCommand};
pub(crate) use serve::ServeArgs;

use std::ffi::OsString;
use std::mem::ManuallyDrop;

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

/// iNaturalist on the command line: polite, cached, durable.
///
/// Answers are kept on disk and reused by the rules of HTTP, requests are paced by one budget that every process on this
/// machine shares, failures are tried again where that is safe. Data goes to standard output, everything else to standard
/// error.
#[derive(Debug, Parser)]
#[command(name = "inat", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Try it without a network: inat --sandbox get taxa q==monarch
See also: inat help items, inat help exit-codes, inat config list")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask for something: `inat get taxa q==monarch`
    ///
    /// The path is relative to the API (`taxa`, `observations/318402211`, `v2/taxa`); a whole URL of any host works too.
    Get(RequestArgs),
    /// Create something: `inat post observations observation[species_guess]=Monarch`
    Post(RequestArgs),
    /// Replace or change something
    Put(RequestArgs),
    /// Change something in part
    Patch(RequestArgs),
    /// Remove something
    Delete(RequestArgs),
    /// Ask for the headers only
    Head(RequestArgs),
    /// Send a request with any method: `inat request REPORT https://example.org/`
    Request(RequestCommand),
    /// Look into the cache, and tidy it
    Cache {
        #[command(subcommand)]
        command: CacheCommand,
    },
    /// Show how much of the budget is used and left
    Budget(BudgetArgs),
    /// Serve the API on a local port: one cache and one budget for programs in any language
    Serve(ServeArgs),
    /// Run an offline stand-in for api.inaturalist.org
    Sandbox(SandboxArgs),
    /// Show each setting, its value, and where it comes from
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print completions for a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual as a man page
    Man {
        /// Write a page for each command into this folder instead
        #[arg(long, value_name = "FOLDER", env = "INAT_TO")]
        to: Option<std::path::PathBuf>,
    },
    /// What the exit codes mean
    #[command(name = "exit-codes", long_about = crate::exit::TOPIC, hide = true, help_template = "{about}")]
    ExitCodes,
    /// How the parts of a request are written
    #[command(long_about = crate::items::TOPIC, hide = true, help_template = "{about}")]
    Items,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// List stored answers, those used last first
    Ls {
        /// Which: a URL, a path such as `/taxa`, or a pattern such as `*/observations*`; all without one
        pattern: Option<String>,
        /// At most so many; 0 for all
        #[arg(long, value_name = "N", env = "INAT_LIMIT", default_value_t = 0)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Show stored answers in full: age, freshness and why, size, whose they are
    Show {
        /// Which: a URL, a path such as `/taxa/48662`, or a pattern
        pattern: String,
        #[command(flatten)]
        json: Json,
    },
    /// How many answers are stored, and how much room they take
    Stats(Json),
    /// Remove stored answers
    Rm {
        /// Which: a URL, a path such as `/taxa`, or a pattern
        pattern: String,
        #[command(flatten)]
        json: Json,
    },
    /// Remove what has expired and cannot be of use any more
    Prune(Json),
    /// Remove all stored answers
    Clear(Json),
    /// Print where the cache is
    Path,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Json {
    /// Print JSON
    #[arg(long, env = "INAT_JSON", value_parser = values::flag())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BudgetArgs {
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// List all settings
    List(Json),
    /// Print where files are kept
    Path(Json),
}

/// An offline stand-in for api.inaturalist.org
///
/// Synthetic data of the true shapes, with the caching, errors and limits of the real server, and faults on demand.
#[derive(Debug, Args)]
#[command(after_long_help = inat_sandbox::GUIDE, after_help = "`inat help sandbox` lists its routes and faults")]
pub(crate) struct SandboxArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", env = "INAT_SANDBOX_LISTEN", default_value = "127.0.0.1:8018")]
    pub(crate) listen: std::net::SocketAddr,
    /// Faults by chance, e.g. `429=5@0.02,cut-body@0.01`: name, argument, rate
    #[arg(long, value_name = "LIST", env = "INAT_SANDBOX_FAULTS")]
    pub(crate) faults: Option<String>,
    /// Decides the synthetic data and the order of faults
    #[arg(long, value_name = "N", env = "INAT_SANDBOX_SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How many observations there are
    #[arg(long, value_name = "N", env = "INAT_SANDBOX_OBSERVATIONS", default_value_t = 25_000)]
    pub(crate) observations: u32,
    /// Limits each address: `documented` is 100 in any minute, `strict` is 55 a minute and 10,000 a day
    #[arg(long, value_name = "HOW", env = "INAT_SANDBOX_THROTTLE", default_value = "off")]
    pub(crate) throttle: ThrottleChoice,
    /// Puts a cache in front, as the real server has one
    #[arg(long, env = "INAT_SANDBOX_CDN", value_parser = values::flag())]
    pub(crate) cdn: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ThrottleChoice {
    Off,
    Documented,
    Strict,
}

/// Help names the variables, and not what is in them.
fn quiet_about_values(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| blank_is_unset(arg).hide_env_values(true)).mut_subcommands(quiet_about_values)
}

/// A variable that is set to nothing is not set: shells have no other way of leaving one out for a single command.
fn blank_is_unset(arg: clap::Arg) -> clap::Arg {
    let is_blank = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    if arg.get_env().is_some_and(is_blank) { arg.env(None::<&'static str>) } else { arg }
}

/// The whole tree. Options of the top level are taken anywhere: `inat -v get taxa` and `inat get taxa -v` say the same.
pub(crate) fn command() -> clap::Command {
    Cli::command()
        .mut_args(|arg| blank_is_unset(arg).global(true).hide_env_values(true))
        .mut_subcommands(quiet_about_values)
}

/// What the words of a command line say. Ends the process where they say nothing, or ask for help.
///
/// The whole tree, with its options in every command, takes longer to build than a cached answer to find. So the words are
/// first held against the one command they seem to name; whatever does not fit there is left to the whole.
pub(crate) fn parse(words: &[OsString]) -> (Cli, ArgMatches) {
    quickly(words).unwrap_or_else(|| {
        let mut command = command();
        let matches = command.try_get_matches_from_mut(words).unwrap_or_else(|problem| problem.exit());
        match Cli::from_arg_matches(&matches) {
            Ok(cli) => (cli, matches),
            Err(problem) => problem.format(&mut command).exit(),
        }
    })
}

/// Commands that ask for one answer, and should give it quickly.
const REQUESTS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];

/// What fits here means the same in the whole tree: the first word that is no option, nor an option's value, is the command
/// in both.
fn quickly(words: &[OsString]) -> Option<(Cli, ArgMatches)> {
    let name = words.iter().skip(1).find_map(|word| REQUESTS.iter().find(|name| word == *name))?;
    // Taking a tree apart costs as much as building it, and there is one for the life of the process.
    let mut one = ManuallyDrop::new(
        Options::augment_args(clap::Command::new("inat"))
            .mut_args(|arg| blank_is_unset(arg).global(true))
            .subcommand_required(true)
            .disable_help_flag(true)
            .disable_help_subcommand(true)
            .subcommand(
                RequestArgs::augment_args(clap::Command::new(*name)).mut_args(blank_is_unset).disable_help_flag(true),
            ),
    );
    let matches = one.try_get_matches_from_mut(words).ok()?;
    Some((Cli::from_arg_matches(&matches).ok()?, matches))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn the_quick_way_says_the_same() {
        let table: &[(&[&str], bool)] = &[
            (&["get", "taxa", "q==monarch"], true),
            (&["-v", "--sandbox", "get", "taxa", "-q", "--rate", "50/m"], true),
            (&["get", "post"], true),
            (&["post", "x", "a=b", "--form", "--retries", "0"], true),
            (&["delete", "x", "--", "--get"], true),
            (&["--user-agent", "get", "post", "taxa"], false),
            (&["get"], false),
            (&["get", "--help"], false),
            (&["help", "get"], false),
            (&["cache", "ls", "get"], false),
            (&["get", "taxa", "--frobnicate"], false),
            (&["request", "GET", "taxa"], false),
            (&["budget"], false),
        ];
        for (words, quick) in table {
            let words: Vec<OsString> = ["inat"].iter().chain(*words).map(OsString::from).collect();
            let found = quickly(&words);
            assert_eq!(found.is_some(), *quick, "{words:?}");
            let Some((cli, _)) = found else { continue };
            let whole = Cli::from_arg_matches(&command().try_get_matches_from(&words).unwrap()).unwrap();
            assert_eq!(format!("{cli:?}"), format!("{whole:?}"), "{words:?}");
        }
    }

    #[test]
    fn every_option_has_a_variable_named_like_it() {
        let mut commands = vec![("INAT_".to_owned(), command())];
        while let Some((prefix, next)) = commands.pop() {
            let named =
                |arg: &&clap::Arg| arg.get_long().is_some() && !matches!(arg.get_id().as_str(), "help" | "version");
            for arg in next.get_arguments().filter(named) {
                let id = arg.get_id().as_str().to_uppercase();
                let env = arg.get_env().and_then(std::ffi::OsStr::to_str);
                let expected = format!("{prefix}{id}");
                let named_otherwise = id == "BASE_URL" && env == Some("INAT_API_URL");
                assert!(named_otherwise || env == Some(&expected), "{id} has {env:?}");
            }
            commands.extend(next.get_subcommands().cloned().map(|command| match command.get_name() {
                // Settings of a server that stays; they are no business of a request.
                name @ ("serve" | "sandbox") => (format!("INAT_{}_", name.to_uppercase()), command),
                _ => ("INAT_".to_owned(), command),
            }));
        }
    }

    #[test]
    fn no_option_takes_a_token() {
        let mut commands = vec![command()];
        while let Some(next) = commands.pop() {
            for arg in next.get_arguments() {
                let takes_value = arg.get_action().takes_values();
                assert!(!(takes_value && arg.get_id().as_str().contains("token")), "{}", arg.get_id());
            }
            commands.extend(next.get_subcommands().cloned());
        }
    }
}
