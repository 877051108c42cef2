//! Errors: what, where on the path, how often, how long, and what to do next.

use std::fmt::Write as _;
use std::io;

use inat_session::{Error, Fault, Kind};

use super::{Screen, span};
use crate::failure::{Failure, Similar};

/// Tells why a run ended.
pub(crate) fn tell(screen: Screen, failure: &Failure) {
    match failure {
        Failure::Usage { what, hint } => {
            screen.tell("error: ", what);
            hint_line(screen, hint.as_deref());
        }
        Failure::Session { error, similar } => {
            screen.tell("error: ", &what(error));
            screen.tell("", &place(error));
            hint_line(screen, hint(error, similar.as_ref()).as_deref());
        }
        Failure::Broken(fault) => {
            screen.tell("error: ", &fault.to_string());
            hint_line(screen, fault.hint());
        }
        Failure::Gateway(error) => {
            screen.tell("error: ", &error.to_string());
            hint_line(screen, error.hint());
        }
        Failure::Files { what, error } => {
            screen.tell("error: ", &format!("{what}: {error}"));
            hint_line(screen, Some(file_hint(error)));
        }
        Failure::Empty => screen.say("nothing matched"),
    }
}

fn hint_line(screen: Screen, hint: Option<&str>) {
    if let Some(hint) = hint {
        screen.tell("hint: ", hint);
    }
}

/// What may help where a file, a folder or an address is in the way.
fn file_hint(error: &io::Error) -> &'static str {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, NotFound, PermissionDenied, QuotaExceeded, StorageFull};
    match error.kind() {
        NotFound => "name a file in a folder that is there",
        PermissionDenied => "check who may read and write there, or name another place",
        StorageFull | QuotaExceeded => "make room, or write elsewhere",
        AddrInUse => "something listens there already: end it, or take another address (--listen)",
        AddrNotAvailable => "this machine has no such address: take another (--listen)",
        _ => "check that it is there, and that it can be read and written",
    }
}

fn what(error: &Error) -> String {
    match error.kind() {
        Kind::NotCached => "not in the cache, and --offline forbids asking".to_owned(),
        kind => kind.to_string(),
    }
}

/// `  at lookup, GET https://api.inaturalist.org/v1/taxa, after 3 tries and 2 s`
fn place(error: &Error) -> String {
    let mut text = format!("  at {}", error.stage());
    if let Some(url) = error.url() {
        let _ = write!(text, ", {} {}", error.method(), shortened(url));
    }
    if error.attempts() > 0 {
        let tries = if error.attempts() == 1 { "try" } else { "tries" };
        let _ = write!(text, ", after {} {tries} and {}", error.attempts(), span(error.elapsed()));
    }
    text
}

/// A URL may be as long as a book, and whoever wrote it knows it.
fn shortened(url: &str) -> String {
    const LONGEST: usize = 300;
    match url.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &url[..end]),
        None => url.to_owned(),
    }
}

/// The library's advice, with what it names called as it is called here.
fn hint(error: &Error, similar: Option<&Similar>) -> Option<String> {
    let text = match error.kind() {
        Kind::NotCached => match similar {
            Some(Similar { count, pattern }) => {
                let answers =
                    if *count == 1 { "1 similar answer is".to_owned() } else { format!("{count} similar answers are") };
                return Some(format!("{answers} cached; see `inat cache ls \"{pattern}\"`"));
            }
            None => "ask once without --offline, and it will be there",
        },
        Kind::Status(response) if response.status().as_u16() == 401 => {
            "sign in: put a token from https://www.inaturalist.org/users/api_token into INAT_TOKEN; it lasts a day"
        }
        Kind::Limited { .. } => {
            "wait until then, or allow a longer wait (--max-wait, --deadline); `inat budget` shows what is left"
        }
        Kind::Budget(_) => "check the budget's file and folder, or name another (--budget-file)",
        Kind::Deadline(_) => "allow more time (--deadline)",
        Kind::Cache(_) => "check the cache's file and folder, or name another (--cache-file)",
        Kind::Network(Fault::Dns(_)) => "check the network and the host's name, or use what is cached (--offline)",
        Kind::Network(Fault::Connect(_)) => {
            "check the network, a proxy, and that the server is up, or use what is cached (--offline)"
        }
        Kind::Network(Fault::Timeout { .. }) if !matches!(error.method(), "GET" | "HEAD") => {
            "look whether it was done before you send it again, or allow more time (--write-timeout)"
        }
        Kind::Network(Fault::Reset(_) | Fault::Truncated(_)) if matches!(error.method(), "GET" | "HEAD") => {
            "ask again; if it keeps happening, ask for less at a time"
        }
        Kind::Network(Fault::Timeout { .. }) => {
            "ask again later, ask for less at a time, or allow more time (--timeout)"
        }
        Kind::Redirect(_) => "see where it leads without --follow",
        Kind::Config(_) => {
            "correct the option, or the variable named like it; `inat config list` shows where each comes from"
        }
        _ => return error.hint().map(in_options),
    };
    Some(text.to_owned())
}

/// Advice for programs, in the words of the command line.
fn in_options(advice: &str) -> String {
    const WORDS: [(&str, &str); 5] = [
        ("`allow_str_ids`", "--allow-str-ids"),
        ("set a base such as", "give one with --base-url, such as"),
        ("set `Authorization` yourself", "give it an Authorization item"),
        ("read it with `chunk` or `read`", "write it to a file with -o FILE"),
        ("for a file on disk, use `Upload::path`", "write name@FILE, or name@https://…"),
    ];
    WORDS.iter().fold(advice.to_owned(), |advice, (library, command)| advice.replace(library, command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_urls_are_cut() {
        assert_eq!(shortened("https://h.org/ö"), "https://h.org/ö");
        assert_eq!(shortened(&"ö".repeat(90_000)).chars().count(), 301);
    }

    #[test]
    fn advice_names_options() {
        assert_eq!(
            in_options("give numbers, or allow UUIDs with `allow_str_ids`"),
            "give numbers, or allow UUIDs with --allow-str-ids"
        );
        assert_eq!(in_options("ask again later"), "ask again later");
    }
}
