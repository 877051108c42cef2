//! Who is let in. A page in a browser can make its own name lead to 127.0.0.1 (DNS rebinding) and then talk to whatever
//! listens there; it cannot choose the `Host` its requests carry.

use std::net::IpAddr;

use http::header::TRANSFER_ENCODING;
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode};

use crate::refusal::Refusal;
use crate::target::Asked;
use crate::upstream::is_same;
use crate::{Config, Listen, wire};

/// The names a gateway answers to.
#[derive(Debug)]
pub(crate) struct Gate {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Gate {
    pub(crate) fn new(config: &Config) -> Self {
        let addresses = config.listen.iter().filter_map(|listen| match listen {
            Listen::Tcp(address) if !address.ip().is_unspecified() => Some(address.ip()),
            _ => None,
        });
        let names = config.hosts.iter().map(|name| plain(name)).chain(["localhost".to_owned()]);
        Self { names: names.collect(), addresses: addresses.collect() }
    }

    /// Whether a request may come in. `local` is the address of ours that it came to; none on a Unix socket, which no
    /// browser can reach.
    pub(crate) fn admit(&self, asked: &Asked, local: Option<IpAddr>, config: &Config) -> Result<(), Refusal> {
        let Some(host) = asked.host() else { return Ok(()) };
        let proxied = matches!(asked, Asked::Path { absolute: true, .. });
        if local.is_none()
            || self.owns(host, local)
            || (proxied && config.upstreams.iter().any(|one| is_same(one, host)))
        {
            return Ok(());
        }
        let message = format!(
            "this gateway is not `{}`; ask for its address or localhost, or name it with --host",
            host.as_str().chars().take(100).collect::<String>()
        );
        Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, message))
    }

    /// The port does not count: a tunnel may have changed it, and rebinding is a matter of names.
    pub(crate) fn owns(&self, host: &Authority, local: Option<IpAddr>) -> bool {
        let name = plain(host.host());
        let is_ours = |ip: IpAddr| ip.is_loopback() || local == Some(ip.to_canonical()) || self.addresses.contains(&ip);
        self.names.contains(&name) || name.parse().is_ok_and(is_ours)
    }
}

/// Whether a name can ever be that of a `Host`: it has no scheme, no port, and nothing no host has.
pub(crate) fn is_host(name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    bare.parse::<IpAddr>().is_ok()
        || name.parse::<Authority>().is_ok_and(|authority| authority.host() == name && !name.is_empty())
}

/// Refuses a target with a fragment. No client sends one (RFC 9112 §3.2); it would be dropped on the way in, and what is asked
/// for would be something else than was said.
pub(crate) fn check_target(method: &Method, heard: &[u8]) -> Result<(), Refusal> {
    if wire::is_of(method, heard) && wire::has_fragment(heard) {
        return Err(Refusal::bad_request("the target has a `#`, which URLs have only before they are sent"));
    }
    Ok(())
}

/// A host as it is compared: no brackets, no dot at the end, no capitals.
fn plain(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase()
}

/// Refuses bodies whose end can be seen in two places (RFC 9112 §6.1, §11.2). `heard` is what came of the header section.
pub(crate) fn check_framing(method: &Method, headers: &HeaderMap, heard: &[u8]) -> Result<(), Refusal> {
    // Servers that turn fields into variables know these by the same name as those with hyphens.
    if headers.contains_key("content_length") || headers.contains_key("transfer_encoding") {
        return Err(Refusal::bad_request("a field looks like one about the end of the body").closing());
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    // Of a request that came while another was handled nothing certain was heard.
    if !wire::is_of(method, heard) {
        return Err(
            Refusal::bad_request("a chunked request must not be sent before the last one is answered").closing()
        );
    }
    if wire::says_two_lengths(heard) {
        return Err(Refusal::bad_request("the request has both Content-Length and Transfer-Encoding").closing());
    }
    if codings.next().is_some() || !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "the only transfer coding here is `chunked`").closing());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Upstream;

    #[test]
    fn what_no_host_can_be_is_no_name() {
        for name in ["lab.example", "LAB", "127.0.0.1", "::1", "[::1]", "a_b.local"] {
            assert!(is_host(name), "{name}");
        }
        for name in ["", "a b", "http://lab", "lab:80", "lab/", "u@lab", "[::1]:80"] {
            assert!(!is_host(name), "{name}");
        }
    }

    #[test]
    fn only_its_own_names_open_it() {
        let config = Config {
            hosts: vec!["Lab.example".to_owned(), "198.51.100.4".to_owned()],
            upstreams: vec![Upstream::origin("http://origin.example:9000").unwrap()],
            ..Config::default()
        };
        let gate = Gate::new(&config);
        let local: IpAddr = "192.0.2.7".parse().unwrap();
        let admits = |host: &str, absolute: bool| {
            let asked = Asked::Path { target: "/".parse().unwrap(), host: Some(host.parse().unwrap()), absolute };
            gate.admit(&asked, Some(local), &config).is_ok()
        };
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:8017",
            "127.1.2.3",
            "[::1]:8017",
            "192.0.2.7",
            "lab.example:80",
            "lab.example.",
            "198.51.100.4:8017",
        ] {
            assert!(admits(host, false), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "192.0.2.8",
            "127.0.0.1.nip.io",
            "origin.example:9000",
            "0.0.0.0",
            "api.inaturalist.org",
        ] {
            assert!(!admits(host, false), "{host}");
        }
        assert!(admits("origin.example:9000", true));
        assert!(!admits("origin.example:9001", true));
        assert!(!admits("evil.example", true));
        let evil = Asked::Path { target: "/".parse().unwrap(), host: Some("evil".parse().unwrap()), absolute: false };
        assert!(gate.admit(&evil, None, &config).is_ok(), "nobody rebinds a Unix socket");
    }
}
