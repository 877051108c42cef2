//! Days and moments in parameters: in many spellings, out as ISO 8601.
//!
//! A day stays a day, so that what it means does not depend on the machine's zone (and the server compares by day only when
//! it is given days). A time without a zone gets the session's.

use std::sync::OnceLock;

use jiff::civil::{Date, DateTime};
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use jiff::{Unit, Zoned};

use super::phrase;

/// Parameters that take days or moments; texts given for them are read as such.
#[doc(alias = "DATETIME_PARAMS")]
pub const DATE_PARAMS: [&str; 19] = [
    "created_after",
    "created_d1",
    "created_d2",
    "created_on",
    "d1",
    "d2",
    "newer_than",
    "observation_created_d1",
    "observation_created_d2",
    "observed_d1",
    "observed_d2",
    "observed_on",
    "observed_on_string",
    "older_than",
    "on",
    "prefers_rule_d1",
    "prefers_rule_d2",
    "since",
    "updated_since",
];

/// What a text says of a day or moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Year(i16),
    Month(i16, i8),
    Day(Date),
    Local(DateTime),
    At(DateTime, Offset),
}

/// Reads a text given for one of [`DATE_PARAMS`].
///
/// A bare year or month is its first day, and its last day where a parameter says until when (`d2` and its kin). Where one
/// day is asked for it is refused: the server would take the first day, and nobody means that.
#[doc(alias = "convert_datetime_params")]
pub(super) fn read(name: &str, text: &str, zone: &Zone) -> Result<String, String> {
    let shown: String = text.chars().take(40).collect();
    let unreadable = || {
        format!("`{name}`: `{shown}` is no day or time that can be read; write 2026-11-22 or 2026-11-22T14:30:00+01:00")
    };
    match parse(text) {
        Some(When::Day(day)) => Ok(day.to_string()),
        Some(When::Local(time)) => moment(&local(time, zone).ok_or_else(unreadable)?).ok_or_else(unreadable),
        Some(When::At(time, offset)) => written(time, offset).ok_or_else(unreadable),
        Some(When::Year(_) | When::Month(..)) if takes_one_day(name) => {
            Err(format!("`{name}`: `{shown}` is no single day; write 2026-11-22, or ask with `year` and `month`"))
        }
        Some(When::Year(year)) => bound(name, year, 1, 12).ok_or_else(unreadable),
        Some(When::Month(year, month)) => bound(name, year, month, month).ok_or_else(unreadable),
        // Free text by definition: the server reads it with a parser of its own.
        None if name == "observed_on_string" => Ok(text.to_owned()),
        None => Err(unreadable()),
    }
}

/// A moment as the API takes it: ISO 8601 with a numeric offset.
pub(super) fn moment(zoned: &Zoned) -> Option<String> {
    written(zoned.datetime(), zoned.offset())
}

/// The session's zone. The machine's is only looked for when a time needs it: its tables are hundreds of files, and most
/// requests name no time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone(OnceLock<TimeZone>);

impl Zone {
    fn get(&self) -> TimeZone {
        self.0.get_or_init(TimeZone::system).clone()
    }
}

impl From<TimeZone> for Zone {
    fn from(zone: TimeZone) -> Self {
        Self(zone.into())
    }
}

/// A time without a zone, in the session's. In the hour a clock is set forward it is taken as the later one, as elsewhere.
pub(super) fn local(time: DateTime, zone: &Zone) -> Option<Zoned> {
    time.to_zoned(zone.get()).ok()
}

fn takes_one_day(name: &str) -> bool {
    matches!(name, "on" | "created_on" | "observed_on")
}

fn bound(name: &str, year: i16, first: i8, last: i8) -> Option<String> {
    if name.ends_with("d2") {
        Some(Date::new(year, last, 1).ok()?.last_of_month().to_string())
    } else {
        Some(Date::new(year, first, 1).ok()?.to_string())
    }
}

/// Offsets of the days of local mean time have seconds, which ISO 8601 cannot write; they are rounded, not the moment.
fn written(time: DateTime, offset: Offset) -> Option<String> {
    let minutes = offset.round(Unit::Minute).ok()?;
    let moved = minutes.to_datetime(offset.to_timestamp(time).ok()?);
    let seconds = minutes.seconds();
    let (sign, seconds) = if seconds < 0 { ('-', -seconds) } else { ('+', seconds) };
    Some(format!("{moved}{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60))
}

fn parse(text: &str) -> Option<When> {
    let text = text.trim();
    if let Some(partial) = year_or_month(text) {
        return Some(partial);
    }
    match Pieces::parse(text) {
        Ok(pieces) => iso(&pieces),
        Err(_) => phrase::parse(text),
    }
}

fn iso(pieces: &Pieces<'_>) -> Option<When> {
    let day = pieces.date();
    match (pieces.time(), pieces.to_numeric_offset(), pieces.time_zone_annotation()) {
        (None, None, None) => Some(When::Day(day)),
        (Some(time), Some(offset), _) => Some(When::At(day.to_datetime(time), offset)),
        (Some(time), None, None) => Some(When::Local(day.to_datetime(time))),
        // A zone by name alone would have to be looked up in the machine's tables.
        _ => None,
    }
}

/// `2020`, `2020-05` and `2020/5`.
fn year_or_month(text: &str) -> Option<When> {
    let (year, month) = text.split_once(['-', '/']).map_or((text, None), |(year, month)| (year, Some(month)));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if year.len() != 4 || !digits(year) {
        return None;
    }
    let year = year.parse().ok()?;
    match month {
        None => Some(When::Year(year)),
        Some(month) if matches!(month.len(), 1 | 2) && digits(month) => {
            let month = month.parse().ok()?;
            (1..=12).contains(&month).then_some(When::Month(year, month))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacific() -> Zone {
        TimeZone::posix("PST8PDT,M3.2.0,M11.1.0").unwrap().into()
    }

    #[test]
    fn many_spellings_become_one() {
        let table = [
            ("created_d1", "19951231T235959", "1995-12-31T23:59:59-08:00"),
            ("created_d1", "1995-12-31 23:59", "1995-12-31T23:59:00-08:00"),
            ("created_d1", "1995-07-31T23:59:59.25", "1995-07-31T23:59:59.25-07:00"),
            ("created_d2", "2008-08-08 08:08:08Z", "2008-08-08T08:08:08+00:00"),
            ("created_on", "2010-10-10 10:10:10-05:00", "2010-10-10T10:10:10-05:00"),
            ("created_on", "2010-10-10T10:10:10+05:30[Asia/Kolkata]", "2010-10-10T10:10:10+05:30"),
            ("created_on", "Jan 1 2000", "2000-01-01"),
            ("d1", "19970716", "1997-07-16"),
            ("d1", "2020-01-01", "2020-01-01"),
            ("d1", " 2020-1-5 ", "2020-01-05"),
            ("d1", "2020/01/05", "2020-01-05"),
            ("d2", "Dec 31 1995", "1995-12-31"),
            ("d2", "31 December 1995", "1995-12-31"),
            ("d2", "December 31st, 1995", "1995-12-31"),
            ("d2", "31-Dec-1995", "1995-12-31"),
            ("d2", "12/31/1995", "1995-12-31"),
            ("d2", "31.12.1995", "1995-12-31"),
            ("since", "Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37+00:00"),
            ("since", "Sun, 6 Nov 1994 08:49:37 -0500", "1994-11-06T08:49:37-05:00"),
            ("since", "Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37-08:00"),
            ("updated_since", "Dec 31, 1995 11:59 PM", "1995-12-31T23:59:00-08:00"),
            ("updated_since", "1995-12-31 12:05am", "1995-12-31T00:05:00-08:00"),
            ("updated_since", "31 Dec 1995 at 7pm", "1995-12-31T19:00:00-08:00"),
        ];
        for (name, text, expected) in table {
            assert_eq!(read(name, text, &pacific()).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_year_is_never_filled_up_with_today() {
        let table = [
            ("d1", "2020", Some("2020-01-01")),
            ("d2", "2020", Some("2020-12-31")),
            ("created_d2", "2020-02", Some("2020-02-29")),
            ("prefers_rule_d1", "2021-2", Some("2021-02-01")),
            ("updated_since", "May 2020", Some("2020-05-01")),
            ("older_than", "2020", Some("2020-01-01")),
            ("observed_d2", "Feb 2021", Some("2021-02-28")),
            ("on", "2020", None),
            ("observed_on", "2020-05", None),
            ("created_on", "May 2020", None),
            ("d1", "2020-13", None),
        ];
        for (name, text, expected) in table {
            assert_eq!(read(name, text, &pacific()).ok().as_deref(), expected, "{name}={text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for text in [
            "not a datetime",
            "",
            "today",
            "2020-02-30",
            "01/02/2020",
            "12345",
            "202005",
            "Dec 31",
            "31 31 1995",
            "25:00",
            "2020-01-01 25:00",
            "1995-12-31 13:00 pm",
            "2020-01-01T10:00[America/New_York]",
            "-",
            "99/99/9999",
        ] {
            assert!(read("d1", text, &pacific()).is_err(), "{text}");
        }
        assert_eq!(read("observed_on_string", "yesterday at noon", &pacific()).as_deref(), Ok("yesterday at noon"));
    }

    #[test]
    fn odd_offsets_and_skipped_hours_are_written_so_that_they_can_be_read() {
        let lmt = TimeZone::fixed(Offset::from_seconds(-28_378).unwrap());
        assert_eq!(read("d1", "1850-01-01T00:00:00", &lmt.into()).as_deref(), Ok("1849-12-31T23:59:58-07:53"));
        assert_eq!(read("d1", "2026-03-08T02:30", &pacific()).as_deref(), Ok("2026-03-08T03:30:00-07:00"));
    }
}
