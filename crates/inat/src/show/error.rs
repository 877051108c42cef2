//! Errors: what, where on the path, how often, how long, and what to do next.

use std::fmt::Write as _;

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
        Failure::Session { error, method, similar } => {
            screen.tell("error: ", &what(error));
            screen.tell("", &place(error, method.as_deref()));
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
        Failure::Files { what, error } => screen.tell("error: ", &format!("{what}: {error}")),
        Failure::Empty => screen.say("nothing matched"),
    }
}

fn hint_line(screen: Screen, hint: Option<&str>) {
    if let Some(hint) = hint {
        screen.tell("hint: ", hint);
    }
}

fn what(error: &Error) -> String {
    match error.kind() {
        Kind::NotCached => "not in the cache, and --offline forbids asking".to_owned(),
        kind => kind.to_string(),
    }
}

/// `  at lookup, GET https://api.inaturalist.org/v1/taxa, after 3 tries and 2 s`
fn place(error: &Error, method: Option<&str>) -> String {
    let mut text = format!("  at {}", error.stage());
    if let Some(url) = error.url() {
        let _ = write!(text, ", {} {url}", method.unwrap_or("request"));
    }
    if error.attempts() > 0 {
        let tries = if error.attempts() == 1 { "try" } else { "tries" };
        let _ = write!(text, ", after {} {tries} and {}", error.attempts(), span(error.elapsed()));
    }
    text
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
            "wait until then, or allow a longer wait (--max-wait); `inat budget` shows what is left"
        }
        Kind::Budget(_) => "check the budget's file and folder, or name another (--budget-file)",
        Kind::Deadline(_) => "allow more time (--deadline)",
        Kind::Cache(_) => "check the cache's file and folder, or name another (--cache-file)",
        Kind::Network(Fault::Dns(_)) => "check the network and the host's name, or use what is cached (--offline)",
        Kind::Network(Fault::Connect(_)) => {
            "check the network, a proxy, and that the server is up, or use what is cached (--offline)"
        }
        Kind::Network(Fault::Timeout { .. }) => {
            "ask again later, ask for less at a time, or allow more time (--timeout)"
        }
        Kind::Redirect(_) => "see where it leads without --follow",
        _ => return error.hint().map(str::to_owned),
    };
    Some(text.to_owned())
}
