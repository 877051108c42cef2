//! Settings of the budget.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Place, SessionBuilder};
use crate::limit::{Ledger, Limits};

impl SessionBuilder {
    /// Requests a second on average; 1 by default, 0 for no such limit. With `burst` it makes one window: `per_second · burst`
    /// requests in any `burst` seconds.
    pub fn per_second(mut self, rate: f64) -> Self {
        self.limits.per_second = rate;
        self
    }

    /// How many requests may follow each other at once before `per_second` holds them back; 5 by default.
    pub fn burst(mut self, burst: u32) -> Self {
        self.limits.burst = burst;
        self
    }

    /// Requests in any minute; 60 by default, 0 for no such limit.
    pub fn per_minute(mut self, rate: f64) -> Self {
        self.limits.per_minute = rate;
        self
    }

    /// Requests in any hour; no such limit by default.
    pub fn per_hour(mut self, rate: f64) -> Self {
        self.limits.per_hour = rate;
        self
    }

    /// Requests in any 24 hours; 10,000 by default, 0 for no such limit.
    pub fn per_day(mut self, rate: f64) -> Self {
        self.limits.per_day = rate;
        self
    }

    /// Requests in any 30 days; no such limit by default.
    pub fn per_month(mut self, rate: f64) -> Self {
        self.limits.per_month = rate;
        self
    }

    /// All limits at once.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// No limits at all. For servers of one's own.
    pub fn unlimited(mut self) -> Self {
        self.limits = Limits::unlimited();
        self
    }

    /// Keeps the budget in this file. It is made with mode 0600; all processes that name it share the budget.
    pub fn ratelimit_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.ledger = Place::File(path.into());
        self
    }

    /// Keeps the budget in memory: shared by the threads of this process, and forgotten at its end.
    #[doc(alias = "InMemoryBucket")]
    pub fn budget_in_memory(mut self) -> Self {
        self.ledger = Place::Memory;
        self
    }

    /// Keeps the budget in a ledger of one's own.
    #[doc(alias = "bucket_class")]
    pub fn ledger(mut self, ledger: impl Ledger + 'static) -> Self {
        self.ledger = Place::Custom(Arc::new(ledger));
        self
    }

    /// Has no effect: the limits hold between processes without any option. It is here because the reference needs it.
    #[doc(alias = "FileLockSQLiteBucket")]
    pub fn use_file_lock(self, _use_it: bool) -> Self {
        self
    }

    /// Statuses that mean the server is throttling: 429 by default. With none, refusals (also a 503 that says until when) are
    /// answers like others, and stop nobody.
    pub fn limit_statuses(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.limits.limit_statuses = self.statuses(statuses);
        self
    }

    /// The longest wait for a slot; beyond it the caller gets an error that says until when, and no slot is taken. No bound by
    /// default.
    pub fn max_delay(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.limits.max_delay = delay.into();
        self
    }

    /// A name of one's own for the buckets, so that they are counted apart from others in the same file.
    pub fn bucket_name(mut self, name: impl Into<String>) -> Self {
        self.limits.bucket_name = Some(name.into());
        self
    }

    /// Whether each host has limits of its own (on by default; iNaturalist's API and site share theirs), or all share one.
    pub fn per_host(mut self, per_host: bool) -> Self {
        self.limits.per_host = per_host;
        self
    }
}
