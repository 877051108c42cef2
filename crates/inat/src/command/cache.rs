//! `inat cache`: what is stored, and tidying it.

use std::io::Write;
use std::time::SystemTime;

use inat_session::store::Listed;
use inat_session::{Paths, Timestamp};
use serde_json::json;

use crate::cli::{CacheCommand, Json, Options};
use crate::config;
use crate::failure::Failure;
use crate::show::cache::Row;
use crate::show::{Screen, size};

pub(super) fn run(command: CacheCommand, options: &Options, screen: Screen) -> Result<(), Failure> {
    let session = config::session(options)?;
    let cache = session.cache();
    let would_remove = |count: usize, json: Json| {
        if json.json {
            screen.print_json(&json!({"would_remove": count}))
        } else {
            Screen::print(&format!("would remove {count} stored {}", answers(count as u64)))
        }
    };
    let removed = |count: u64, json: Json| {
        if json.json {
            screen.print_json(&json!({"removed": count}))
        } else {
            Screen::print(&format!("removed {count} stored {}", answers(count)))
        }
    };
    match command {
        CacheCommand::Ls { pattern, limit, json } => {
            let limit = if limit == 0 { usize::MAX } else { limit };
            list(&cache.list(pattern.as_deref().map(reach).as_deref(), limit)?, json, Row::line, screen)
        }
        CacheCommand::Show { pattern, json } => {
            list(&cache.list(Some(&reach(&pattern)), usize::MAX)?, json, Row::page, screen)
        }
        CacheCommand::Stats(json) => {
            let (stats, Paths { cache_file, .. }) = (cache.stats()?, config::paths(options)?);
            if json.json {
                return Ok(screen.print_json(
                    &json!({"file": cache_file.to_string_lossy(), "entries": stats.entries, "body_bytes": stats.body_bytes,
                    "total_bytes": stats.total_bytes, "bound_bytes": stats.bound_bytes}),
                )?);
            }
            let bodies = size(stats.body_bytes);
            let (total, bound) = (size(stats.total_bytes), size(stats.bound_bytes));
            let entries = crate::show::footer::thousands(stats.entries);
            Ok(Screen::print(&format!(
                "{entries} stored {} · bodies {bodies} · {total} of at most {bound}\n{}",
                answers(stats.entries),
                cache_file.display()
            ))?)
        }
        CacheCommand::Rm { pattern, json } if options.talk.dry_run => {
            Ok(would_remove(cache.list(Some(&reach(&pattern)), usize::MAX)?.len(), json)?)
        }
        CacheCommand::Clear(json) if options.talk.dry_run => {
            Ok(would_remove(cache.list(None, usize::MAX)?.len(), json)?)
        }
        CacheCommand::Prune(_) if options.talk.dry_run => Err(Failure::usage(
            "what is expired is only known when it is removed",
            Some("`inat cache ls` shows until when each answer is good"),
        )),
        CacheCommand::Rm { pattern, json } => Ok(removed(cache.remove(&reach(&pattern))?, json)?),
        CacheCommand::Prune(json) => Ok(removed(cache.prune()?, json)?),
        CacheCommand::Clear(json) => Ok(removed(cache.clear()?, json)?),
        CacheCommand::Path => Ok(Screen::print(&config::paths(options)?.cache_file.display().to_string())?),
    }
}

fn answers(count: u64) -> &'static str {
    if count == 1 { "answer" } else { "answers" }
}

fn list(found: &[Listed], json: Json, show: impl Fn(&Row) -> String, screen: Screen) -> Result<(), Failure> {
    let now = Timestamp::from(SystemTime::now());
    let rows = found.iter().map(|listed| Row::of(listed, now));
    if json.json {
        return Ok(screen.print_json(&rows.collect::<Vec<_>>())?);
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for row in rows {
        writeln!(out, "{}", show(&row))?;
    }
    out.flush()?;
    if found.is_empty() {
        screen.say("nothing stored matches");
    }
    Ok(())
}

/// What a person means, as a pattern over URLs. These begin with the host; a path alone means that of any host and version.
fn reach(given: &str) -> String {
    let given = given.trim();
    let first = given.split(['/', '?']).next().unwrap_or_default();
    let names_a_host =
        given.contains("://") || first.contains(['.', ':']) || first.starts_with('*') || first == "localhost";
    match () {
        () if given.is_empty() || names_a_host => given.to_owned(),
        () if given.starts_with('/') => format!("*{given}"),
        () => format!("*/{given}"),
    }
}

#[cfg(test)]
mod tests {
    use super::reach;

    #[test]
    fn paths_reach_any_host() {
        let table = [
            ("/taxa*", "*/taxa*"),
            ("taxa/48662", "*/taxa/48662"),
            ("taxa*", "*/taxa*"),
            ("taxa?q=a*", "*/taxa?q=a*"),
            ("api.*/taxa", "api.*/taxa"),
            ("v1/taxa", "*/v1/taxa"),
            ("api.inaturalist.org/v1/taxa", "api.inaturalist.org/v1/taxa"),
            ("https://api.inaturalist.org/v1/taxa?q=a", "https://api.inaturalist.org/v1/taxa?q=a"),
            ("*", "*"),
            ("*/taxa", "*/taxa"),
            ("127.0.0.1:8017/v1", "127.0.0.1:8017/v1"),
            ("", ""),
        ];
        for (given, expected) in table {
            assert_eq!(reach(given), expected, "{given}");
        }
    }
}
