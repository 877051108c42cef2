//! Exit codes. They say what to do next; 4 and 5 agree with `http` and `xh`.

use inat_session::{Error, Fault, Kind};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// A bug of ours, or nothing of the below.
    Other = 1,
    /// Wrong usage.
    Usage = 2,
    /// Only the cache may answer, and it cannot.
    NotCached = 3,
    /// The server refused.
    Refused = 4,
    /// The server failed, at every try.
    ServerFailed = 5,
    /// The network failed, or time ran out.
    Network = 6,
    /// Sign in first.
    SignIn = 7,
    /// The wait would be too long.
    TooLongToWait = 8,
    /// The answer is cut or false.
    Unusable = 9,
    /// Nothing matched, and `--fail-empty` minds.
    Empty = 11,
    /// Ctrl-C, SIGTERM or SIGHUP.
    Interrupted = 130,
}

impl Exit {
    /// What a failed request means.
    pub(crate) fn of(error: &Error) -> Self {
        match error.kind() {
            Kind::Invalid(_) | Kind::Config(_) | Kind::Upload(_) => Self::Usage,
            Kind::NotCached => Self::NotCached,
            Kind::Status(response) => match response.status().as_u16() {
                401 => Self::SignIn,
                500.. => Self::ServerFailed,
                _ => Self::Refused,
            },
            Kind::Blocked { .. } => Self::Refused,
            Kind::Network(fault) => Self::of_fault(fault),
            Kind::Deadline(_) => Self::Network,
            Kind::Limited { .. } | Kind::RetryAfter { .. } => Self::TooLongToWait,
            Kind::BadBody(_) | Kind::Decode(_) | Kind::Redirect(_) => Self::Unusable,
            _ => Self::Other,
        }
    }

    /// What a failure on the wire means.
    pub(crate) fn of_fault(fault: &Fault) -> Self {
        match fault {
            Fault::Unsendable(_) => Self::Usage,
            Fault::Truncated(_) | Fault::Undecodable(_) => Self::Unusable,
            _ => Self::Network,
        }
    }
}

/// `inat help exit-codes`.
pub(crate) const TOPIC: &str = "\
The exit code says what to do next:

    0  done, also when nothing matched
    1  a bug of ours, or not one of the below
    2  wrong usage: the command line, a setting, or a value of the request
    3  --offline, and it was never fetched
    4  refused by the server: HTTP 4xx
    5  the server failed, at every try: HTTP 5xx
    6  the network failed, or time ran out
    7  sign in first: no token, or one that is wrong or too old (HTTP 401)
    8  the wait would be longer than --max-wait, or than the server may ask for
    9  the answer was unusable: cut, false JSON, or a redirect that leads nowhere
   11  --fail-empty, and nothing matched
  130  interrupted (Ctrl-C, SIGTERM, SIGHUP); the output so far is valid";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_names_every_code() {
        let codes: Vec<u8> = TOPIC.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        for exit in [
            Exit::Other,
            Exit::Usage,
            Exit::NotCached,
            Exit::Refused,
            Exit::ServerFailed,
            Exit::Network,
            Exit::SignIn,
            Exit::TooLongToWait,
            Exit::Unusable,
            Exit::Empty,
            Exit::Interrupted,
        ] {
            assert!(codes.contains(&(exit as u8)), "{exit:?}");
        }
    }
}
