//! Which requests count together.

use url::Url;

use super::limits::Limits;

/// Where a request counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bucket {
    /// The name its slots are written down under.
    pub(super) name: String,
    /// Whether its host serves media: its rates may be others, and its bytes count.
    pub(super) media: bool,
}

/// The bucket of a URL: its host and port, as in the original, except that iNaturalist's own hosts share one. Two users or
/// two home folders have two files, and so two budgets; the server sees one address and adds them up.
pub(super) fn of(url: &Url, limits: &Limits) -> Bucket {
    let name = if !limits.per_host {
        "all".to_owned()
    } else if is_one_of(&limits.inat_hosts, url) {
        "inaturalist".to_owned()
    } else {
        authority(url)
    };
    Bucket { name: named(&name, limits), media: limits.per_host && is_one_of(&limits.media_hosts, url) }
}

/// The host, and the port where it is not the usual one.
fn authority(url: &Url) -> String {
    match url.port() {
        Some(port) => format!("{}:{port}", host(url)),
        None => host(url).to_owned(),
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default().trim_end_matches('.')
}

/// Whether a list has the host. One without a port means the usual one.
fn is_one_of(hosts: &[String], url: &Url) -> bool {
    let (host, port) = (host(url), url.port());
    hosts.iter().any(|known| match port {
        None => known.eq_ignore_ascii_case(host),
        Some(port) => known.rsplit_once(':').is_some_and(|(known, number)| {
            known.eq_ignore_ascii_case(host) && number.parse().is_ok_and(|number: u16| number == port)
        }),
    })
}

/// The media hosts' bytes are counted together: the server's rule names no host.
pub(super) fn of_bytes(url: &Url, limits: &Limits) -> Option<String> {
    let is_counted = !limits.bytes.is_unlimited() && is_one_of(&limits.media_hosts, url);
    is_counted.then(|| named("media", limits))
}

/// A bucket's name with the user's prefix.
pub(super) fn named(name: &str, limits: &Limits) -> String {
    match &limits.bucket_name {
        Some(prefix) => format!("{prefix}:{name}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let limits = Limits::default();
        let table = [
            ("https://api.inaturalist.org/v1/taxa", "inaturalist", false),
            ("https://www.inaturalist.org/oauth/token", "inaturalist", false),
            ("https://WWW.iNaturalist.org./x", "inaturalist", false),
            ("https://api.inaturalist.org:8443/v1", "api.inaturalist.org:8443", false),
            ("https://static.inaturalist.org/photos/1.jpg", "static.inaturalist.org", true),
            ("https://inaturalist-open-data.s3.amazonaws.com/1", "inaturalist-open-data.s3.amazonaws.com", true),
            ("http://127.0.0.1:4000/v1/taxa", "127.0.0.1:4000", false),
            ("http://[::1]:4000/v1/taxa", "[::1]:4000", false),
            ("https://example.org:443/", "example.org", false),
            ("https://evil-api.inaturalist.org.example/", "evil-api.inaturalist.org.example", false),
        ];
        for (url, name, media) in table {
            let bucket = of(&Url::parse(url).unwrap(), &limits);
            assert_eq!(bucket, Bucket { name: name.to_owned(), media }, "{url}");
        }
    }

    /// A mirror of one's own, say.
    #[test]
    fn a_media_host_with_a_port_has_the_rates_of_media_and_its_bytes_count() {
        let media_hosts = ["Photos.example:8080", "[::1]:8080"].map(str::to_owned).to_vec();
        let limits = Limits { media_hosts, ..Limits::default() };
        for (url, media) in [
            ("https://photos.example:8080/1", true),
            ("https://photos.example/1", false),
            ("http://[::1]:8080/1", true),
            ("http://[::1]/1", false),
            ("https://photos.example:8081/1", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!((of(&url, &limits).media, of_bytes(&url, &limits).is_some()), (media, media), "{url}");
        }
    }

    #[test]
    fn prefix_and_one_for_all() {
        let url = Url::parse("https://static.inaturalist.org/1").unwrap();
        let limits = Limits { bucket_name: Some("atlas".to_owned()), ..Limits::default() };
        assert_eq!(of(&url, &limits).name, "atlas:static.inaturalist.org");
        assert_eq!(of_bytes(&url, &limits).unwrap(), "atlas:media");
        let limits = Limits { per_host: false, ..limits };
        assert_eq!(of(&url, &limits), Bucket { name: "atlas:all".to_owned(), media: false });
    }
}
