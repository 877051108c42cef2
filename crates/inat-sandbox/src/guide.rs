//! What a person needs to know to use it from a command line.

/// Routes, faults and helpers, in plain text: what `GET /` and the command's help show.
pub const GUIDE: &str = "\
Routes
  /v1 and /v2          taxa, observations, identifications, comments, votes, faves, annotations,
                       flags, projects, places, users, search, controlled_terms, messages, posts,
                       uploads, map tiles: read and written
  /observations.json   the older API, also .csv, .atom, .kml, .dwc, .widget
  /oauth/token         any password but `wrong`; /users/api_token gives a JWT for its token
  /photos/ID/SIZE.jpg  media, with ranges

Faults for one request: a header `X-Sandbox-Fault: NAME`, or `x-sandbox-fault=NAME` in the query;
`NAME*2` for the first two requests for the same URL only, so that a third try succeeds.
Faults by chance: --faults 429=5@0.02,cut-body@0.01 (name, argument, rate).
  429, 429=SECONDS     too many requests: without Retry-After, or with it in seconds
  429-date=SECONDS     the same with a date; 429-html: the older page of nginx
  500 502 503 504      the server failed; maintenance=SECONDS: 503 with a date in Retry-After
  blocked              403 with the page of a blocked address
  cut-body             JSON cut in half, under a length that fits
  cut-length           half of the length that was announced, then the connection closes
  cut-chunked          chunks without the last one; cut-gzip: gzip cut in half
  login                the login page under 200; wrong-type: the right body as text/html
  slow=MS, drip=MS     the first byte comes late; so long before every byte
  reset, close         the connection is reset, or closed in order, and nothing is done
  lost                 the request is done, and the connection reset without a reply
  reset-mid            half the reply, then a reset

Helpers
  /__sandbox/bytes/N   so many bytes; json/N: so many of JSON; status/NNN; echo; redirect/PATH,
                       redirect/307/PATH
";

#[cfg(test)]
mod tests {
    use super::GUIDE;
    use crate::Fault;

    #[test]
    fn it_names_every_fault() {
        for name in crate::faults::NAMES.split(", ").map(|name| name.split(['=', '[']).next().unwrap_or(name)) {
            assert!(name == "pass" || GUIDE.contains(name), "{name}");
        }
        assert!("429=5".parse::<Fault>().is_ok());
    }

    #[test]
    fn it_fits_a_terminal() {
        assert!(GUIDE.lines().all(|line| line.chars().count() <= 100));
    }
}
