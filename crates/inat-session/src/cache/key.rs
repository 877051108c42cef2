//! The name an entry is kept under, and the names of URLs that share a path.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method};
use twox_hash::XxHash3_64;
use url::{Position, Url};

use super::{Asked, Identity, MatchHeaders, Rules};
use crate::secret;

/// A hash of method, normalised URL, body and identity. Secrets go in and do not come out.
///
/// All queries of one path begin with the same bytes, so that a store finds together what a write makes outdated together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub(crate) [u8; 32]);

/// What the bytes under the hash mean; another meaning needs another number.
const FORMAT: u8 = 2;
/// How many of the first bytes stand for the resource ([`resource_of`]). Enough to tell most from each other, and all others are
/// left to tell its queries apart.
const HEAD: usize = 3;

impl Key {
    /// The key of a request with this body, asked by this identity.
    ///
    /// `HEAD` shares the key of `GET`. Every part goes in with its length, so that no two lists of parts run together into
    /// the same bytes.
    pub fn of(asked: &Asked<'_>, body: &[u8], identity: &Identity, rules: &Rules) -> Self {
        Self::with_query(asked, asked.url.query(), body, identity, rules)
    }

    /// The same where the query is sent in other bytes than the URL shows: reading a URL turns `'` into `%27`, which may ask
    /// for something else (RFC 3986 §2.2, §6.2.2.2).
    pub(crate) fn with_query(
        asked: &Asked<'_>,
        query: Option<&str>,
        body: &[u8],
        identity: &Identity,
        rules: &Rules,
    ) -> Self {
        let url = asked.url;
        let method = rules.method(asked.method, asked.headers);
        let mut parts = Parts(Vec::with_capacity(url.as_str().len() + 128));
        parts.0.push(FORMAT);
        parts.add(if method == Method::HEAD { b"GET" } else { method.as_str().as_bytes() });
        parts.add(&identity.bytes());
        // Scheme, user information, host in lower case, and a port other than the default one.
        parts.add(url[..Position::BeforePath].as_bytes());
        parts.add_with(|bytes| normalise_percent(url.path(), bytes));
        parts.add_query(url, query, rules);
        // A fragment is never sent, so it cannot change an answer. The reference tells answers apart by it all the same.
        if let Some(fragment) = url.fragment().filter(|_| rules.sort_parameters) {
            parts.add(b"fragment");
            parts.add(fragment.as_bytes());
        }
        parts.add_headers(asked.headers, rules);
        parts.0.push(BODY);
        let hash = if body.is_empty() {
            blake3::hash(&parts.0)
        } else {
            blake3::Hasher::new().update(&parts.0).update(body).finalize()
        };
        Self::headed(Self::head_of(&resource(url)), hash.into())
    }

    /// The key of the same request where the server need not prove who it is: what anybody may have said is no answer to those
    /// who want it proved.
    pub(crate) fn unverified(&self) -> Self {
        let hash = blake3::derive_key("inat-session 2026-11 key of an answer whose sender is not verified", &self.0);
        Self::headed(self.head(), hash)
    }

    fn headed(head: [u8; HEAD], mut hash: [u8; 32]) -> Self {
        hash[..HEAD].copy_from_slice(&head);
        Self(hash)
    }

    /// The bytes that stand for the resource, if it was made by [`Key::of`].
    pub(crate) fn head(&self) -> [u8; HEAD] {
        let [one, two, three, ..] = self.0;
        [one, two, three]
    }

    /// How the keys of a resource begin. Resources that begin alike cost time, and nothing else.
    pub(crate) fn head_of(resource: &str) -> [u8; HEAD] {
        let [one, two, three, ..] = XxHash3_64::oneshot(resource.as_bytes()).to_be_bytes();
        [one, two, three]
    }

    /// The least and the greatest of [`Key::short`] of the keys that begin like those of a resource.
    pub(crate) fn shorts_of(resource: &str) -> (i64, i64) {
        let head = Self::head_of(resource);
        (Self::headed(head, [0; 32]).short(), Self::headed(head, [0xFF; 32]).short())
    }

    /// All of it, for a store that keeps keys.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// One that was kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first 64 bits, for an integer primary key; the rest is checked in the row.
    pub fn short(&self) -> i64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        i64::from_be_bytes(first)
    }
}

/// What follows in the bytes to hash.
const NO_QUERY: u8 = 0;
const NAME_ONLY: u8 = 1;
const NAME_AND_VALUE: u8 = 2;
const AS_IT_IS: u8 = 3;
const HEADER: u8 = 4;
const BODY: u8 = 5;

/// Bytes to hash, each part behind its length.
struct Parts(Vec<u8>);

impl Parts {
    fn add(&mut self, part: &[u8]) {
        self.add_with(|bytes| bytes.extend_from_slice(part));
    }

    fn add_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.0.len();
        self.0.extend([0; 4]);
        write(&mut self.0);
        // No URL and no header section comes near 4 GiB.
        let len = u32::try_from(self.0.len() - at - 4).unwrap_or(u32::MAX);
        self.0[at..at + 4].copy_from_slice(&len.to_le_bytes());
    }

    fn add_query(&mut self, url: &Url, query: Option<&str>, rules: &Rules) {
        let pairs = query.map_or_else(Vec::new, |query| pairs(url, query, rules));
        // Also where all there is are parameters that ask for nothing.
        if pairs.is_empty() {
            return self.0.push(NO_QUERY);
        }
        for pair in pairs {
            if is_ignored(&pair.name, rules) {
                self.0.push(NAME_ONLY);
                self.add(&pair.name);
            } else if pair.as_form {
                self.0.push(NAME_AND_VALUE);
                self.add(&pair.name);
                self.add(&pair.value());
            } else {
                self.0.push(AS_IT_IS);
                self.add(pair.text.as_bytes());
            }
        }
    }

    fn add_headers(&mut self, headers: &HeaderMap, rules: &Rules) {
        let mut add = |name: &HeaderName| {
            self.0.push(HEADER);
            self.add(name.as_str().as_bytes());
            for line in headers.get_all(name) {
                if is_ignored(name.as_str().as_bytes(), rules) {
                    self.0.push(NAME_ONLY);
                } else {
                    self.0.push(AS_IT_IS);
                    self.add(line.as_bytes());
                }
            }
        };
        match &rules.match_headers {
            MatchHeaders::Off => {}
            MatchHeaders::These(names) => names.iter().for_each(&mut add),
            MatchHeaders::All => {
                let mut names: Vec<_> = headers.keys().filter(|name| !steers_caches(name)).collect();
                names.sort_by_key(|name| name.as_str());
                names.into_iter().for_each(&mut add);
            }
        }
    }
}

fn steers_caches(name: &HeaderName) -> bool {
    matches!(name.as_str(), "cache-control" | "pragma" | "range") || name.as_str().starts_with("if-")
}

fn is_ignored(name: &[u8], rules: &Rules) -> bool {
    rules.ignored_parameters.iter().any(|ignored| ignored.as_bytes().eq_ignore_ascii_case(name))
}

/// One `name=value` of a query.
struct Pair<'a> {
    text: &'a str,
    name: Cow<'a, [u8]>,
    as_form: bool,
}

impl<'a> Pair<'a> {
    fn of(text: &'a str, as_form: bool) -> Self {
        let name = text.split_once('=').map_or(text, |(name, _)| name);
        Self { text, name: plain(name, as_form), as_form }
    }

    fn value(&self) -> Cow<'a, [u8]> {
        self.text.split_once('=').map_or(Cow::Borrowed(b""), |(_, value)| plain(value, self.as_form))
    }
}

/// What a name or value of a form stands for: `+` is a space, and percent-encoding is undone.
fn plain(text: &str, as_form: bool) -> Cow<'_, [u8]> {
    if !as_form || !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text.as_bytes());
    }
    let spaced: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    Cow::Owned(percent_encoding::percent_decode(&spaced).collect())
}

/// The parameters that say what is asked for, in the order that counts: by name where a query is a form. Several of one
/// name keep their order; blank values stay.
fn pairs<'a>(url: &Url, query: &'a str, rules: &Rules) -> Vec<Pair<'a>> {
    let as_form = rules.sort_parameters;
    let of_inat = is_inat_host(url, rules);
    let mut pairs = Vec::with_capacity(8);
    pairs.extend(
        query
            .split('&')
            .filter(|text| !(as_form && text.is_empty()))
            .map(|text| Pair::of(text, as_form))
            // iNaturalist's own means to get past caches on the way: another `v` or `ttl` asks for the same thing.
            .filter(|pair| !(of_inat && matches!(&*pair.name, b"v" | b"ttl"))),
    );
    if as_form {
        pairs.sort_by(|one, other| one.name.cmp(&other.name));
    }
    pairs
}

fn is_inat_host(url: &Url, rules: &Rules) -> bool {
    let host = url.host_str().unwrap_or_default();
    let with_port = &url[Position::BeforeHost..Position::BeforePath];
    rules.inat_hosts.iter().any(|own| own.eq_ignore_ascii_case(host) || own.eq_ignore_ascii_case(with_port))
}

/// Writes a path with its percent-encoding in one form (RFC 3986 §6.2.2): upper-case digits, and none for characters that
/// need none.
fn normalise_percent(path: &str, out: &mut Vec<u8>) {
    let mut rest = path.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        let decoded =
            escape.get(1..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        // `from_str_radix` takes a sign, an escape does not.
        let decoded = decoded.filter(|_| escape.get(1) != Some(&b'+'));
        rest = match decoded {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(byte);
                &escape[3..]
            }
            Some(_) => {
                out.extend(escape[..3].to_ascii_uppercase());
                &escape[3..]
            }
            None => {
                out.push(b'%');
                &escape[1..]
            }
        };
    }
    out.extend_from_slice(rest);
}

/// What every query of one path shares: scheme, host, port and path, normalised. It names what a write invalidates.
///
/// ```
/// use inat_session::cache::resource_of;
///
/// let url = "HTTPS://API.inaturalist.org:443/v1/%74axa?q=x#top".parse().unwrap();
/// assert_eq!(resource_of(&url), "https://api.inaturalist.org/v1/taxa");
/// ```
pub fn resource_of(url: &Url) -> String {
    resource(url).into_owned()
}

/// The same. Most URLs begin with it as it is.
fn resource(url: &Url) -> Cow<'_, str> {
    let is_plain = url.has_authority() && url[..Position::BeforeHost].ends_with("://") && !url.path().contains('%');
    if is_plain {
        return Cow::Borrowed(&url[..Position::AfterPath]);
    }
    let mut resource = Vec::with_capacity(url.as_str().len());
    resource.extend_from_slice(url.scheme().as_bytes());
    resource.extend_from_slice(b"://");
    resource.extend_from_slice(url[Position::BeforeHost..Position::BeforePath].as_bytes());
    normalise_percent(url.path(), &mut resource);
    Cow::Owned(String::from_utf8_lossy(&resource).into_owned())
}

/// The URL as it is kept beside an entry, for people and for patterns: normalised as in the key, secrets masked.
pub(crate) fn shown_url(url: &Url, rules: &Rules) -> Url {
    let mut shown = url.clone();
    shown.set_fragment(None);
    if let Some(query) = url.query() {
        let pairs: Vec<_> = pairs(url, query, rules).iter().map(|pair| pair.text).collect();
        shown.set_query(Some(pairs.join("&").as_str()).filter(|query| !query.is_empty()));
    }
    Url::parse(&secret::mask_url(&shown)).unwrap_or_else(|_| {
        shown.set_query(None);
        shown
    })
}

/// Fields by which a `POST` says that it is another method in disguise: a `GET` whose query is too long for a URL.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// The method a request means where overrides count ([`Rules::method_overrides`]): its own, or the one a `POST` names in
/// `X-HTTP-Method-Override`.
pub fn effective_method(method: &Method, headers: &HeaderMap) -> Method {
    if *method != Method::POST {
        return method.clone();
    }
    let named = OVERRIDES.iter().find_map(|name| headers.get(*name));
    named.and_then(|name| Method::from_bytes(name.as_bytes().trim_ascii()).ok()).unwrap_or(Method::POST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Freshness;

    fn key(url: &str, identity: &Identity) -> Key {
        let (url, headers) = (url.parse().unwrap(), HeaderMap::new());
        let freshness = Freshness::Normal;
        let asked = Asked { method: &Method::GET, url: &url, headers: &headers, freshness, lifetime: None };
        Key::of(&asked, &[], identity, &Rules::default())
    }

    #[test]
    fn keys_begin_with_their_resource_and_go_on_with_everything() {
        let urls = [
            "https://api.inaturalist.org/v1/taxa",
            "https://api.inaturalist.org/v1/taxa?q=x",
            "HTTPS://API.inaturalist.org:443/v1/%74axa?q=y",
            "https://somebody:secret@api.inaturalist.org/v1/taxa?q=z",
            "https://api.inaturalist.org/v1/taxa?q=x#top",
        ];
        let keys = urls.map(|url| key(url, &Identity::Anonymous));
        let head = Key::head_of("https://api.inaturalist.org/v1/taxa");
        assert!(keys.iter().all(|key| key.head() == head && key.unverified().head() == head));
        for (n, one) in keys.iter().enumerate() {
            assert!(keys[n + 1..].iter().all(|other| one.short() != other.short()), "{n}");
            let (least, greatest) = Key::shorts_of("https://api.inaturalist.org/v1/taxa");
            assert!((least..=greatest).contains(&one.short()) && one.unverified() != *one);
        }
        let other = key("https://api.inaturalist.org/v1/taxa/1", &Identity::Anonymous);
        assert_ne!(other.head(), head);
    }

    #[test]
    fn a_resource_is_the_same_whether_it_is_copied_or_not() {
        for (url, expected) in [
            ("http://127.0.0.1:8080/a/b?c#d", "http://127.0.0.1:8080/a/b"),
            ("http://[::1]/", "http://[::1]/"),
            ("http://u@h/a", "http://h/a"),
            ("http://u:p@h:1/a?b", "http://h:1/a"),
            ("http://h/%7ea%2fb", "http://h/~a%2Fb"),
            ("file:///a/b?c", "file:///a/b"),
            ("data:text/plain,hello", "data://text/plain,hello"),
        ] {
            assert_eq!(resource_of(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
