//! The body of a request, as bytes: files are read and fetched before the first try, so that every try sends the same.

use bytes::Bytes;
use http::HeaderValue;

use super::trip::Trip;
use crate::path::Stage;
use crate::prepare::{self, Payload, Prepared};
use crate::request::{MAX_UPLOAD, Request, Upload, UploadSource};
use crate::transport::blocking;
use crate::{Error, Kind};

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
        loaded.push(match &file.source {
            UploadSource::Url(url) => fetch(trip, file, url).await?,
            _ => {
                let file = file.clone();
                blocking(move || prepare::load(&file)).await??
            }
        });
    }
    let (content_type, bytes) = prepare::encode_multipart(fields, &loaded);
    let content_type = HeaderValue::try_from(content_type)
        .map_err(|_| trip.error(Stage::Prepare, prepared, Kind::Internal("a form with an impossible boundary".to_owned())))?;
    Ok(Loaded { bytes, content_type: Some(content_type) })
}

/// A file from the web, through the session like everything else. The credentials of the request are not for that host.
async fn fetch(trip: &Trip, file: &Upload, url: &str) -> Result<prepare::LoadedFile, Error> {
    let request = Request::get(url).header("Accept", "*/*").allow_redirects(true);
    let mut prepared = trip.core().prepare(&request)?;
    prepared.options.dry_run = Some(false);
    let response = Box::pin(super::redirect::follow(trip, std::sync::Arc::new(prepared))).await?.error_for_status()?;
    let bytes = response.read().await?;
    if bytes.len() as u64 > MAX_UPLOAD {
        return Err(prepare::too_large(url, bytes.len() as u64));
    }
    Ok(prepare::LoadedFile::fetched(file, url, bytes))
}
