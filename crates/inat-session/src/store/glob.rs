//! Which entries a person means: a pattern of URLs with the reach of the original's.

/// Whether `url` matches `pattern`: the scheme is ignored on both sides, `*` crosses `/`, and the pattern may stop anywhere.
pub(super) fn matches(pattern: &str, url: &str) -> bool {
    let (pattern, url) = (without_scheme(pattern), without_scheme(url));
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|start| url.strip_prefix(start)) else {
        return false;
    };
    for piece in pieces {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    true
}

fn without_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_reach_as_far_as_the_originals() {
        let url = "https://api.inaturalist.org/v1/taxa/1?locale=de";
        for (pattern, expected) in [
            ("", true),
            ("*", true),
            ("api.inaturalist.org", true),
            ("http://api.inaturalist.org/v1", true),
            ("api.inaturalist.org/v*/taxa", true),
            ("*/taxa/*", true),
            ("*locale=de", true),
            ("*.inaturalist.org/*/1", true),
            ("inaturalist.org", false),
            ("api.inaturalist.org/v2", false),
            ("*/taxa/*/taxa", false),
        ] {
            assert_eq!(matches(pattern, url), expected, "{pattern}");
        }
    }
}
