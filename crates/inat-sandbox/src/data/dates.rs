//! Dates as the API writes them.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Value, json};

pub(crate) type Date = civil::Date;

/// The day `days` after 1970-01-01.
pub(crate) fn of_day(days: i64) -> Date {
    Timestamp::from_second(days.saturating_mul(86_400)).unwrap_or_default().to_zoned(TimeZone::UTC).date()
}

pub(crate) fn day_of(seconds: i64) -> i64 {
    seconds.div_euclid(86_400)
}

pub(crate) fn today(now: SystemTime) -> Date {
    of_day(day_of(crate::clock::unix_seconds(now)))
}

/// `2020-08-27T18:00:51+00:00`.
pub(crate) fn text(seconds: i64) -> String {
    let at = Timestamp::from_second(seconds).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// `2020-09-25T02:06:16.964Z`, as Rails writes it.
pub(crate) fn micros_text(at: SystemTime) -> String {
    let millis = at.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0));
    Timestamp::from_millisecond(millis).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The parts of a date that the API spells out beside it.
pub(crate) fn details(seconds: i64) -> Value {
    let at = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(TimeZone::UTC);
    json!({
        "date": at.date().to_string(),
        "day": at.day(),
        "month": at.month(),
        "year": at.year(),
        "hour": at.hour(),
        "week": at.date().iso_week_date().week(),
    })
}
