//! Faults as text: `name` or `name=argument`.

use std::{str::FromStr, time::Duration};

use super::{Fault, RetryAfter};

/// Slower than this is a hang, not a slow reply.
const SLOWEST_MS: u64 = 60_000;

/// Text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFault {
    /// No fault has this name.
    #[error("no fault is called `{0}`; there are {NAMES}")]
    Name(String),
    /// The argument is not a number of the right size.
    #[error("`{0}` is not an argument this fault takes")]
    Argument(String),
    /// The rate is not a number from 0 to 1.
    #[error("the rate in `{0}` is not a number from 0 to 1")]
    Rate(String),
}

pub(crate) const NAMES: &str = "pass, 429[=SECONDS], 429-date=SECONDS, 429-html, 500, 502, 503, 504, maintenance=SECONDS, blocked, cut-body, \
    cut-length, cut-chunked, cut-gzip, login, wrong-type[=TYPE], slow=MS, drip=MS, reset, close, reset-mid, lost";

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(text: &str) -> Result<Self, BadFault> {
        let (name, argument) = match text.split_once('=') {
            Some((name, argument)) => (name.trim(), Some(argument.trim())),
            None => (text.trim(), None),
        };
        let number = |default: u64| match argument {
            None => Ok(default),
            Some(argument) => argument.parse::<u64>().map_err(|_| BadFault::Argument(argument.to_owned())),
        };
        let millis = |default: u64| number(default).map(|ms| Duration::from_millis(ms.min(SLOWEST_MS)));
        Ok(match name {
            "pass" => Self::Pass,
            "429" if argument.is_none() => Self::Throttled(RetryAfter::Absent),
            "429" => Self::Throttled(RetryAfter::Seconds(number(1)?)),
            "429-date" => Self::Throttled(RetryAfter::Date(number(1)?)),
            "429-html" => Self::Throttled(RetryAfter::Page),
            "500" | "502" | "503" | "504" => Self::Status(name.parse().unwrap_or(500)),
            "maintenance" => Self::Maintenance(number(1)?),
            "blocked" => Self::Blocked,
            "cut-body" => Self::CutBody,
            "cut-length" => Self::CutLength,
            "cut-chunked" => Self::CutChunked,
            "cut-gzip" => Self::CutGzip,
            "login" => Self::LoginPage,
            "wrong-type" => Self::WrongType(argument.unwrap_or("text/html").to_owned()),
            "slow" => Self::SlowStart(millis(1_000)?),
            "drip" => Self::Drip(millis(1)?),
            "reset" => Self::Reset,
            "close" => Self::Close,
            "reset-mid" => Self::ResetMid,
            "lost" => Self::Lost,
            _ => return Err(BadFault::Name(name.to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Fault, NAMES, RetryAfter};

    #[test]
    fn every_listed_name_parses() {
        for name in NAMES.split(", ") {
            let name = name.trim();
            let plain = name.split('[').next().unwrap_or(name).replace("SECONDS", "7").replace("MS", "7");
            assert!(plain.parse::<Fault>().is_ok(), "{plain}");
        }
    }

    #[test]
    fn arguments() {
        let table = [
            ("429", Fault::Throttled(RetryAfter::Absent)),
            ("429=30", Fault::Throttled(RetryAfter::Seconds(30))),
            ("429-date=9", Fault::Throttled(RetryAfter::Date(9))),
            ("slow=250", Fault::SlowStart(Duration::from_millis(250))),
            ("slow=99999999", Fault::SlowStart(Duration::from_secs(60))),
            ("wrong-type=text/plain", Fault::WrongType("text/plain".into())),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for bad in ["", "429=x", "slow=-1", "418", "cut"] {
            assert!(bad.parse::<Fault>().is_err(), "{bad}");
        }
    }
}
