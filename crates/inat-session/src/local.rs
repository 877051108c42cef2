//! The session one need not set up: made once with every default, reused by everything in the process that asks for it.
//!
//! The reference makes one for each thread. Here one serves all of them: it may be shared, and its budget has to be.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::{Error, Request, Response, Session};

static LOCAL: Mutex<Option<Session>> = Mutex::new(None);

/// The session of this process, made with every default when it is first asked for, and anew when the last one was closed. One
/// with other settings is made with [`Session::builder`].
#[doc(alias = "get_local_session")]
pub fn local_session() -> Result<Session, Error> {
    let mut local = LOCAL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(session) = local.as_ref().filter(|session| !session.is_closed()) {
        return Ok(session.clone());
    }
    let session = Session::new()?;
    *local = Some(session.clone());
    Ok(session)
}

/// A `GET` with the session of this process.
///
/// ```no_run
/// # async fn example() -> Result<(), inat_session::Error> {
/// let monarch = inat_session::get("taxa/48662").await?;
/// println!("{}", monarch.text()?);
/// # Ok(())
/// # }
/// ```
pub async fn get(target: &str) -> Result<Response, Error> {
    local_session()?.get(target).await
}

/// A `POST` of this JSON with the session of this process.
pub async fn post(target: &str, json: &Value) -> Result<Response, Error> {
    local_session()?.post(target, json).await
}

/// A `PUT` of this JSON with the session of this process.
pub async fn put(target: &str, json: &Value) -> Result<Response, Error> {
    local_session()?.put(target, json).await
}

/// A `DELETE` with the session of this process.
pub async fn delete(target: &str) -> Result<Response, Error> {
    local_session()?.delete(target).await
}

/// Any request with the session of this process.
#[doc(alias = "request")]
pub async fn send(request: Request) -> Result<Response, Error> {
    local_session()?.send(request).await
}

/// Removes every answer the session of this process has stored.
pub fn clear_cache() -> Result<u64, Error> {
    local_session()?.clear_cache()
}

/// The same for code that is not async.
pub(crate) mod blocking {
    use serde_json::Value;

    use crate::blocking::Session;
    use crate::{Error, Request, Response};

    /// The session of this process: the same that async code gets.
    #[doc(alias = "get_local_session")]
    pub fn local_session() -> Result<Session, Error> {
        super::local_session().map(Session::from)
    }

    /// A `GET` with the session of this process.
    pub fn get(target: &str) -> Result<Response, Error> {
        local_session()?.get(target)
    }

    /// A `POST` of this JSON with the session of this process.
    pub fn post(target: &str, json: &Value) -> Result<Response, Error> {
        local_session()?.post(target, json)
    }

    /// A `PUT` of this JSON with the session of this process.
    pub fn put(target: &str, json: &Value) -> Result<Response, Error> {
        local_session()?.put(target, json)
    }

    /// A `DELETE` with the session of this process.
    pub fn delete(target: &str) -> Result<Response, Error> {
        local_session()?.delete(target)
    }

    /// Any request with the session of this process.
    #[doc(alias = "request")]
    pub fn send(request: Request) -> Result<Response, Error> {
        local_session()?.send(request)
    }

    /// Removes every answer the session of this process has stored.
    pub fn clear_cache() -> Result<u64, Error> {
        local_session()?.clear_cache()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_one_is_replaced() {
        // Whoever runs the tests without a home folder has no session by default.
        let Ok(first) = local_session() else { return };
        futures_executor::block_on(first.close());
        assert!(!local_session().unwrap().is_closed());
        assert!(first.is_closed());
    }
}
