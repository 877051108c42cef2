//! Sizes in words.

/// `12 B`, `5.1 KB`, `212 MB`: in thousands, as disks and budgets count.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} B");
    };
    let (whole, tenths) = (bytes / unit, bytes % unit / (unit / 10));
    if whole < 10 { format!("{whole}.{tenths} {name}") } else { format!("{whole} {name}") }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn in_words() {
        let table = [(0, "0 B"), (999, "999 B"), (5_120, "5.1 KB"), (999_900, "999 KB"), (212_000_000, "212 MB")];
        for (bytes, expected) in table {
            assert_eq!(size(bytes), expected);
        }
        assert_eq!(size(u64::MAX), "18446744 TB");
    }
}
