//! `inat config`: each setting, its value, and where it comes from.

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;
use serde_json::json;

use crate::cli::{self, ConfigCommand, Options};
use crate::config;
use crate::failure::Failure;
use crate::show::Screen;

/// One line of the list.
#[derive(Debug, Serialize)]
struct Setting {
    name: String,
    value: String,
    from: String,
}

pub(super) fn run(
    command: &ConfigCommand,
    options: &Options,
    matches: &ArgMatches,
    screen: Screen,
) -> Result<(), Failure> {
    let paths = config::paths(options)?;
    match command {
        ConfigCommand::Path(json) if json.json => Ok(screen.print_json(&json!({
            "cache_file": paths.cache_file.to_string_lossy(),
            "budget_file": paths.budget_file.to_string_lossy(),
        }))?),
        ConfigCommand::Path(_) => {
            Ok(Screen::print(&format!("{}\n{}", paths.cache_file.display(), paths.budget_file.display()))?)
        }
        ConfigCommand::List(json) => {
            let settings = settings(options, matches)?;
            if json.json {
                return Ok(screen.print_json(&settings)?);
            }
            let lines =
                settings.iter().map(|setting| format!("{:<14} {:<44} {}", setting.name, setting.value, setting.from));
            Ok(Screen::print(&lines.collect::<Vec<_>>().join("\n"))?)
        }
    }
}

fn settings(options: &Options, matches: &ArgMatches) -> Result<Vec<Setting>, Failure> {
    let paths = config::paths(options)?;
    let mut settings = Vec::new();
    for arg in cli::command().get_arguments() {
        let id = arg.get_id().as_str();
        if matches!(id, "help" | "version") {
            continue;
        }
        let given = matches.try_get_raw(id).ok().flatten().map(|values| {
            let values: Vec<_> = values.map(|value| value.to_string_lossy().into_owned()).collect();
            values.join(",")
        });
        let unset = match id {
            "cache_file" => paths.cache_file.display().to_string(),
            "budget_file" => paths.budget_file.display().to_string(),
            "base_url" => config::base_url(options),
            _ => "-".to_owned(),
        };
        let from = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "flag".to_owned(),
            Some(ValueSource::EnvVariable) => {
                let name = arg.get_env().map(|name| name.to_string_lossy().into_owned());
                format!("variable {}", name.unwrap_or_default())
            }
            _ => "default".to_owned(),
        };
        let value = match (id, given) {
            // A URL may hold a password.
            ("base_url", Some(url)) => {
                url::Url::parse(&url).map_or_else(|_| inat_session::MASK.to_owned(), |url| inat_session::mask_url(&url))
            }
            (_, given) => given.unwrap_or(unset),
        };
        settings.push(Setting { name: id.replace('_', "-"), value, from });
    }
    let token = std::env::var_os("INAT_TOKEN").is_some_and(|token| !token.is_empty());
    let (value, from) = if token { (inat_session::MASK, "variable INAT_TOKEN") } else { ("-", "default") };
    settings.push(Setting { name: "token".to_owned(), value: value.to_owned(), from: from.to_owned() });
    Ok(settings)
}
