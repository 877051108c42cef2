//! Lifetimes as people write them: `never`, `off`, `0`, `90`, `30s`, `1h30m`, `7d`, `2026-12-24`, an HTTP date.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Lifetime, dates};
use crate::Timestamp;

/// A text that is no lifetime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no lifetime: write `never`, `off`, `0` (always ask), seconds, a time like `30s`, `5m`, `2h`, `7d`, `1w`, `1h30m`, \
     or a date like `2026-12-24` or `2026-12-24T18:00:00Z`"
)]
pub struct BadLifetime(pub String);

/// Units, the largest first.
const UNITS: [(&str, u64); 5] = [("w", 7 * 86_400), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

impl FromStr for Lifetime {
    type Err = BadLifetime;

    /// Reads what people write. `-1` is `never` and `0` is "always ask", as in the reference.
    ///
    /// ```
    /// use inat_session::Lifetime;
    /// use std::time::Duration;
    ///
    /// assert_eq!("1h30m".parse(), Ok(Lifetime::For(Duration::from_secs(5400))));
    /// assert_eq!("never".parse(), Ok(Lifetime::Never));
    /// assert!("soon".parse::<Lifetime>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.trim().to_ascii_lowercase();
        match plain.as_str() {
            "never" | "forever" | "-1" => return Ok(Self::Never),
            "off" | "no-store" | "do-not-cache" => return Ok(Self::DoNotCache),
            "0" | "immediately" => return Ok(Self::Immediately),
            _ => {}
        }
        if let Some(duration) = duration(&plain) {
            return Ok(Self::from(duration));
        }
        moment(text.trim()).map(Self::Until).ok_or_else(|| BadLifetime(text.to_owned()))
    }
}

/// A plain number of seconds, or numbers with units.
fn duration(text: &str) -> Option<Duration> {
    if let Some(seconds) = number(text) {
        return Some(seconds);
    }
    let (mut rest, mut sum) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, after) = rest.split_at(digits);
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        sum = sum.checked_add(number(count)?.checked_mul(u32::try_from(*seconds).ok()?)?)?;
        rest = after.trim_start();
    }
    (!text.is_empty()).then_some(sum)
}

/// Digits with at most nine after a point, as seconds.
fn number(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(());
    digits(whole)?;
    digits(fraction).filter(|()| fraction.len() <= 9)?;
    Some(Duration::new(whole.parse().ok()?, format!("{fraction:0<9}").parse().ok()?))
}

/// A moment: RFC 3339, a date alone (its start in UTC), or an HTTP date.
fn moment(text: &str) -> Option<Timestamp> {
    let rfc3339 = || text.parse::<jiff::Timestamp>().ok();
    let day =
        || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp());
    // The century of a two-digit year is not worth asking a clock for.
    let http = || dates::parse(text.as_bytes(), Timestamp::from_secs(1_767_225_600));
    rfc3339().or_else(day).map(|at| Timestamp::from_micros(at.as_microsecond())).or_else(http)
}

impl fmt::Display for Lifetime {
    /// The way it is written; reading that gives the same lifetime, to the second for a moment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::DoNotCache => f.write_str("off"),
            Self::Immediately => f.write_str("0"),
            Self::Until(at) => write!(f, "{at}"),
            Self::For(duration) if duration.is_zero() => f.write_str("0"),
            Self::For(duration) => {
                let mut left = duration.as_secs();
                for (name, seconds) in &UNITS[..UNITS.len() - 1] {
                    if left >= *seconds {
                        write!(f, "{}{name}", left / seconds)?;
                        left %= seconds;
                    }
                }
                match (left, duration.subsec_nanos()) {
                    (0, 0) => Ok(()),
                    (left, 0) => write!(f, "{left}s"),
                    (left, nanos) => write!(f, "{left}.{}s", format!("{nanos:09}").trim_end_matches('0')),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        let secs = |seconds| Lifetime::For(Duration::from_secs(seconds));
        for (text, expected) in [
            ("never", Lifetime::Never),
            ("-1", Lifetime::Never),
            (" Off ", Lifetime::DoNotCache),
            ("no-store", Lifetime::DoNotCache),
            ("0", Lifetime::Immediately),
            ("0s", Lifetime::Immediately),
            ("90", secs(90)),
            ("30s", secs(30)),
            ("5M", secs(300)),
            ("2h", secs(7200)),
            ("7d", secs(604_800)),
            ("1w", secs(604_800)),
            ("1h 30m", secs(5400)),
            ("0.5s", Lifetime::For(Duration::from_millis(500))),
            ("1970-01-02", Lifetime::Until(Timestamp::from_secs(86_400))),
            ("1970-01-01T01:00:00+01:00", Lifetime::Until(Timestamp::EPOCH)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Lifetime::Until(Timestamp::from_secs(784_111_777))),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in
            ["", "soon", "5x", "5m3", "-5", "1e9", "99999999999999999999999", "9999999999999999999w", "h", "1..2s", "."]
        {
            assert_eq!(text.parse::<Lifetime>(), Err(BadLifetime(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        for text in ["never", "off", "0", "1s", "1m30s", "2w", "1h0.25s", "1970-01-02T00:00:00Z"] {
            assert_eq!(text.parse::<Lifetime>().unwrap().to_string(), text);
        }
    }
}
