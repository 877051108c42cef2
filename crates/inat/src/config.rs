//! Options into a session and into requests.
//!
//! clap has already settled flag over variable over default for each option. What is settled here is what one option says
//! about another.

use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;
use inat_session::limit::Limits;
use inat_session::{Paths, Request, Session, SessionBuilder, TimeoutChoice};

use crate::cli::values::{Keep, Unit};
use crate::cli::{Options, Version};
use crate::failure::Failure;
use crate::in_process::InProcess;

/// What a session is for: one request, or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A command that ends.
    Once,
    /// A server that stays.
    Service,
}

/// How fresh the answer has to be, when the user says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Refresh,
    ForceRefresh,
    Newest,
    Offline,
}

/// Between two options that exclude each other, the one on the command line beats the one of the environment.
pub(crate) fn settle(options: &mut Options, matches: &ArgMatches) {
    let typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
    match (typed("sandbox"), typed("base_url")) {
        (true, false) => options.server.base_url = None,
        (false, true) => options.server.sandbox = false,
        _ => {}
    }
}

/// A session set up as the options say.
pub(crate) fn builder(options: &Options, purpose: Purpose) -> Result<SessionBuilder, Failure> {
    let mut builder = Session::builder().limits(limits(options));
    if options.server.sandbox {
        if options.server.base_url.is_some() {
            let hint = "leave one of them out; for a sandbox that stays, run `inat sandbox` and give its address";
            return Err(Failure::usage("--sandbox and --base-url name two different servers", Some(hint)));
        }
        builder = builder.transport(InProcess::default());
    }
    builder = builder
        .base_url(&base_url(options))
        .cache_size(options.files.cache_size.0)
        .memory_tier(memory_tier(options, purpose))
        .max_retries(options.pace.retries)
        .timeout(options.pace.timeout.0)
        .write_timeout(options.pace.write_timeout.0);
    builder = builder.backoff_factor(options.pace.backoff);
    if let Some(path) = &options.files.cache_file {
        builder = builder.cache_file(path);
    }
    if let Some(path) = &options.files.budget_file {
        builder = builder.ratelimit_path(path);
    }
    if let Some(user_agent) = &options.server.user_agent {
        builder = builder.user_agent(user_agent);
    }
    Ok(match (options.fresh.cache_for, purpose) {
        (Some(Keep::Headers), _) => builder.headers_only(),
        // For one request it is the request's own lifetime, which beats the server's headers.
        (Some(Keep::For(lifetime)), Purpose::Service) => builder.cache_control(false).expire_url("*", lifetime),
        (Some(Keep::For(_)), Purpose::Once) | (None, _) => builder,
    })
}

/// A session for commands that look into files and send nothing.
pub(crate) fn session(options: &Options) -> Result<inat_session::blocking::Session, Failure> {
    Ok(builder(options, Purpose::Once)?.build()?.into())
}

/// What the options say about one request.
pub(crate) fn shape(mut request: Request, options: &Options, wish: Option<Wish>) -> Request {
    let (fresh, pace) = (&options.fresh, &options.pace);
    if let Some(Keep::For(lifetime)) = fresh.cache_for {
        request = request.expire_after(lifetime);
    }
    let mut directives = Vec::new();
    if fresh.no_store {
        directives.push("no-store".to_owned());
    }
    if let Some(stale) = fresh.max_stale {
        directives.push(format!("max-stale={}", stale.as_secs()));
    }
    if !directives.is_empty() {
        request = request.header("Cache-Control", directives.join(", "));
    }
    request = match wish {
        Some(Wish::Refresh) => request.refresh(),
        Some(Wish::ForceRefresh | Wish::Newest) => request.force_refresh(),
        Some(Wish::Offline) => request.only_if_cached(),
        None => request,
    };
    if let Some(within) = pace.deadline.0 {
        request = request.deadline(within);
    }
    if pace.timeout.0.is_none() {
        request = request.timeout(TimeoutChoice::Off);
    }
    if options.talk.dry_run {
        request = request.dry_run(true);
    }
    request.verify(!options.server.insecure)
}

/// Which of the four freshness switches counts: one on the command line beats those of the environment.
pub(crate) fn wish(matches: &ArgMatches, options: &Options) -> Result<Option<Wish>, Failure> {
    let fresh = &options.fresh;
    let on: Vec<(Wish, bool)> = [
        (Wish::Refresh, "refresh", fresh.refresh),
        (Wish::ForceRefresh, "force_refresh", fresh.force_refresh),
        (Wish::Newest, "newest", fresh.newest),
        (Wish::Offline, "offline", fresh.offline),
    ]
    .into_iter()
    .filter(|(_, _, on)| *on)
    .map(|(wish, id, _)| (wish, matches.value_source(id) == Some(ValueSource::CommandLine)))
    .collect();
    let typed = on.iter().any(|(_, typed)| *typed);
    let counting: Vec<Wish> =
        on.into_iter().filter(|(_, is_typed)| *is_typed || !typed).map(|(wish, _)| wish).collect();
    match counting[..] {
        [] => Ok(None),
        [wish] => Ok(Some(wish)),
        _ => Err(Failure::usage(
            "--refresh, --force-refresh, --newest and --offline exclude one another",
            Some("say one of them; their variables count too (`inat config list` shows which are set)"),
        )),
    }
}

/// Where relative paths lead.
pub(crate) fn base_url(options: &Options) -> String {
    let base = match (&options.server.base_url, options.server.sandbox) {
        (_, true) => InProcess::BASE,
        (Some(base), false) => base,
        (None, false) => Session::API,
    };
    match options.server.api {
        Some(version) => with_version(base, version),
        None => base.to_owned(),
    }
}

/// The version in place of the one the URL ends in, or after it.
fn with_version(base: &str, version: Version) -> String {
    let trimmed = base.trim_end_matches('/');
    let root = ["/v1", "/v2"].iter().find_map(|old| trimmed.strip_suffix(old)).unwrap_or(trimmed);
    format!("{root}/{}/", version.as_str())
}

/// A process that answers once and ends reads each entry once: keeping it in memory as well would be work for nothing.
fn memory_tier(options: &Options, purpose: Purpose) -> u64 {
    let default = match purpose {
        Purpose::Once => 0,
        Purpose::Service => 32 << 20,
    };
    options.files.memory_tier.map_or(default, |size| size.0)
}

fn limits(options: &Options) -> Limits {
    let pace = &options.pace;
    let mut limits = if pace.no_limit { Limits::unlimited() } else { rates(options) };
    limits.bucket_name.clone_from(&pace.bucket_name);
    limits.max_delay = pace.max_wait.0;
    limits
}

fn rates(options: &Options) -> Limits {
    let pace = &options.pace;
    let mut limits = Limits {
        per_second: pace.per_second,
        burst: pace.burst,
        per_minute: pace.per_minute,
        per_hour: pace.per_hour,
        per_day: pace.per_day,
        per_month: pace.per_month,
        ..Limits::default()
    };
    for rate in &pace.rate {
        *match rate.per {
            Unit::Second => &mut limits.per_second,
            Unit::Minute => &mut limits.per_minute,
            Unit::Hour => &mut limits.per_hour,
            Unit::Day => &mut limits.per_day,
            Unit::Month => &mut limits.per_month,
        } = rate.count;
    }
    limits
}

/// Where the files are.
pub(crate) fn paths(options: &Options) -> Result<Paths, Failure> {
    let files = &options.files;
    if let (Some(cache_file), Some(budget_file)) = (&files.cache_file, &files.budget_file) {
        return Ok(Paths { cache_file: cache_file.clone(), budget_file: budget_file.clone() });
    }
    let standard = Paths::standard().ok_or_else(|| {
        Failure::usage("this user has no home folder to keep files in", Some("set INAT_HOME to a folder"))
    })?;
    Ok(Paths {
        cache_file: files.cache_file.clone().unwrap_or(standard.cache_file),
        budget_file: files.budget_file.clone().unwrap_or(standard.budget_file),
    })
}

/// Waits worth telling even where nobody asked for `-v`.
pub(crate) const LONG_WAIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, command};
    use clap::FromArgMatches;

    fn parse(words: &[&str]) -> (ArgMatches, Options) {
        let words = ["inat"].iter().chain(words).chain(&["budget"]);
        let matches = command().try_get_matches_from(words).unwrap();
        let cli = Cli::from_arg_matches(&matches).unwrap();
        (matches, cli.options)
    }

    fn options(words: &[&str]) -> Options {
        parse(words).1
    }

    #[test]
    fn the_defaults_are_the_librarys() {
        assert_eq!(limits(&options(&[])), Limits::default());
        assert_eq!(base_url(&options(&[])), Session::API);
        let options = options(&[]);
        let library = inat_session::RequestTimeout::default();
        assert_eq!(options.pace.timeout.0, library.timeout);
        assert_eq!(options.pace.write_timeout.0, library.write_timeout);
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "they are handed on, not computed")]
    fn rates_in_short_and_in_full() {
        let limits_of = |words: &[&str]| limits(&options(words));
        assert_eq!(limits_of(&["--rate", "50/m"]).per_minute, 50.0);
        assert_eq!(limits_of(&["--rate", "50/m,2/s", "--rate", "9/d"]).per_second, 2.0);
        assert_eq!(limits_of(&["--per-hour", "100"]).per_hour, 100.0);
        assert!(limits_of(&["--no-limit", "--per-hour", "100"]).is_unlimited());
        assert_eq!(limits_of(&["--max-wait", "2m"]).max_delay, Some(Duration::from_secs(120)));
        assert_eq!(limits_of(&["--bucket-name", "b"]).bucket_name.as_deref(), Some("b"));
    }

    #[test]
    fn the_base_and_its_version() {
        let table: [(&[&str], &str); 7] = [
            (&["--api", "v2"], "https://api.inaturalist.org/v2/"),
            (&["--base-url", "http://127.0.0.1:1"], "http://127.0.0.1:1"),
            (&["--base-url", "http://127.0.0.1:1", "--api", "v2"], "http://127.0.0.1:1/v2/"),
            (&["--base-url", "http://127.0.0.1:1/v1", "--api", "v2"], "http://127.0.0.1:1/v2/"),
            (&["--base-url", "http://h.org/x/"], "http://h.org/x/"),
            (&["--sandbox"], InProcess::BASE),
            (&["--sandbox", "--api", "v2"], "http://sandbox.inat.localhost/v2/"),
        ];
        for (words, expected) in table {
            assert_eq!(base_url(&options(words)), expected, "{words:?}");
        }
        assert!(builder(&options(&["--sandbox", "--base-url", "http://h.org/"]), Purpose::Once).is_err());
    }

    #[test]
    fn one_wish_at_a_time() {
        let of = |words: &[&str]| {
            let (matches, options) = parse(words);
            wish(&matches, &options)
        };
        assert!(matches!(of(&[]), Ok(None)));
        assert!(matches!(of(&["--newest"]), Ok(Some(Wish::Newest))));
        assert!(of(&["--refresh", "--offline"]).is_err());
    }

    #[test]
    fn requests_are_told_what_was_said() {
        let request = |words: &[&str]| shape(Request::get("taxa"), &options(words), None);
        let stale = request(&["--max-stale", "7d", "--no-store"]);
        assert_eq!(stale.headers, [("Cache-Control".to_owned(), "no-store, max-stale=604800".to_owned())]);
        assert_eq!(request(&["--timeout", "none"]).options.timeout, TimeoutChoice::Off);
        assert_eq!(request(&["-n"]).options.dry_run, Some(true));
        assert_eq!(request(&[]).options.dry_run, None);
        assert!(!request(&["--insecure"]).options.verify);
        assert_eq!(request(&["--cache-for", "off"]).options.lifetime, Some(inat_session::Lifetime::DoNotCache));
        assert_eq!(request(&["--cache-for", "headers"]).options.lifetime, None);
    }
}
