//! Options that hold for every command: how fresh, how fast, where files are, what is shown.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::values::{self, Keep, Rate, Size, Within};

#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) fresh: Fresh,
    #[command(flatten)]
    pub(crate) pace: Pace,
    #[command(flatten)]
    pub(crate) files: Files,
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) talk: Talk,
}

#[allow(clippy::struct_excessive_bools, reason = "switches of the command line, each on its own")]
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Freshness")]
pub(crate) struct Fresh {
    /// Ask the server whether a stored answer is still good, as F5 does
    #[arg(long, env = "INAT_REFRESH", value_parser = values::flag())]
    pub(crate) refresh: bool,
    /// Fetch anew whatever is stored, as Ctrl-F5 does
    #[arg(long, env = "INAT_FORCE_REFRESH", value_parser = values::flag())]
    pub(crate) force_refresh: bool,
    /// Fetch anew, past the two-minute cache in front of the server too: varies the URL
    #[arg(long, env = "INAT_NEWEST", value_parser = values::flag())]
    pub(crate) newest: bool,
    /// Answer from the cache or not at all
    #[arg(long, env = "INAT_OFFLINE", value_parser = values::flag())]
    pub(crate) offline: bool,
    /// Do not keep the answer; one request does not use what is kept either
    #[arg(long, env = "INAT_NO_STORE", value_parser = values::flag())]
    pub(crate) no_store: bool,
    /// Take a stored answer that expired no longer than so ago [default: none]
    #[arg(long, value_name = "TIME", env = "INAT_MAX_STALE", value_parser = values::duration)]
    pub(crate) max_stale: Option<Duration>,
    /// Keep answers so long whatever the server says (`1h`, `7d`, `never` expires, a date), only as long as it says
    /// (`headers`), or neither look nor keep (`off`) [default: as the server says, else by URL, else 30 minutes]
    #[arg(long, value_name = "TIME", env = "INAT_CACHE_FOR")]
    pub(crate) cache_for: Option<Keep>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Pace and patience")]
pub(crate) struct Pace {
    /// A rate in short, e.g. `50/m`: per `s`, `m`, `h`, `d` or `mo`; may be given for several
    #[arg(long, value_name = "N/UNIT", env = "INAT_RATE", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) rate: Vec<Rate>,
    /// Requests a second, on average over the burst; 0 for no such limit
    #[arg(long, value_name = "N", env = "INAT_PER_SECOND", default_value = "1", hide_short_help = true)]
    pub(crate) per_second: f64,
    /// How many seconds' worth of requests may leave at once; after them none leaves until those seconds are over
    #[arg(long, value_name = "N", env = "INAT_BURST", default_value = "5", hide_short_help = true)]
    pub(crate) burst: u32,
    /// Requests in any minute; 0 for no such limit
    #[arg(long, value_name = "N", env = "INAT_PER_MINUTE", default_value = "60", hide_short_help = true)]
    pub(crate) per_minute: f64,
    /// Requests in any hour; 0 for no such limit
    #[arg(long, value_name = "N", env = "INAT_PER_HOUR", default_value = "0", hide_short_help = true)]
    pub(crate) per_hour: f64,
    /// Requests in any 24 hours; 0 for no such limit
    #[arg(long, value_name = "N", env = "INAT_PER_DAY", default_value = "10000", hide_short_help = true)]
    pub(crate) per_day: f64,
    /// Requests in any 30 days; 0 for no such limit
    #[arg(long, value_name = "N", env = "INAT_PER_MONTH", default_value = "0", hide_short_help = true)]
    pub(crate) per_month: f64,
    /// No limits at all, whatever else is said; for servers of your own
    #[arg(long, env = "INAT_NO_LIMIT", value_parser = values::flag(), hide_short_help = true)]
    pub(crate) no_limit: bool,
    /// Give up when a slot of the budget is further away than this (exit code 8); `none` waits for any. Where
    /// it is not said, `serve` waits for a minute
    #[arg(long, alias = "max-delay", value_name = "TIME", env = "INAT_MAX_WAIT", default_value = "none")]
    pub(crate) max_wait: Within,
    /// Count apart from other programs that share the budget file, under this name
    #[arg(long, value_name = "NAME", env = "INAT_BUCKET_NAME", hide_short_help = true)]
    pub(crate) bucket_name: Option<String>,
    /// Try again so often after a failure, where that is safe
    #[arg(long, value_name = "N", env = "INAT_RETRIES", default_value = "5")]
    pub(crate) retries: u32,
    /// Seconds the waits between tries grow from: 0.5 gives 0, 1, 2, 4, 8 s, and a little at random
    #[arg(long, value_name = "SECONDS", env = "INAT_BACKOFF", default_value = "0.5", value_parser = values::seconds,
        hide_short_help = true)]
    pub(crate) backoff: f64,
    /// The longest silence of the server; connecting has 5 s. `none` turns every time limit off
    #[arg(long, value_name = "TIME", env = "INAT_TIMEOUT", default_value = "20s", value_parser = values::patience)]
    pub(crate) timeout: Within,
    /// The same for post, put and patch, connecting included; `none` for no limit
    #[arg(long, value_name = "TIME", env = "INAT_WRITE_TIMEOUT", default_value = "60s", value_parser = values::patience,
        hide_short_help = true)]
    pub(crate) write_timeout: Within,
    /// A bound on everything together: waiting, sending, trying again
    #[arg(long, value_name = "TIME", env = "INAT_DEADLINE", default_value = "none", value_parser = values::patience)]
    pub(crate) deadline: Within,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct Files {
    /// The cache [default: http.db in $INAT_HOME, else in the user's cache folder]
    #[arg(long, value_name = "FILE", env = "INAT_CACHE_FILE", hide_short_help = true)]
    pub(crate) cache_file: Option<PathBuf>,
    /// The budget [default: budget.db in $INAT_HOME, else in the user's state folder]
    #[arg(long, value_name = "FILE", env = "INAT_BUDGET_FILE", hide_short_help = true)]
    pub(crate) budget_file: Option<PathBuf>,
    /// The most the cache may hold; what was not used for longest goes first
    #[arg(long, value_name = "SIZE", env = "INAT_CACHE_SIZE", default_value = "512MiB", hide_short_help = true)]
    pub(crate) cache_size: Size,
    /// How much of the cache is kept in memory while the command runs; of use to `serve` [default: 0, for `serve` 32MiB]
    #[arg(long, value_name = "SIZE", env = "INAT_MEMORY_TIER", hide_short_help = true)]
    pub(crate) memory_tier: Option<Size>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Server {
    /// Start an offline stand-in for iNaturalist inside this process, and ask that
    #[arg(long, env = "INAT_SANDBOX", value_parser = values::flag())]
    pub(crate) sandbox: bool,
    /// Where relative paths lead, e.g. http://127.0.0.1:8017/v1/ [default: https://api.inaturalist.org/v1/]
    #[arg(long, value_name = "URL", env = "INAT_API_URL")]
    pub(crate) base_url: Option<String>,
    /// Which version of the API relative paths ask [default: v1, or what the base URL says]
    #[arg(long, value_name = "VERSION", env = "INAT_API")]
    pub(crate) api: Option<Version>,
    /// Who is asking, beside this program: `flutter-atlas/0.3 (+https://example.org/atlas)`
    #[arg(long, value_name = "TEXT", env = "INAT_USER_AGENT", hide_short_help = true)]
    pub(crate) user_agent: Option<String>,
    /// Do not check the server's certificate
    #[arg(long, env = "INAT_INSECURE", value_parser = values::flag(), hide_short_help = true)]
    pub(crate) insecure: bool,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Talk {
    /// Say what each stage would do, and send nothing; DRY_RUN_ENABLED and DRY_RUN_WRITE_ONLY do the same
    #[arg(short = 'n', long, env = "INAT_DRY_RUN", value_parser = values::flag())]
    pub(crate) dry_run: bool,
    /// Tell what happens on the way: -v each stage, -vv headers too, -vvv bodies too; secrets are masked
    #[arg(short, long, env = "INAT_VERBOSE", action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, env = "INAT_QUIET", value_parser = values::flag())]
    pub(crate) quiet: bool,
    /// Whether to use colour; NO_COLOR and CLICOLOR_FORCE are honoured
    #[arg(long, value_name = "WHEN", env = "INAT_COLOR", default_value = "auto")]
    pub(crate) color: ColorChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Version {
    V1,
    V2,
}

impl Version {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}
