//! HTTP dates (RFC 9110 §5.6.7) in all three forms.
//!
//! Strict where leniency would keep something fresh: another time zone, a missing comma or a one-digit hour is no date, and an
//! `Expires` that is no date means "expired" (RFC 9111 §5.3). Lenient in letter case, as RFC 9111 §4.2 asks of caches.

use jiff::civil;
use jiff::tz::TimeZone;

use crate::Timestamp;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Reads a date. `now` settles the century of a two-digit year: the past if it would else be over 50 years ahead.
pub(crate) fn parse(text: &[u8], now: Timestamp) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']).to_ascii_lowercase();
    let (year, month, day, time) = imf_fixdate(&text).or_else(|| rfc850(&text, now)).or_else(|| asctime(&text))?;
    let (hour, minute, second) = time_of_day(time)?;
    let moment = civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    Some(Timestamp::from_secs(seconds_since_epoch(moment)))
}

/// Writes a date as IMF-fixdate; `None` for years a date cannot have.
pub(crate) fn format(at: Timestamp) -> Option<String> {
    let moment = jiff::Timestamp::from_second(at.as_secs()).ok()?.to_zoned(TimeZone::UTC);
    (0..=9999).contains(&moment.year()).then(|| moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

/// Counted by hand, because `jiff::Timestamp` ends a day before `Fri, 31 Dec 9999 23:59:59 GMT`, which servers do send.
fn seconds_since_epoch(moment: civil::DateTime) -> i64 {
    // Years begin in March here, so that the leap day is the last of its year.
    let (year, month) = (i64::from(moment.year()), i64::from(moment.month()));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + i64::from(moment.day()) - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 0000-03-01 is 719,468 days before the epoch.
    let days = year * 365 + leap_days + day_of_year - 719_468;
    let time = moment.time();
    days * 86_400 + i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second())
}

type Found<'a> = (i16, i8, i8, &'a str);

/// `sun, 06 nov 1994 08:49:37 gmt`
fn imf_fixdate(text: &str) -> Option<Found<'_>> {
    let (weekday, rest) = text.split_once(", ")?;
    let is_weekday = DAYS.iter().any(|day| &day[..3] == weekday);
    let [day, month, year, time, "gmt"] = words(rest)? else { return None };
    is_weekday.then_some((digits::<i16>(year, 4)?, month_of(month)?, digits(day, 2)?, time))
}

/// `sunday, 06-nov-94 08:49:37 gmt`
fn rfc850(text: &str, now: Timestamp) -> Option<Found<'_>> {
    let (weekday, rest) = text.split_once(", ")?;
    let [date, time, "gmt"] = words(rest)? else { return None };
    let mut date = date.split('-');
    let (day, month, year) = (date.next()?, date.next()?, date.next()?);
    if !DAYS.contains(&weekday) || date.next().is_some() {
        return None;
    }
    let this_year = jiff::Timestamp::from_second(now.as_secs()).ok()?.to_zoned(TimeZone::UTC).year();
    let year = this_year - this_year % 100 + digits::<i16>(year, 2)?;
    let year = if year > this_year + 50 { year - 100 } else { year };
    Some((year, month_of(month)?, digits(day, 2)?, time))
}

/// `sun nov  6 08:49:37 1994`
fn asctime(text: &str) -> Option<Found<'_>> {
    let weekday = text.get(..3)?;
    let (month, day) = (text.get(3..7)?.strip_prefix(' ')?, text.get(7..10)?.strip_prefix(' ')?);
    let (time, year) = text.get(10..)?.strip_prefix(' ')?.split_once(' ')?;
    let day = if let Some(one) = day.strip_prefix(' ') { digits(one, 1)? } else { digits(day, 2)? };
    let is_weekday = DAYS.iter().any(|day| &day[..3] == weekday);
    is_weekday.then_some((digits::<i16>(year, 4)?, month_of(month)?, day, time))
}

/// Exactly `N` words with one space between them.
fn words<const N: usize>(text: &str) -> Option<[&str; N]> {
    let mut parts = text.split(' ');
    let mut found = [""; N];
    for word in &mut found {
        *word = parts.next()?;
    }
    parts.next().is_none().then_some(found)
}

/// Exactly `len` digits.
fn digits<T: std::str::FromStr>(text: &str, len: usize) -> Option<T> {
    (text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn month_of(name: &str) -> Option<i8> {
    i8::try_from(MONTHS.iter().position(|month| *month == name)? + 1).ok()
}

/// `08:49:37`; a leap second counts as the second before it.
fn time_of_day(text: &str) -> Option<(i8, i8, i8)> {
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let second: i8 = digits(second, 2)?;
    parts.next().is_none().then_some((digits(hour, 2)?, digits(minute, 2)?, if second == 60 { 59 } else { second }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_767_225_600);

    #[test]
    fn all_three_forms_in_any_letter_case() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "SUN, 06 NOV 1994 08:49:37 gmt",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "  Sun, 06 Nov 1994 08:49:37 GMT\t",
        ] {
            assert_eq!(parse(text.as_bytes(), NOW), Some(Timestamp::from_secs(784_111_777)), "{text}");
        }
    }

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        let mut day = civil::date(1600, 1, 1);
        let end = civil::date(2500, 1, 1);
        while day < end {
            let moment = day.at(1, 2, 3, 0);
            let expected = TimeZone::UTC.to_timestamp(moment).unwrap().as_second();
            assert_eq!(seconds_since_epoch(moment), expected, "{day}");
            day = day.tomorrow().unwrap();
        }
        let last = parse(b"Fri, 31 Dec 9999 23:59:59 GMT", NOW);
        assert_eq!(last, Some(Timestamp::from_secs(253_402_300_799)));
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "0",
            "-1",
            "never",
            "Sun, 06 Nov 1994 08:49:37 AEST",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun,  06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT GMT",
            "Som, 06 Nov 1994 08:49:37 GMT",
            "1994-11-06T08:49:37Z",
            "Sun Nov 6 08:49:37 1994",
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "ſun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text.as_bytes(), NOW), None, "{text}");
        }
    }

    #[test]
    fn a_two_digit_year_is_at_most_fifty_years_ahead() {
        let year = |text: &str| {
            let text = format!("Sunday, 06-Nov-{text} 08:49:37 GMT");
            parse(text.as_bytes(), NOW).map(|at| at.to_string()[..4].to_owned())
        };
        assert_eq!(year("76").as_deref(), Some("2076"));
        assert_eq!(year("77").as_deref(), Some("1977"));
        assert_eq!(year("99").as_deref(), Some("1999"));
    }

    #[test]
    fn written_dates_are_read_back() {
        let at = Timestamp::from_secs(784_111_777);
        assert_eq!(format(at).as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(format(Timestamp::MAX), None);
        assert_eq!(format(Timestamp::from_micros(i64::MIN)), None);
    }
}
