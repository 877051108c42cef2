//! What the user sets: rates, how they apply, and what they are when nobody sets anything.

use std::time::Duration;

use http::StatusCode;

use super::rate::{self, Window};

const HOUR: Duration = Duration::from_secs(3600);

/// The rates, and how they apply.
///
/// A rate of zero is no limit; fractions are fine (`per_second: 0.5` is one request in two seconds). All limits hold at
/// once, and each is exact: never more than `limit` departures in *any* stretch of time of its length.
///
/// Processes that share a bucket should share the limits too: each keeps its own against everybody's requests.
///
/// ```
/// use inat_session::limit::Limits;
///
/// let limits = Limits { per_second: 0.5, per_minute: 0.0, ..Limits::default() };
/// assert!(limits.validate().is_ok());
/// assert!(Limits { per_day: f64::NAN, ..Limits::default() }.validate().is_err());
/// assert!(Limits::unlimited().is_unlimited());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Requests a second, on average over `burst` seconds. Default 1.
    pub per_second: f64,
    /// How many seconds' worth may go out at once: the window is `per_second × burst` requests in `burst` seconds.
    /// Default 5.
    pub burst: u32,
    /// Requests a minute. Default 60.
    pub per_minute: f64,
    /// Requests an hour. Default 0, no limit.
    pub per_hour: f64,
    /// Requests a day (24 hours). Default 10,000.
    pub per_day: f64,
    /// Requests a month (30 days). Default 0, no limit.
    pub per_month: f64,
    /// Other rates for the media hosts. Default `None`: the same rates, in buckets of their own.
    pub media_rates: Option<Rates>,
    /// One bucket per host and port (the default), or one for all. See also `inat_hosts`.
    pub per_host: bool,
    /// Goes before the name of each bucket, to keep programs apart that share a file. Default `None`.
    pub bucket_name: Option<String>,
    /// The longest wait for a slot; beyond it the request is refused and nothing is consumed. Default `None`: any.
    pub max_delay: Option<Duration>,
    /// How much longer than asked each window is kept, so that a request that leaves a little late or travels a little faster
    /// than another does not make one too many at the server. At most this, and at most a fiftieth of the window.
    /// A quarter of it is for this machine, the rest for the network. Default 250 ms.
    pub margin: Duration,
    /// Statuses by which the server says "too fast". Default 429.
    pub limit_statuses: Vec<StatusCode>,
    /// The longest `Retry-After` to sit through; beyond it requests are refused until then. Default 10 minutes.
    pub retry_after_cap: Duration,
    /// How long a bucket stays shut after the server's block page. Default one hour.
    pub blocked_for: Duration,
    /// How many bytes the media hosts may give, together.
    pub bytes: ByteLimits,
    /// Hosts that share the bucket `inaturalist`, because the server throttles by address before it looks at the host.
    pub inat_hosts: Vec<String>,
    /// Hosts whose bodies count against `bytes`, with rates of their own. With a port (`mirror.example:8080`) where that is not the
    /// usual one.
    pub media_hosts: Vec<String>,
}

/// Rates of their own for some hosts. Zero is no limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// Requests a second, on average over `burst` seconds.
    pub per_second: f64,
    /// How many seconds' worth may go out at once.
    pub burst: u32,
    /// Requests a minute.
    pub per_minute: f64,
    /// Requests an hour.
    pub per_hour: f64,
    /// Requests a day.
    pub per_day: f64,
    /// Requests a month of 30 days.
    pub per_month: f64,
}

/// How many bytes the media hosts may give. Zero is no limit.
///
/// iNaturalist asks for less than 5 GB an hour and 24 GB a day; the defaults are four fifths of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteLimits {
    /// Bytes in any hour. Default 4 GB.
    pub per_hour: u64,
    /// Bytes in any day. Default 19.2 GB.
    pub per_day: u64,
}

impl Default for ByteLimits {
    fn default() -> Self {
        Self { per_hour: 4_000_000_000, per_day: 19_200_000_000 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_second: 1.0,
            burst: 5,
            per_minute: 60.0,
            per_hour: 0.0,
            per_day: 10_000.0,
            per_month: 0.0,
            media_rates: None,
            per_host: true,
            bucket_name: None,
            max_delay: None,
            margin: Duration::from_millis(250),
            limit_statuses: vec![StatusCode::TOO_MANY_REQUESTS],
            retry_after_cap: Duration::from_secs(600),
            blocked_for: HOUR,
            bytes: ByteLimits::default(),
            inat_hosts: ["api.inaturalist.org", "www.inaturalist.org", "inaturalist.org"].map(String::from).into(),
            media_hosts: ["static.inaturalist.org", "inaturalist-open-data.s3.amazonaws.com"].map(String::from).into(),
        }
    }
}

impl Limits {
    /// No limit at all: no file is opened. A refusal of the server is still obeyed, within the process.
    pub fn unlimited() -> Self {
        Self {
            per_second: 0.0,
            per_minute: 0.0,
            per_day: 0.0,
            bytes: ByteLimits { per_hour: 0, per_day: 0 },
            ..Self::default()
        }
    }

    /// Whether nothing is limited, neither requests nor bytes.
    pub fn is_unlimited(&self) -> bool {
        self.windows(false).is_empty() && self.windows(true).is_empty() && self.bytes.is_unlimited()
    }

    /// Says in plain words which setting is wrong: negative, infinite, not a number, too large, a burst of zero.
    pub fn validate(&self) -> Result<(), String> {
        let rates = self.rates();
        rates.validate("")?;
        match &self.media_rates {
            Some(media) => media.validate("media "),
            None => Ok(()),
        }
    }

    fn rates(&self) -> Rates {
        Rates {
            per_second: self.per_second,
            burst: self.burst,
            per_minute: self.per_minute,
            per_hour: self.per_hour,
            per_day: self.per_day,
            per_month: self.per_month,
        }
    }

    /// The windows that bind a request, the shortest first.
    pub fn windows(&self, media: bool) -> Vec<Window> {
        match &self.media_rates {
            Some(rates) if media => rate::windows(rates, self.margin),
            _ => rate::windows(&self.rates(), self.margin),
        }
    }
}

impl Rates {
    fn validate(&self, whose: &str) -> Result<(), String> {
        let named = [
            ("per_second", self.per_second),
            ("per_minute", self.per_minute),
            ("per_hour", self.per_hour),
            ("per_day", self.per_day),
            ("per_month", self.per_month),
        ];
        for (name, rate) in named {
            if !rate.is_finite() || rate < 0.0 {
                return Err(format!("{whose}{name} is {rate}; it must be a number of requests, or 0 for no limit"));
            }
            if rate > rate::HIGHEST {
                return Err(format!("{whose}{name} is {rate}; the highest rate is {}, 0 is no limit", rate::HIGHEST));
            }
        }
        if self.burst == 0 && self.per_second > 0.0 {
            return Err(format!("{whose}burst is 0; it must be at least 1 (1 means no burst)"));
        }
        Ok(())
    }
}

impl ByteLimits {
    pub(crate) fn is_unlimited(&self) -> bool {
        self.per_hour == 0 && self.per_day == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_are_named() {
        let table: [(Limits, &str); 6] = [
            (Limits { per_second: f64::NAN, ..Limits::default() }, "per_second is NaN"),
            (Limits { per_minute: -1.0, ..Limits::default() }, "per_minute is -1"),
            (Limits { per_hour: f64::INFINITY, ..Limits::default() }, "per_hour is inf"),
            (Limits { per_day: 1e18, ..Limits::default() }, "the highest rate"),
            (Limits { burst: 0, ..Limits::default() }, "burst is 0"),
            (
                Limits {
                    media_rates: Some(Rates { per_month: -0.5, ..Limits::default().rates() }),
                    ..Limits::default()
                },
                "media per_month is -0.5",
            ),
        ];
        for (limits, part) in table {
            let message = limits.validate().unwrap_err();
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(Limits::default().validate(), Ok(()));
        assert_eq!(Limits::unlimited().validate(), Ok(()));
    }

    #[test]
    fn unlimited_means_bytes_too() {
        assert!(Limits::unlimited().is_unlimited());
        assert!(!Limits::default().is_unlimited());
        assert!(!Limits { bytes: ByteLimits::default(), ..Limits::unlimited() }.is_unlimited());
        assert!(!Limits { per_month: 0.5, ..Limits::unlimited() }.is_unlimited());
    }
}
