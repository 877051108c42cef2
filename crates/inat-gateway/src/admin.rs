//! The gateway's own pages, under `/-/`. They show numbers and no one's requests.

use std::sync::Arc;

use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::body::Body;
use crate::refusal::{Refusal, own};
use crate::shared::Shared;

const JSON: &str = "application/json; charset=utf-8";

/// The page at this path; `None` where it is not one of ours.
pub(crate) async fn page(shared: &Arc<Shared>, method: &Method, path: &str) -> Option<Result<Response<Body>, Refusal>> {
    let name = path.strip_prefix("/-/").or_else(|| (path == "/-").then_some(""))?;
    Some(made(shared, method, name).await)
}

async fn made(shared: &Arc<Shared>, method: &Method, name: &str) -> Result<Response<Body>, Refusal> {
    if !matches!(name, "health" | "budget" | "cache" | "metrics") {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "there are /-/health, /-/budget, /-/cache and /-/metrics"));
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this page can only be read");
        return Err(Refusal { allow: Some("GET, HEAD"), ..refusal });
    }
    let page = |value: Value| own(StatusCode::OK, JSON, value.to_string().into(), method);
    match name {
        "health" => Ok(page(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))),
        "metrics" => {
            let text = shared.metrics.text();
            Ok(own(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.into(), method))
        }
        "budget" => Ok(page(
            looked_up(shared, |shared| shared.session.budget().map(|buckets| json!({"buckets": buckets}))).await?,
        )),
        _ => Ok(page(looked_up(shared, |shared| shared.session.cache().stats().map(|stats| json!(stats))).await?)),
    }
}

/// Files are read on a thread that may wait for them.
async fn looked_up<F>(shared: &Arc<Shared>, look: F) -> Result<Value, Refusal>
where
    F: FnOnce(&Shared) -> Result<Value, inat_session::Error> + Send + 'static,
{
    let shared = shared.clone();
    match tokio::task::spawn_blocking(move || look(&shared)).await {
        Ok(looked) => looked.map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.kind().to_string())),
        Err(_) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the numbers could not be read")),
    }
}
