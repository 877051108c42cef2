//! Spans of time in words.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// `0.2 s`, `12 s`, `3 min`, `5 h`, `4 days`, `2 years`: to the nearest, so that what is good for 299.98 s is good for 5 min.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_millis() >= 500));
    let in_units = |unit: u64| seconds.saturating_add(unit / 2) / unit;
    match seconds {
        _ if time < Duration::from_secs(10) => tenths(time),
        0..MINUTE | 61..120 => format!("{seconds} s"),
        MINUTE..7_170 => format!("{} min", in_units(MINUTE)),
        7_170..171_000 => format!("{} h", in_units(HOUR)),
        _ if seconds < 2 * YEAR => format!("{} days", in_units(DAY)),
        _ => format!("{} years", seconds / YEAR),
    }
}

fn tenths(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    match (tenths / 10, tenths % 10) {
        (whole @ 1.., 0) => format!("{whole} s"),
        (whole, tenth) => format!("{whole}.{tenth} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_words() {
        let table = [
            (0, "0.0 s"),
            (240, "0.2 s"),
            (999, "0.9 s"),
            (1_000, "1 s"),
            (1_250, "1.2 s"),
            (12_000, "12 s"),
            (60_000, "1 min"),
            (90_000, "90 s"),
            (299_980, "5 min"),
            (300_000, "5 min"),
            (59_700, "1 min"),
            (3_600_000, "60 min"),
            (220_000, "4 min"),
            (1_799_000, "30 min"),
            (7_199_000, "2 h"),
            (7_200_000, "2 h"),
            (172_799_000, "2 days"),
            (172_800_000, "2 days"),
            (86_400_000 * 365, "365 days"),
            (86_400_000 * 1000, "2 years"),
        ];
        for (millis, expected) in table {
            assert_eq!(span(Duration::from_millis(millis)), expected);
        }
        assert!(!span(Duration::MAX).is_empty());
    }
}
