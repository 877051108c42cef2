//! The body of a request, as bytes: files are read and fetched before the first try, so that every try sends the same.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use url::Url;

use super::trip::Trip;
use crate::prepare::upload::{self, Found};
use crate::prepare::{Payload, Prepared, encode_multipart};
use crate::request::{Request, Upload};
use crate::runtime::may_wait;
use crate::stage::Stage;
use crate::{Error, Kind, MAX_UPLOAD, Response};

/// A body that is ready to be sent.
pub(super) struct Loaded {
    pub(super) bytes: Bytes,
    /// Its type, where it was not known before.
    pub(super) content_type: Option<HeaderValue>,
}

pub(super) async fn load(trip: &Trip, prepared: &Prepared) -> Result<Loaded, Error> {
    let (fields, files) = match &prepared.payload {
        Payload::Empty => return Ok(Loaded { bytes: Bytes::new(), content_type: None }),
        Payload::Bytes(bytes) => return Ok(Loaded { bytes: bytes.clone(), content_type: None }),
        Payload::Multipart { fields, files } => (fields, files),
    };
    let mut loaded = Vec::with_capacity(files.len());
    for file in files {
        loaded.push(match may_wait(|| upload::load(file))? {
            Found::Loaded(whole) => whole,
            Found::Elsewhere(url) => fetch(trip, prepared, file, &url).await?,
        });
    }
    let (content_type, bytes) = encode_multipart(fields, &loaded);
    let content_type = HeaderValue::try_from(content_type).map_err(|_| {
        trip.error(Stage::Prepare, prepared, Kind::Internal("a form with an impossible boundary".to_owned()))
    })?;
    Ok(Loaded { bytes, content_type: Some(content_type) })
}

/// A file from the web, through the session like everything else and within the deadline of the whole. The credentials of the
/// request are not for that host.
async fn fetch(trip: &Trip, asked: &Prepared, file: &Upload, url: &Url) -> Result<upload::Loaded, Error> {
    let mut request = Request::get(url.as_str()).header("Accept", "*/*").allow_redirects(true).dry_run(false);
    (request.options.deadline, request.options.max_delay) = (asked.options.deadline, asked.options.max_delay);
    let prepared = Arc::new(trip.core().prepare(&request)?);
    let response = Box::pin(super::redirect::follow(trip, prepared)).await?.error_for_status()?;
    let content_type = response.header("content-type").map(str::to_owned);
    upload::Loaded::fetched(file, url, content_type.as_deref(), read(response).await?)
}

/// A body, or a little more than may be uploaded of it: that is refused, however large it is.
async fn read(mut response: Response) -> Result<Bytes, Error> {
    if let Ok(whole) = response.bytes() {
        return Ok(whole.clone());
    }
    let mut bytes = BytesMut::new();
    while bytes.len() as u64 <= MAX_UPLOAD
        && let Some(piece) = response.chunk().await?
    {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}
