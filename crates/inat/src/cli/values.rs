//! Values as people write them: times, sizes, rates.

use std::str::FromStr;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use inat_session::Lifetime;

/// A switch. Its variable is off when it is empty or says `0`, `no`, `off` or `false`.
pub(crate) fn flag() -> FalseyValueParser {
    FalseyValueParser::new()
}

const TIMES: &str = "write a time like `20s`, `500ms`, `2m`, `1h30m`, `7d`, or seconds";

/// `20s`, `1h30m`, `500ms`, or a plain number of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let plain = text.trim().to_ascii_lowercase();
    let seconds = match plain.parse::<f64>() {
        Ok(seconds) => Some(seconds),
        Err(_) if plain.is_empty() => None,
        Err(_) => with_units(&plain),
    };
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(|| TIMES.to_owned())
}

fn with_units(mut rest: &str) -> Option<f64> {
    let mut sum = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, after) = rest.split_at(end);
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        sum += count.parse::<f64>().ok()? * seconds_in(unit)?;
        rest = after.trim_start();
    }
    Some(sum)
}

fn seconds_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" => 0.001,
        "s" | "sec" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    })
}

/// A bound on time, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Within(pub(crate) Option<Duration>);

impl FromStr for Within {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "none" | "off" | "never" => Ok(Self(None)),
            _ => duration(text).map(|time| Self(Some(time))).map_err(|problem| format!("{problem}, or `none`")),
        }
    }
}

/// A bound on time within which something can happen.
pub(crate) fn patience(text: &str) -> Result<Within, String> {
    match text.parse()? {
        Within(Some(Duration::ZERO)) => Err("in no time nothing can be done; write `none` for no bound".to_owned()),
        within => Ok(within),
    }
}

/// A number of seconds to reckon with.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.trim().parse::<f64>().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "write seconds like `0.5`, from 0 to 86400".to_owned())
}

/// How long answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// As long as HTTP says, and not at all where it says nothing.
    Headers,
    /// As long as the user says.
    For(Lifetime),
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().eq_ignore_ascii_case("headers") {
            return Ok(Self::Headers);
        }
        text.parse()
            .map(Self::For)
            .map_err(|problem: inat_session::cache::BadLifetime| format!("{problem}, or `headers`"))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.trim().to_ascii_lowercase();
        let end = plain.find(|c: char| !c.is_ascii_digit()).unwrap_or(plain.len());
        let (count, unit) = plain.split_at(end);
        let factor = match unit.trim() {
            "" | "b" => 1_u64,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            _ => return Err(SIZES.to_owned()),
        };
        let bytes = count.parse::<u64>().ok().and_then(|count| count.checked_mul(factor));
        bytes.map(Self).ok_or_else(|| SIZES.to_owned())
    }
}

const SIZES: &str = "write a size like `512MiB`, `64MB`, `1G`, or bytes";

/// So many requests in one unit of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) count: f64,
    pub(crate) per: Unit,
}

/// A unit of time that has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Month,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a rate like `50/m`: a number, a slash, and s, m, h, d or mo".to_owned();
        let (count, per) = text.split_once('/').ok_or_else(wrong)?;
        let count = count.trim().parse::<f64>().ok().filter(|count| count.is_finite() && *count >= 0.0);
        let per = match per.trim().to_ascii_lowercase().as_str() {
            "s" | "sec" | "second" => Unit::Second,
            "m" | "min" | "minute" => Unit::Minute,
            "h" | "hour" => Unit::Hour,
            "d" | "day" => Unit::Day,
            "mo" | "month" => Unit::Month,
            _ => return Err(wrong()),
        };
        Ok(Self { count: count.ok_or_else(wrong)?, per })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times() {
        let table = [
            ("20", Some(20_000)),
            ("0", Some(0)),
            ("0.25", Some(250)),
            ("20s", Some(20_000)),
            ("500ms", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("1h 30m", Some(5_400_000)),
            (" 2M ", Some(120_000)),
            ("1w", Some(604_800_000)),
            ("", None),
            ("s", None),
            ("1x", None),
            ("-1", None),
            ("1e300", None),
            ("nan", None),
            ("1..2s", None),
            ("5 minutes", None),
        ];
        for (text, millis) in table {
            assert_eq!(duration(text).ok(), millis.map(Duration::from_millis), "{text}");
        }
        assert_eq!("none".parse(), Ok(Within(None)));
        assert_eq!("1m".parse(), Ok(Within(Some(Duration::from_secs(60)))));
        assert_eq!(patience("1m"), "1m".parse());
        assert!(patience("0").is_err() && patience("0ms").is_err() && "0".parse::<Within>().is_ok());
        for (text, expected) in [("0.5", Some(0.5)), ("0", Some(0.0)), ("-1", None), ("nan", None), ("1e300", None)] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn sizes() {
        let table = [
            ("0", Some(0)),
            ("512MiB", Some(512 << 20)),
            ("64 MB", Some(64_000_000)),
            ("1g", Some(1 << 30)),
            ("2k", Some(2048)),
            ("1.5k", None),
            ("99999999999999999999", None),
            ("18446744073709551615G", None),
            ("1.9e", None),
            ("MiB", None),
            ("-1", None),
        ];
        for (text, bytes) in table {
            assert_eq!(text.parse::<Size>().ok(), bytes.map(Size), "{text}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!("50/m".parse(), Ok(Rate { count: 50.0, per: Unit::Minute }));
        assert_eq!("0.5 / s".parse(), Ok(Rate { count: 0.5, per: Unit::Second }));
        assert_eq!("3/MO".parse(), Ok(Rate { count: 3.0, per: Unit::Month }));
        for bad in ["50", "/m", "x/m", "-1/m", "inf/m", "nan/s", "5/fortnight", ""] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn lifetimes() {
        assert_eq!("headers".parse(), Ok(Keep::Headers));
        assert_eq!("never".parse(), Ok(Keep::For(Lifetime::Never)));
        assert_eq!("off".parse(), Ok(Keep::For(Lifetime::DoNotCache)));
        assert_eq!("1h".parse(), Ok(Keep::For(Lifetime::For(Duration::from_secs(3_600)))));
        assert!("soon".parse::<Keep>().is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_them_panic(text in ".{0,40}") {
            let _ = (duration(&text), text.parse::<Size>(), text.parse::<Rate>(), text.parse::<Keep>());
        }
    }
}
