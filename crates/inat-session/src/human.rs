//! Durations and counts as people say them.

use std::fmt;
use std::time::Duration;

/// A duration in one word, rounded: `0.2 s`, `45 s`, `5 min`, `3 h`, `7 d`.
pub(crate) struct Human(pub(crate) Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_millis().saturating_add(500) / 1000;
        // To the nearest whole one: 299.9 s are five minutes to anybody.
        let nearest = |unit: u128| (seconds + unit / 2) / unit;
        match seconds {
            0..10 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            10..120 => write!(f, "{seconds} s"),
            120..7_200 => write!(f, "{} min", nearest(60)),
            7_200..172_800 => write!(f, "{} h", nearest(3600)),
            172_800..315_360_000 => write!(f, "{} d", nearest(86_400)),
            _ => f.write_str("years"),
        }
    }
}

/// So many things of a kind: `1 file`, `2 files`.
pub(crate) struct Count(pub(crate) usize, pub(crate) &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Human};
    use std::time::Duration;

    #[test]
    fn one_is_one() {
        for (count, expected) in [(0, "0 files"), (1, "1 file"), (2, "2 files")] {
            assert_eq!(Count(count, "file").to_string(), expected);
        }
    }

    #[test]
    fn as_people_say_them() {
        let rows = [
            (0, "0.0 s"),
            (9, "9.0 s"),
            (45, "45 s"),
            (299, "5 min"),
            (300, "5 min"),
            (10_800, "3 h"),
            (604_800, "7 d"),
        ];
        for (seconds, text) in rows {
            assert_eq!(Human(Duration::from_secs(seconds)).to_string(), text);
        }
        assert_eq!(Human(Duration::MAX).to_string(), "years");
    }
}
