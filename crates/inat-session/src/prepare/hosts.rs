//! Which hosts are iNaturalist's own, and which may be trusted with a token.

use std::net::IpAddr;

use url::{Host, Url};

/// Whether a token may be sent there: to iNaturalist's own hosts over https, to this machine, or to the origin the session
/// is based on. Media hosts get none; they do not ask for it, and log what they get.
pub(crate) fn may_carry_token(url: &Url, base: &Url) -> bool {
    is_loopback(url) || is_origin(url, base) || (url.scheme() == "https" && is_own(url))
}

/// Whether parameters have iNaturalist's meaning there. At other hosts `limit` or `type` are none of our business.
pub(crate) fn speaks_inaturalist(url: &Url, base: &Url) -> bool {
    is_loopback(url) || is_origin(url, base) || is_own(url)
}

fn is_own(url: &Url) -> bool {
    let Some(Host::Domain(host)) = url.host() else { return false };
    match host.strip_suffix("inaturalist.org") {
        Some("") => true,
        Some(sub) => sub.ends_with('.') && !matches!(sub, "static." | "media."),
        None => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_name)
}

/// Whether a host, as a URL has it, is this machine.
pub(crate) fn is_loopback_name(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match address.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
        Err(_) => host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost"),
    }
}

fn is_origin(url: &Url, base: &Url) -> bool {
    base.has_host() && url.origin() == base.origin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_to_inaturalist_this_machine_and_the_base() {
        let base = Url::parse("http://lab.example:8787/v1/").unwrap();
        let table = [
            ("https://api.inaturalist.org/v1/taxa", true),
            ("https://www.inaturalist.org/users/api_token", true),
            ("https://inaturalist.org/x", true),
            ("https://stagingapi.inaturalist.org/x", true),
            ("http://api.inaturalist.org/v1/taxa", false),
            ("https://static.inaturalist.org/photos/1/medium.jpg", false),
            ("https://media.inaturalist.org/x", false),
            ("https://evil-inaturalist.org/x", false),
            ("https://inaturalist.org.evil.example/x", false),
            ("https://inaturalist-open-data.s3.amazonaws.com/photos/1/medium.jpg", false),
            ("http://127.0.0.1:9/x", true),
            ("http://127.8.8.8/x", true),
            ("http://[::1]:9/x", true),
            ("http://[::ffff:127.0.0.1]:9/x", true),
            ("http://localhost/x", true),
            ("http://api.localhost/x", true),
            ("http://localhost.evil.example/x", false),
            ("http://lab.example:8787/x", true),
            ("http://lab.example:8788/x", false),
            ("https://lab.example:8787/x", false),
        ];
        for (text, expected) in table {
            assert_eq!(may_carry_token(&Url::parse(text).unwrap(), &base), expected, "{text}");
        }
    }
}
