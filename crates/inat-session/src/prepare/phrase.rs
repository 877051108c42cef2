//! Days and times as people write them: `Dec 31 1995`, `Sun, 06 Nov 1994 08:49:37 GMT`, `12/31/1995 11:59 pm`.
//!
//! Nothing is guessed: the year has four digits and is always there, and `01/02/2020`, which is one day in America and
//! another one elsewhere, is no date.

use jiff::civil::{Date, Time};
use jiff::tz::Offset;

use super::dates::When;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What the words read so far say; each part may be said once.
#[derive(Default)]
struct Said {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    time: Option<Time>,
    afternoon: Option<bool>,
    offset: Option<Offset>,
}

pub(super) fn parse(text: &str) -> Option<When> {
    let mut said = Said::default();
    let text = text.to_lowercase();
    for word in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()) {
        said.word(word)?;
    }
    said.when()
}

impl Said {
    fn word(&mut self, word: &str) -> Option<()> {
        if matches!(word, "at" | "of" | "on") || named(word, &WEEKDAYS).is_some() {
            return Some(());
        }
        if let Some(month) = named(word, &MONTHS) {
            return once(&mut self.month, month);
        }
        match word {
            "am" => return once(&mut self.afternoon, false),
            "pm" => return once(&mut self.afternoon, true),
            "z" | "utc" | "gmt" => return once(&mut self.offset, Offset::UTC),
            _ => {}
        }
        if self.time.is_some() && word.starts_with(['+', '-']) {
            return once(&mut self.offset, offset(word)?);
        }
        if word.contains(':') || word.ends_with("am") || word.ends_with("pm") {
            return self.clock(word);
        }
        if word.contains(['/', '-', '.']) {
            return self.triple(word);
        }
        self.number(word)
    }

    /// `1995` or `31st`.
    fn number(&mut self, word: &str) -> Option<()> {
        let bare = ["st", "nd", "rd", "th"].into_iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
        if word.len() == 4 && bare.len() == 4 {
            once(&mut self.year, number(word)?)
        } else if bare.len() <= 2 {
            once(&mut self.day, number(bare)?)
        } else {
            None
        }
    }

    /// `1995-12-31`, `12/31/1995`, `31.12.1995`, `31-dec-1995`.
    fn triple(&mut self, word: &str) -> Option<()> {
        let sign = ['/', '-', '.'].into_iter().find(|sign| word.contains(*sign))?;
        let parts: Vec<&str> = word.split(sign).collect();
        let [first, middle, last] = parts.as_slice() else { return None };
        let (year, month, day) = if let Some(month) = named(middle, &MONTHS) {
            if first.len() == 4 { (*first, month, number(last)?) } else { (*last, month, number(first)?) }
        } else if first.len() == 4 {
            (*first, number(middle)?, number(last)?)
        } else {
            match (number::<i8>(first)?, number::<i8>(middle)?) {
                (a, b) if a == b => (*last, a, b),
                (month, day @ 13..) if month <= 12 => (*last, month, day),
                (day @ 13.., month) if month <= 12 => (*last, month, day),
                _ => return None,
            }
        };
        if year.len() != 4 {
            return None;
        }
        once(&mut self.year, number(year)?)?;
        once(&mut self.month, month)?;
        once(&mut self.day, day)
    }

    /// `23:59`, `23:59:59.25`, `11pm`, `10:10:10-05:00`, `10:10z`.
    fn clock(&mut self, word: &str) -> Option<()> {
        let (mut clock, mut tail) =
            word.split_at(word.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).unwrap_or(word.len()));
        if let Some(rest) = tail.strip_prefix("am") {
            once(&mut self.afternoon, false)?;
            tail = rest;
        } else if let Some(rest) = tail.strip_prefix("pm") {
            once(&mut self.afternoon, true)?;
            tail = rest;
        }
        if !tail.is_empty() {
            once(&mut self.offset, if tail == "z" { Offset::UTC } else { offset(tail)? })?;
        }
        let mut nanos = 0;
        if let Some((whole, fraction)) = clock.split_once('.') {
            clock = whole;
            nanos = format!("{fraction:0<9}").get(..9).and_then(number)?;
        }
        let mut parts = clock.split(':');
        let hour = number(parts.next()?)?;
        let minute = parts.next().map_or(Some(0), number)?;
        let second = parts.next().map_or(Some(0), number)?;
        if parts.next().is_some() {
            return None;
        }
        once(&mut self.time, Time::new(hour, minute, second, nanos).ok()?)
    }

    fn when(self) -> Option<When> {
        let (year, month) = (self.year?, self.month?);
        let Some(day) = self.day else {
            let alone = self.time.is_none() && self.afternoon.is_none() && self.offset.is_none();
            return alone.then_some(When::Month(year, month));
        };
        let day = Date::new(year, month, day).ok()?;
        let Some(time) = self.time else {
            return (self.afternoon.is_none() && self.offset.is_none()).then_some(When::Day(day));
        };
        let time = match self.afternoon {
            None => time,
            Some(afternoon) if (1..=12).contains(&time.hour()) => {
                let hour = time.hour() % 12 + if afternoon { 12 } else { 0 };
                Time::new(hour, time.minute(), time.second(), time.subsec_nanosecond()).ok()?
            }
            Some(_) => return None,
        };
        let time = day.to_datetime(time);
        Some(self.offset.map_or(When::Local(time), |offset| When::At(time, offset)))
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// The place, from 1, of the name this word begins; three letters or more, with or without a full stop.
fn named(word: &str, names: &[&str]) -> Option<i8> {
    let word = word.strip_suffix('.').unwrap_or(word);
    let place = names.iter().position(|name| word.len() >= 3 && name.starts_with(word))?;
    i8::try_from(place + 1).ok()
}

/// Digits only: the parser of the standard library takes a sign too.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// `+05:30`, `-0800`, `+01`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits.replace(':', "")),
        ("-", digits) => (-1, digits.replace(':', "")),
        _ => return None,
    };
    let (hours, minutes) = match digits.len() {
        2 => (number::<i32>(&digits)?, 0),
        4 => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()).flatten()
}
