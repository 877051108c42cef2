//! What one request says: where to, with what, and what is done with the answer.

use std::path::PathBuf;

use clap::Args;

use super::values;

#[derive(Debug, Args)]
pub(crate) struct RequestCommand {
    /// The method, e.g. OPTIONS
    #[arg(value_name = "METHOD")]
    pub(crate) method: String,
    #[command(flatten)]
    pub(crate) args: RequestArgs,
}

#[allow(clippy::struct_excessive_bools, reason = "switches of the command line, each on its own")]
#[derive(Clone, Debug, Args)]
pub(crate) struct RequestArgs {
    /// A path relative to the API, or a URL
    #[arg(value_name = "PATH-OR-URL")]
    pub(crate) target: String,
    /// name==value (query), name=value (JSON text), name:=JSON, name@FILE (upload), Header:value, `Header;` (empty); see
    /// `inat help items`
    #[arg(value_name = "ITEM")]
    pub(crate) items: Vec<String>,

    /// Ask for these records: `1,2,3`, or `-` to read them from standard input
    #[arg(long, value_name = "LIST", env = "INAT_IDS", value_delimiter = ',', help_heading = "Request")]
    pub(crate) ids: Vec<String>,
    /// Let ids be other than whole numbers: UUIDs, names
    #[arg(long, env = "INAT_ALLOW_STR_IDS", value_parser = values::flag(), help_heading = "Request")]
    pub(crate) allow_str_ids: bool,
    /// Send fields as a form instead of JSON
    #[arg(long, env = "INAT_FORM", value_parser = values::flag(), help_heading = "Request")]
    pub(crate) form: bool,
    /// Send the bytes of this file as they are (`-` for standard input), as JSON unless a Content-Type item says otherwise
    #[arg(long, value_name = "FILE", env = "INAT_BODY", help_heading = "Request")]
    pub(crate) body: Option<PathBuf>,
    /// Read the access token from standard input; else it is taken from INAT_TOKEN
    #[arg(long, visible_alias = "token-stdin", env = "INAT_WITH_TOKEN", value_parser = values::flag(), help_heading = "Request")]
    pub(crate) with_token: bool,
    /// Sending this twice does no harm (it carries its own uuid): a post may be tried again
    #[arg(long, env = "INAT_IDEMPOTENT", value_parser = values::flag(), help_heading = "Request")]
    pub(crate) idempotent: bool,
    /// Follow redirects, at most ten
    #[arg(long, env = "INAT_FOLLOW", value_parser = values::flag(), help_heading = "Request")]
    pub(crate) follow: bool,

    /// Write the body to a file, which appears when it is complete
    #[arg(short, long, value_name = "FILE", env = "INAT_OUTPUT", help_heading = "Answer")]
    pub(crate) output: Option<PathBuf>,
    /// Hand the body on as it arrives, unchecked
    #[arg(long, env = "INAT_STREAM", value_parser = values::flag(), help_heading = "Answer")]
    pub(crate) stream: bool,
    /// Indent JSON, also into a pipe or file
    #[arg(long, env = "INAT_PRETTY", value_parser = values::flag(), conflicts_with = "raw", help_heading = "Answer")]
    pub(crate) pretty: bool,
    /// Leave the body as it came, also on a terminal
    #[arg(long, env = "INAT_RAW", value_parser = values::flag(), help_heading = "Answer")]
    pub(crate) raw: bool,
    /// Fail with exit code 11 when nothing matched
    #[arg(long, env = "INAT_FAIL_EMPTY", value_parser = values::flag(), help_heading = "Answer")]
    pub(crate) fail_empty: bool,
    /// Print the request as a curl command, secrets masked, and send nothing
    #[arg(long, env = "INAT_AS_CURL", value_parser = values::flag(), help_heading = "Answer")]
    pub(crate) as_curl: bool,
}
