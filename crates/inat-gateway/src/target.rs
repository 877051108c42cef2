//! What a request asks for, and of whom (RFC 9112 §3.2).

use http::header::HOST;
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Version};

use crate::refusal::Refusal;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A path, of the server it was sent to, or of the one it names in full.
    Path {
        /// The path, and the query.
        target: PathAndQuery,
        /// Of whom: `Host`, or `:authority`; none where HTTP/1.0 says neither.
        host: Option<Authority>,
        /// Whether the request line names it too, as it does for a proxy.
        absolute: bool,
    },
    /// `OPTIONS *`: about the server as a whole.
    Server {
        /// Of whom.
        host: Option<Authority>,
    },
}

impl Asked {
    /// Reads a request line and its `Host`, and refuses what could be read in two ways.
    pub(crate) fn read<B>(request: &Request<B>) -> Result<Self, Refusal> {
        if *request.method() == Method::CONNECT {
            return Err(Refusal::bad_request("this is no tunnel: CONNECT is not served").closing());
        }
        let named = host(request)?;
        let uri = request.uri();
        let framed = request.version() >= Version::HTTP_2;
        let absolute = uri.scheme().is_some() && !framed;
        if absolute && !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(Refusal::bad_request("only http and https are served").closing());
        }
        if uri.authority().is_some_and(|authority| !is_plain(authority)) {
            return Err(Refusal::bad_request("the server in the request line cannot be read").closing());
        }
        let host = match (uri.authority(), named) {
            (Some(authority), Some(named)) if framed && !same(authority, &named) => {
                return Err(Refusal::bad_request("`:authority` and `Host` name different servers").closing());
            }
            // RFC 9112 §3.2.2: the request line wins.
            (Some(authority), _) => Some(authority.clone()),
            (None, named) => named,
        };
        if host.is_none() && request.version() > Version::HTTP_10 {
            return Err(Refusal::bad_request("the request has no Host").closing());
        }
        if uri.path() == "*" {
            return if *request.method() == Method::OPTIONS {
                Ok(Self::Server { host })
            } else {
                Err(Refusal::bad_request("only OPTIONS may ask for `*`"))
            };
        }
        match uri.path_and_query() {
            Some(target) if target.path().starts_with('/') => Ok(Self::Path { target: target.clone(), host, absolute }),
            // An absolute URL that ends after its host, or with a query right after it.
            Some(target) if absolute => {
                let target = format!("/{target}").parse();
                let target = target.map_err(|_| Refusal::bad_request("the target cannot be read"))?;
                Ok(Self::Path { target, host, absolute })
            }
            _ => Err(Refusal::bad_request("the target is no path").closing()),
        }
    }

    pub(crate) fn host(&self) -> Option<&Authority> {
        match self {
            Self::Path { host, .. } | Self::Server { host } => host.as_ref(),
        }
    }
}

/// The one `Host` (RFC 9112 §3.2: several, or an odd one, are refused).
fn host<B>(request: &Request<B>) -> Result<Option<Authority>, Refusal> {
    let mut lines = request.headers().get_all(HOST).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    let odd = || Refusal::bad_request("the Host cannot be read").closing();
    if lines.next().is_some() {
        return Err(Refusal::bad_request("the request has several Hosts").closing());
    }
    let authority = Authority::try_from(line.as_bytes()).map_err(|_| odd())?;
    if !is_plain(&authority) {
        return Err(odd());
    }
    Ok(Some(authority))
}

/// A host, and a port if any. User information is phishing's (RFC 9110 §4.2.4), and a port that is no number is nobody's.
fn is_plain(authority: &Authority) -> bool {
    let text = authority.as_str();
    let has_port = text.len() > authority.host().len() && !text.ends_with(':');
    !text.contains('@') && !authority.host().is_empty() && has_port == authority.port_u16().is_some()
}

fn same(one: &Authority, other: &Authority) -> bool {
    one.host().eq_ignore_ascii_case(other.host()) && one.port_u16() == other.port_u16()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn targets_are_read_in_one_way() {
        #[allow(clippy::type_complexity, reason = "a table")]
        let rows: [(&str, &str, &[&str], Result<&str, u16>); 20] = [
            ("GET", "/v1/taxa?q=1", &["h:1"], Ok("/v1/taxa?q=1")),
            ("GET", "/", &[], Err(400)),
            ("GET", "/", &["a", "a"], Err(400)),
            ("GET", "/", &["a@b"], Err(400)),
            ("GET", "/", &["a b"], Err(400)),
            ("GET", "/", &[""], Err(400)),
            ("GET", "http://h/x", &["other"], Ok("/x")),
            ("GET", "http://h", &["h"], Ok("/")),
            ("CONNECT", "h:443", &["h"], Err(400)),
            ("GET", "h:443", &["h"], Err(400)),
            ("GET", "*", &["h"], Err(400)),
            ("PURGE", "/x", &["h"], Ok("/x")),
            ("GET", "/x", &["h:"], Ok("/x")),
            ("GET", "/x", &["[::1]:80"], Ok("/x")),
            ("GET", "/x", &["h:abc"], Err(400)),
            ("GET", "/x", &["h:99999"], Err(400)),
            ("GET", "https://h/x", &["h"], Ok("/x")),
            ("GET", "ftp://h/x", &["h"], Err(400)),
            ("GET", "http://u:p@h/x", &["h"], Err(400)),
            ("GET", "http://h:abc/x", &["h"], Err(400)),
        ];
        for (method, uri, hosts, expected) in rows {
            let read = Asked::read(&request(method, uri, hosts));
            let got = read.map_err(|refusal| refusal.status.as_u16()).map(|asked| match asked {
                Asked::Path { target, .. } => target.to_string(),
                Asked::Server { .. } => "*".to_owned(),
            });
            assert_eq!(got, expected.map(str::to_owned), "{method} {uri} {hosts:?}");
        }
        assert!(matches!(Asked::read(&request("OPTIONS", "*", &["h"])), Ok(Asked::Server { .. })));
    }

    #[test]
    fn the_request_line_names_the_server_where_it_does() {
        let asked = Asked::read(&request("GET", "http://line/x", &["field"])).unwrap();
        assert_eq!(asked.host().unwrap().as_str(), "line");
        assert!(matches!(asked, Asked::Path { absolute: true, .. }));
    }
}
