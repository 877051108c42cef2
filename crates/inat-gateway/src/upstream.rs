//! Where requests lead, and nowhere else.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use url::Url;

use crate::Error;
use crate::refusal::Refusal;

/// One place requests lead to: those whose path begins like this.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Whole segments, without a slash at the end: `/v1`, or nothing for every path.
    prefix: String,
    scheme: Scheme,
    authority: Authority,
    /// Goes before the path of the request; without a slash at the end.
    base: String,
    pub(crate) kind: Kind,
}

/// What is known about an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// iNaturalist's API, or a stand-in for it. Whether an answer travels compressed is settled between the gateway and it, so
    /// that clients of any language share one stored answer.
    Api,
    /// Any server. Everything passes as it is.
    Origin,
}

impl Upstream {
    /// `/v1` and `/v2` of iNaturalist's API.
    pub fn inaturalist() -> Vec<Self> {
        let authority = Authority::from_static("api.inaturalist.org");
        ["/v1", "/v2"].map(|prefix| Self::at(prefix, Scheme::HTTPS, authority.clone(), "", Kind::Api)).into()
    }

    /// `/v1` and `/v2` of a server that speaks like iNaturalist's API: a sandbox, or an installation of one's own.
    pub fn api(url: &str) -> Result<Vec<Self>, Error> {
        let (scheme, authority, base) = split(url)?;
        Ok(["/v1", "/v2"].map(|prefix| Self::at(prefix, scheme.clone(), authority.clone(), &base, Kind::Api)).into())
    }

    /// Every path leads to this server, and everything passes as it is. A path in the URL goes before the request's.
    pub fn origin(url: &str) -> Result<Self, Error> {
        let (scheme, authority, base) = split(url)?;
        Ok(Self::at("", scheme, authority, &base, Kind::Origin))
    }

    /// Only paths that begin with these whole segments lead here, e.g. `/v1`.
    pub fn under(mut self, prefix: &str) -> Result<Self, Error> {
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() && !prefix.starts_with('/') {
            return Err(Error::config(format!("the prefix `{prefix}` does not begin with a slash")));
        }
        if prefix == "/-" || prefix.starts_with("/-/") {
            return Err(Error::config("paths under /-/ are the gateway's own"));
        }
        prefix.clone_into(&mut self.prefix);
        Ok(self)
    }

    fn at(prefix: &str, scheme: Scheme, authority: Authority, base: &str, kind: Kind) -> Self {
        Self { prefix: prefix.to_owned(), scheme, authority, base: base.to_owned(), kind }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The server, with its port where it is not the scheme's own.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    fn serves(&self, path: &str) -> bool {
        path.strip_prefix(&self.prefix)
            .is_some_and(|rest| self.prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether only a part of the server may be reached.
    fn is_partial(&self) -> bool {
        !self.prefix.is_empty() || !self.base.is_empty()
    }

    /// What to ask it for. The request's own bytes are not touched.
    pub(crate) fn uri(&self, target: &PathAndQuery) -> Result<Uri, Refusal> {
        if self.is_partial() && climbs(target.path()) {
            return Err(Refusal::bad_request("the path has segments that lead out of what this gateway serves"));
        }
        let path = if self.base.is_empty() {
            target.clone()
        } else {
            PathAndQuery::try_from(format!("{}{target}", self.base))
                .map_err(|_| Refusal::bad_request("the path cannot be joined to the upstream's"))?
        };
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).map_err(|_| Refusal::bad_request("the target cannot be asked for"))
    }
}

/// The upstream for this path, of those at `authority` where the request names one.
pub(crate) fn find<'a>(upstreams: &'a [Upstream], path: &str, authority: Option<&Authority>) -> Option<&'a Upstream> {
    upstreams
        .iter()
        .filter(|upstream| authority.is_none_or(|named| is_same(upstream, named)) && upstream.serves(path))
        .max_by_key(|upstream| upstream.prefix.len())
}

/// Whether an authority names this upstream. A port that says nothing new does not count.
pub(crate) fn is_same(upstream: &Upstream, authority: &Authority) -> bool {
    let own = &upstream.authority;
    let plain = |port: Option<u16>| port.filter(|port| !matches!(port, 80 | 443));
    own.host().eq_ignore_ascii_case(authority.host()) && plain(own.port_u16()) == plain(authority.port_u16())
}

/// Segments that a server, or something before it, may take for "one up". They are only a danger where a prefix is a fence.
fn climbs(path: &str) -> bool {
    path.split(['/', '\\']).any(|segment| {
        let plain = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
        plain == ".." || plain == "." || plain.contains(['/', '\\'])
    })
}

/// Whether a URL parser leaves the path as it is. Where it does not, two different requests could share one place in the cache.
pub(crate) fn is_plain(uri: &Uri) -> bool {
    // Letters, digits, slashes and a few signs stay as they are in every path; only dots may be read as steps.
    let stays =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'~' | b',' | b'=' | b'+');
    if uri.path().starts_with('/') && uri.path().bytes().all(stays) {
        return true;
    }
    Url::parse(&uri.to_string()).is_ok_and(|url| url.path() == uri.path())
}

fn split(text: &str) -> Result<(Scheme, Authority, String), Error> {
    let wrong = |why: &str| Error::config(format!("the upstream `{text}` {why}"));
    let url = Url::parse(text).map_err(|error| wrong(&format!("is no URL: {error}")))?;
    let scheme = match url.scheme() {
        "http" => Scheme::HTTP,
        "https" => Scheme::HTTPS,
        _ => return Err(wrong("is neither http nor https")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("names a user; credentials are the clients'"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment"));
    }
    let host = url.host_str().ok_or_else(|| wrong("has no host"))?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let authority = authority.parse().map_err(|error| wrong(&format!("has an odd host: {error}")))?;
    Ok((scheme, authority, url.path().trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_segments_lead_to_an_upstream() {
        let upstreams = Upstream::inaturalist();
        for (path, found) in [
            ("/v1", true),
            ("/v1/", true),
            ("/v1/taxa", true),
            ("/v2/taxa", true),
            ("/v10/taxa", false),
            ("/", false),
            ("/V1/x", false),
        ] {
            assert_eq!(find(&upstreams, path, None).is_some(), found, "{path}");
        }
        let other: Authority = "example.org".parse().unwrap();
        let named: Authority = "API.inaturalist.org:443".parse().unwrap();
        assert!(find(&upstreams, "/v1/taxa", Some(&other)).is_none());
        assert!(find(&upstreams, "/v1/taxa", Some(&named)).is_some());
    }

    #[test]
    fn the_target_passes_byte_for_byte() {
        let origin = Upstream::origin("http://127.0.0.1:9000").unwrap();
        for target in ["/", "/a/../b", "/a//b?", "/%7e?x=1&&y=%2F'", "/a?b?c=[1]", "/x|y\\z"] {
            let uri = origin.uri(&target.parse().unwrap()).unwrap();
            assert_eq!(uri.to_string(), format!("http://127.0.0.1:9000{target}"));
        }
        let based = Upstream::origin("http://h/app/").unwrap();
        assert_eq!(based.uri(&"/x?y".parse().unwrap()).unwrap().to_string(), "http://h/app/x?y");
    }

    #[test]
    fn a_prefix_is_a_fence() {
        let api = &Upstream::inaturalist()[0];
        for target in ["/v1/../oauth", "/v1/%2e%2E/oauth", "/v1/..%2foauth", "/v1/x\\..\\..\\y", "/v1/./x"] {
            assert!(api.uri(&target.parse().unwrap()).is_err(), "{target}");
        }
        assert!(api.uri(&"/v1/taxa/1..2?q=../x".parse().unwrap()).is_ok());
    }

    #[test]
    fn paths_that_are_rewritten_are_known() {
        for (uri, plain) in [
            ("http://h/a/b?c='d'", true),
            ("http://h/a/../b", false),
            ("http://h/a\\b", false),
            ("http://h/%2e/x", false),
        ] {
            assert_eq!(is_plain(&uri.parse().unwrap()), plain, "{uri}");
        }
    }

    #[test]
    fn odd_upstreams_are_refused() {
        for text in ["ftp://x", "x", "http://u:p@h", "http://h?x", "http://h#f", "file:///x"] {
            assert!(matches!(Upstream::origin(text), Err(Error::Config(_))), "{text}");
        }
        assert!(Upstream::origin("http://h").unwrap().under("-").is_err());
        assert!(Upstream::origin("http://h").unwrap().under("/-/x").is_err());
    }
}
