//! The sandbox inside this process, at an address that never changes.
//!
//! What is cached is cached by URL, and a sandbox listens on another port each time. So requests go to
//! `sandbox.inat.localhost`, a name nobody else has (RFC 6761 §6.3), and are redirected here to where the sandbox happens to
//! listen. It is started with the first request that is really sent: a cached answer needs none.

use std::sync::{Mutex, PoisonError};

use http::Uri;
use http::uri::{Authority, Scheme};
use inat_sandbox::{Config, Sandbox};
use inat_session::{Clock, Fault, HttpTransport, Outgoing, Sending, Timeouts, Transport};

/// Sends to a sandbox in this process, and nowhere else.
#[derive(Debug)]
pub(crate) struct InProcess {
    sandbox: Mutex<Option<Sandbox>>,
    http: HttpTransport,
}

impl InProcess {
    /// Where the sandbox seems to be.
    pub(crate) const HOST: &str = "sandbox.inat.localhost";
    /// What relative paths resolve against.
    pub(crate) const BASE: &str = "http://sandbox.inat.localhost/v1/";

    /// Where the sandbox really is.
    fn address(&self) -> Result<String, Fault> {
        let mut sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*sandbox {
            return Ok(running.addr().to_string());
        }
        // Photos lead back here as well, so that a stored answer does not name a port that is gone.
        let config = Config { media_base: Some(format!("http://{}", Self::HOST)), ..Config::default() };
        let config = config.with_env().map_err(|problem| Fault::Unsendable(problem.to_string()))?;
        let started = Sandbox::start(config)
            .map_err(|problem| Fault::Connect(format!("the sandbox does not start: {problem}")))?;
        Ok(sandbox.insert(started).addr().to_string())
    }

    fn redirect(&self, uri: &Uri) -> Result<Uri, Fault> {
        if uri.host() != Some(Self::HOST) {
            let host = uri.host().unwrap_or("another host");
            return Err(Fault::Unsendable(format!(
                "with --sandbox nothing leaves this process, and {host} is elsewhere"
            )));
        }
        let unsendable = |problem: http::Error| Fault::Unsendable(problem.to_string());
        let authority = Authority::try_from(self.address()?).map_err(|problem| unsendable(problem.into()))?;
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(path).build().map_err(unsendable)
    }
}

impl Default for InProcess {
    fn default() -> Self {
        Self { sandbox: Mutex::new(None), http: HttpTransport::new(Clock::system()) }
    }
}

impl Transport for InProcess {
    fn send(&self, mut outgoing: Outgoing) -> Sending<'_> {
        match self.redirect(outgoing.request.uri()) {
            Ok(uri) => {
                *outgoing.request.uri_mut() = uri;
                self.http.send(outgoing)
            }
            Err(fault) => Box::pin(std::future::ready(Err(fault))),
        }
    }

    fn get_ready(&self, url: &url::Url, verify: bool, timeouts: Timeouts) {
        // The sandbox is on this machine too, under another name.
        self.http.get_ready(url, verify, timeouts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sandbox_is_reached() {
        let transport = InProcess::default();
        let there = transport.redirect(&Uri::from_static("http://sandbox.inat.localhost/v1/taxa?q=a%20b")).unwrap();
        assert_eq!(there.host(), Some("127.0.0.1"));
        assert_eq!(there.path_and_query().unwrap(), "/v1/taxa?q=a%20b");
        let again = transport.redirect(&Uri::from_static("http://sandbox.inat.localhost/")).unwrap();
        assert_eq!(again.authority(), there.authority());
        for elsewhere in ["https://api.inaturalist.org/v1/taxa", "http://127.0.0.1:1/"] {
            assert!(transport.redirect(&elsewhere.parse().unwrap()).is_err());
        }
    }
}
