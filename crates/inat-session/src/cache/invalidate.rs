use http::{HeaderMap, Method, StatusCode};
use url::Url;
/// invalidated
pub fn invalidated(_method: &Method, _url: &Url, _status: StatusCode, _headers: &HeaderMap) -> Vec<String> { Vec::new() }
