//! A request as the controllers see it: version, path, parameters, identity.

use std::time::SystemTime;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{fields::Fields, identity::Identity, reply::Refusal};
use crate::{Answer, Seen};

/// The body parser's limit; files go by `multipart` and have their own.
const JSON_LIMIT: usize = 2 * 1024 * 1024;
/// Elasticsearch's window: nothing beyond can be paged to.
const WINDOW: u64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
    /// Everything outside the API: sign-in, media, helpers.
    Other,
}

#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) seen: &'a Seen,
    pub(crate) version: Version,
    /// GET for HEAD, and for a POST that says so.
    pub(crate) method: &'a str,
    /// The decoded path after the version.
    pub(crate) segments: Vec<String>,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) fields: Fields,
    pub(crate) identity: Identity,
    pub(crate) now: SystemTime,
}

/// Which part of a listing is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paging {
    pub(crate) page: u64,
    pub(crate) per_page: u64,
}

impl Paging {
    pub(crate) fn slice<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let start = usize::try_from((self.page - 1).saturating_mul(self.per_page)).unwrap_or(usize::MAX).min(all.len());
        let end = start.saturating_add(usize::try_from(self.per_page).unwrap_or(usize::MAX)).min(all.len());
        &all[start..end]
    }

    /// Refuses what Elasticsearch cannot reach. v1 says 403, v2 says 500, in the same words.
    pub(crate) fn within_window(self, version: Version) -> Result<Self, Refusal> {
        let reach = self.page.saturating_mul(self.per_page);
        if reach <= WINDOW {
            return Ok(self);
        }
        let status = if version == Version::V2 { 500 } else { 403 };
        let text = format!(
            "Result window is too large, from + size must be less than or equal to: [{WINDOW}] but was [{reach}]."
        );
        Err(Refusal::new(status, text))
    }
}

impl<'a> Call<'a> {
    pub(crate) fn read(seen: &'a Seen, now: SystemTime) -> Result<Self, Answer> {
        let mut segments: Vec<String> = seen
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let version = match segments.first().map(String::as_str) {
            Some("v1") => Version::V1,
            Some("v2") => Version::V2,
            _ => Version::Other,
        };
        if version != Version::Other {
            segments.remove(0);
        }
        let mut call = Self {
            seen,
            version,
            method: if seen.method == "HEAD" { "GET" } else { &seen.method },
            segments,
            params: seen.params(),
            fields: Fields::Default,
            identity: Identity::read(seen.header("authorization"), now),
            now,
        };
        call.read_override().and_then(|()| call.read_fields()).map_err(|refusal| refusal.into_answer(&call))?;
        Ok(call)
    }

    /// POST as GET, for queries too long for a URL.
    fn read_override(&mut self) -> Result<(), Refusal> {
        let multipart = self.seen.header("content-type").is_some_and(|kind| kind.starts_with("multipart/"));
        if self.version != Version::Other && !multipart && self.seen.body.len() > JSON_LIMIT {
            return Err(Refusal::new(413, "request entity too large"));
        }
        let overridden =
            self.seen.header("x-http-method-override").is_some_and(|method| method.eq_ignore_ascii_case("get"));
        if self.method != "POST" || !overridden || self.version == Version::Other {
            return Ok(());
        }
        let body = serde_json::from_slice(&self.seen.body).ok();
        let Some(Value::Object(body)) = body else {
            return Err(Refusal::new(422, "request body is missing or not a JSON object"));
        };
        self.method = "GET";
        for (name, value) in body {
            if name == "fields" {
                self.fields = Fields::from_json(&value);
            } else {
                self.params.push((name, plain(&value)));
            }
        }
        Ok(())
    }

    fn read_fields(&mut self) -> Result<(), Refusal> {
        if let Some(text) = self.get("fields") {
            self.fields =
                Fields::parse(text).ok_or_else(|| Refusal::new(422, "fields is not a list, JSON or RISON"))?;
        }
        Ok(())
    }

    /// The first value of a parameter that is not blank.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter, whether repeated, in brackets or with commas. `None` where it is not given.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<&str>> {
        let values: Vec<&str> = self
            .params
            .iter()
            .filter(|(key, _)| key.strip_suffix("[]").unwrap_or(key) == name)
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .collect();
        Some(values).filter(|values| !values.is_empty())
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.trim().parse().ok()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            "true" | "1" | "yes" | "t" => Some(true),
            "false" | "0" | "no" | "f" => Some(false),
            _ => None,
        }
    }

    /// `page` and `per_page`. Too many per page is cut down without a word; page 0 makes Elasticsearch fail.
    pub(crate) fn paging(&self, default: u64, most: u64) -> Result<Paging, Refusal> {
        let per_page = match self.number("per_page") {
            Some(asked) => u64::try_from(asked).map_or(default, |asked| asked.min(most)),
            None => default,
        };
        match self.number("page").unwrap_or(1) {
            page if page < 1 => Err(Refusal::new(500, "[from] parameter cannot be negative")),
            page => Ok(Paging { page: page.unsigned_abs(), per_page }),
        }
    }

    /// The signed-in user, as far as the API looks. A token it cannot use is the same as none.
    pub(crate) fn viewer(&self) -> Option<u64> {
        match self.identity {
            Identity::User(user) => Some(user),
            _ => None,
        }
    }

    /// Who is signed in. The Rails application, outside the versions, takes its own access tokens as well.
    pub(crate) fn required(&self) -> Result<u64, Refusal> {
        let by_oauth = match self.identity {
            Identity::OAuth(user) if self.version == Version::Other => Some(user),
            _ => None,
        };
        self.viewer().or(by_oauth).ok_or_else(|| {
            let text = if self.version == Version::V2 { "JWT is missing or invalid" } else { "Unauthorized" };
            Refusal::new(401, text)
        })
    }

    /// A record as its version gives it: v1 whole, v2 the fields asked for and the key.
    pub(crate) fn select(&self, key: &str, record: Value) -> Value {
        if self.is_v2() { self.fields.select(key, &record) } else { record }
    }

    pub(crate) fn is_v2(&self) -> bool {
        self.version == Version::V2
    }
}

/// A JSON value as it would stand in a query.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
