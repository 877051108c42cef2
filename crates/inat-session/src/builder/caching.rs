//! Settings of the cache.

use std::path::PathBuf;
use std::sync::Arc;

use http::Method;

use super::{Place, SessionBuilder};
use crate::cache::{Lifetime, MatchHeaders, Rules, Stale};
use crate::store::Store;
use crate::{Prepared, Response};

impl SessionBuilder {
    /// Keeps answers in this file. It is made with mode 0600, and may be shared with other processes.
    pub fn cache_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.place = Place::File(path.into());
        self
    }

    /// Keeps answers in memory, for as long as the session lives.
    #[doc(alias = "use_memory")]
    pub fn cache_in_memory(mut self) -> Self {
        self.place = Place::Memory;
        self
    }

    /// Keeps answers in a store of one's own.
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.place = Place::Custom(Arc::new(store));
        self
    }

    /// The most the cache may hold, in bytes: 512 MiB by default, and a file 1 MiB at least. What was not used for longest goes
    /// first; in memory a body larger than a quarter of this is not kept.
    pub fn cache_size(mut self, bytes: u64) -> Self {
        self.cache_size = bytes;
        self
    }

    /// How much of it is kept decoded in memory, in bytes: 32 MiB by default, 0 for nothing.
    pub fn memory_tier(mut self, bytes: u64) -> Self {
        self.memory_tier = bytes;
        self
    }

    /// Whether bodies are compressed in the file (on by default).
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Whether the server's `Cache-Control` and `Expires` decide how long an answer is fresh, before the lifetimes set here (on
    /// by default).
    pub fn cache_control(mut self, obey: bool) -> Self {
        self.rules.lifetimes.cache_control = obey;
        self
    }

    /// How long to keep answers for which neither headers nor a URL pattern say it.
    pub fn expire_after(mut self, lifetime: impl Into<Lifetime>) -> Self {
        self.rules.lifetimes.session = Some(lifetime.into());
        self
    }

    /// How long to keep answers from URLs that match a glob; the first pattern that matches counts, and yours come before the
    /// built-in ones. `*` crosses `/`, the scheme is left out, and a pattern matches whatever begins like it.
    #[doc(alias = "urls_expire_after")]
    pub fn expire_url(mut self, pattern: &str, lifetime: impl Into<Lifetime>) -> Self {
        self.rules.lifetimes.patterns.push(pattern, lifetime.into());
        self
    }

    /// Several [`SessionBuilder::expire_url`] in order.
    pub fn urls_expire_after<P: AsRef<str>, L: Into<Lifetime>>(
        self,
        patterns: impl IntoIterator<Item = (P, L)>,
    ) -> Self {
        patterns.into_iter().fold(self, |builder, (pattern, lifetime)| builder.expire_url(pattern.as_ref(), lifetime))
    }

    /// Keeps answers for exactly as long as HTTP says, with no lifetimes of anybody else's: as a plain HTTP cache. Takes back what
    /// was said before about lifetimes, statuses, ignored parameters and stale answers after errors; what is said after it counts.
    pub fn headers_only(mut self) -> Self {
        let before = std::mem::replace(&mut self.rules, Rules::headers_only());
        self.rules.disabled = before.disabled;
        self.rules.allowable_methods = before.allowable_methods;
        self.rules.match_headers = before.match_headers;
        self.rules.always_revalidate = before.always_revalidate;
        self.rules.only_if_cached = before.only_if_cached;
        self.rules.stale_while_revalidate = before.stale_while_revalidate;
        self
    }

    /// Which statuses are kept: only 200 by default. With none named, all that HTTP lets a cache keep.
    pub fn allowable_codes(mut self, codes: impl IntoIterator<Item = u16>) -> Self {
        self.rules.allowable_codes = Some(self.statuses(codes));
        self
    }

    /// Whose methods' answers are looked up and kept: `GET` and `HEAD` by default. Another one named here is taken for one that
    /// only reads: its answers are kept by method, URL and body, and no longer show that anything has changed.
    pub fn allowable_methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.rules.allowable_methods = methods.into_iter().collect();
        self
    }

    /// Which request fields tell answers apart besides those that `Vary` names: none by default.
    pub fn match_headers(mut self, headers: MatchHeaders) -> Self {
        self.rules.match_headers = headers;
        self
    }

    /// Names of parameters whose values do not tell answers apart. Those that hold secrets, by default.
    pub fn ignored_parameters<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.rules.ignored_parameters = names.into_iter().map(Into::into).collect();
        self
    }

    /// Whether every use of an answer that has a validator asks the server first (off by default).
    pub fn always_revalidate(mut self, always: bool) -> Self {
        self.rules.always_revalidate = always;
        self
    }

    /// Whether, or for how long after it expired, an answer is served when the server is down. Always, by default.
    pub fn stale_if_error(mut self, stale: impl Into<Stale>) -> Self {
        self.rules.stale_if_error = stale.into();
        self
    }

    /// Whether, or for how long after it expired, an answer is served while a new one is fetched. Off by default.
    pub fn stale_while_revalidate(mut self, stale: impl Into<Stale>) -> Self {
        self.rules.stale_while_revalidate = stale.into();
        self
    }

    /// Whether only the cache may answer (off by default).
    pub fn only_if_cached(mut self, only: bool) -> Self {
        self.rules.only_if_cached = only;
        self
    }

    /// Whether the cache is only read, and nothing is added to it or removed (off by default). What a write of this session
    /// outdates, it no longer uses, as far as it remembers (4,096 resources); others go on using it.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Whether to do without the cache (off by default).
    #[doc(alias = "disabled")]
    pub fn cache_disabled(mut self, disabled: bool) -> Self {
        self.rules.disabled = disabled;
        self
    }

    /// Keeps only answers this function says yes to, and uses only stored ones it says yes to.
    #[doc(alias = "filter_fn")]
    pub fn filter(mut self, filter: impl Fn(&Response) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(filter));
        self
    }

    /// Tells requests apart by this text instead of by method, URL and body. Whose request it is counts besides, always.
    #[doc(alias = "key_fn")]
    pub fn key(mut self, key: impl Fn(&Prepared) -> String + Send + Sync + 'static) -> Self {
        self.key_of = Some(Arc::new(key));
        self
    }
}
