//! Versions that beat the server's cache.
//!
//! The server's CDN ignores `no-cache` for two minutes, but takes `v=1` and `v=2` for different pages. So to be sure of a fresh
//! answer one asks with a version not used for this endpoint lately: none at all, then 1, 2, … The marks live in the ledger,
//! so that two processes do not use the same one.

use std::time::Duration;

/// How long the CDN may keep a page, with two seconds to spare.
pub(super) const HOLD: Duration = Duration::from_secs(122);

/// The lowest version not among `used`; 0 is none at all.
pub(super) fn lowest_free(used: &[u32]) -> u32 {
    (0..u32::MAX).find(|version| !used.contains(version)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::lowest_free;

    #[test]
    fn gaps_are_filled() {
        assert_eq!(lowest_free(&[]), 0);
        assert_eq!(lowest_free(&[0]), 1);
        assert_eq!(lowest_free(&[2, 0]), 1);
        assert_eq!(lowest_free(&[0, 1, 2]), 3);
    }
}
