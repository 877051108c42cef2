//! Receiving files: photos and sounds, on an observation or on their own.

use serde_json::{Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    multipart::{self, Part},
    reply::{Refusal, Reply},
    writes,
};
use crate::{
    clock::unix_seconds,
    data::{Media, Observation, extend, micros_text, text},
    shared::lock,
};

/// The limit of the web uploader.
const LARGEST: usize = 20_971_520;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Photo,
    Sound,
}

/// A file that arrived. A repeated upload of the same `uuid` is listed again, with the same ids: what arrived counts here, not what is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The route it came by: `observation_photos`, `observation_sounds`, `photos` or `sounds`.
    pub route: String,
    /// Who sent it.
    pub user_id: u64,
    /// The id of the file.
    pub id: u64,
    /// The `uuid` of the link to the observation, sent along or made up.
    pub uuid: String,
    /// The observation it belongs to.
    pub observation_id: Option<u64>,
    /// The name it was sent under.
    pub filename: Option<String>,
    /// The type it was sent as.
    pub content_type: Option<String>,
    /// Its size in bytes.
    pub size: usize,
    /// The BLAKE3 hash of its bytes, in hex.
    pub blake3: String,
}

impl Origin {
    pub(super) fn upload(&self, call: &Call<'_>, route: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let kind = if route.ends_with("sounds") { Kind::Sound } else { Kind::Photo };
        let record = if kind == Kind::Sound { "observation_sound" } else { "observation_photo" };
        let parts = call.seen.header("content-type").and_then(|given| multipart::parse(given, &call.seen.body));
        let parts = parts.ok_or_else(|| Refusal::new(422, "the body is not a complete multipart form"))?;
        let file = parts.iter().find(|part| part.name == "file" || part.filename.is_some());
        let file = file.ok_or_else(|| Refusal::rails(422, json!({ "errors": "No photo specified" })))?;
        if file.body.len() > LARGEST {
            return Err(Refusal::new(413, "request entity too large"));
        }
        let field = |name: &str| value(&parts, &format!("{record}[{name}]")).or_else(|| value(&parts, name));
        let observation = match field("observation_id") {
            Some(id) => Some(
                self.named(&json!(id))
                    .ok_or_else(|| Refusal::rails(422, json!({ "errors": { "observation": ["must exist"] } })))?,
            ),
            None if route.starts_with("observation_") => {
                return Err(Refusal::rails(422, json!({ "errors": { "observation": ["must exist"] } })));
            }
            None => None,
        };
        if observation.as_ref().is_some_and(|one| one.user != user) {
            return Err(Refusal::new(403, "You don't have permission to do that"));
        }
        let (link, id, uuid) = self.link(kind, field("uuid"));
        if let Some(one) = &observation {
            let media = Media { id: link, file: id, uuid: uuid.clone() };
            self.amend(one.id, call.now, |one| attach(one, kind, media));
        }
        let observation_id = observation.map(|one| one.id);
        lock(&self.writes).uploads.push(Upload {
            route: route.to_owned(),
            user_id: user,
            id,
            uuid: uuid.clone(),
            observation_id,
            filename: file.filename.clone(),
            content_type: file.content_type.clone(),
            size: file.body.len(),
            blake3: blake3::hash(&file.body).to_hex().to_string(),
        });
        Ok(self.uploaded(call, route, kind, user, (link, id, &uuid), observation_id))
    }

    /// The ids under a uuid: those it had before, or new ones.
    fn link(&self, kind: Kind, uuid: Option<String>) -> (u64, u64, String) {
        let mut writes = lock(&self.writes);
        let (link, id) = (writes.next_id(), writes.next_id());
        let uuid = uuid.unwrap_or_else(|| self.world.dice("upload", id).uuid());
        let (link, id) = *writes.media.entry((kind, uuid.clone())).or_insert((link, id));
        (link, id, uuid)
    }

    fn uploaded(
        &self,
        call: &Call<'_>,
        route: &str,
        kind: Kind,
        user: u64,
        (link, id, uuid): (u64, u64, &str),
        observation: Option<u64>,
    ) -> Reply {
        let (at, utc) = (text(unix_seconds(call.now)), micros_text(call.now));
        let login = self.world.login(user);
        let file = match kind {
            Kind::Sound => self.world.sound(id, &login),
            Kind::Photo => self.photo(user, id, &at),
        };
        let mut record = match (kind, route.starts_with("observation_")) {
            (_, false) => file,
            (Kind::Sound, true) => {
                json!({ "id": link, "uuid": uuid, "created_at": at, "updated_at": at, "sound": file })
            }
            (Kind::Photo, true) => json!({
                "id": link, "observation_id": observation, "photo_id": id, "position": null, "created_at": at, "updated_at": at,
                "old_uuid": null, "uuid": uuid, "created_at_utc": utc, "updated_at_utc": utc, "photo": file,
            }),
        };
        if !call.is_v2() {
            return Reply::json(record);
        }
        if route.starts_with("observation_") {
            extend(&mut record, json!({ "uuid": uuid }));
        }
        Reply::page(1, Paging { page: 1, per_page: 1 }, vec![call.fields.select("id", &record)])
    }

    fn photo(&self, user: u64, id: u64, at: &str) -> Value {
        let url = |size: &str| format!("{}/photos/{id}/{size}.jpg", self.world.media_base);
        json!({
            "id": id,
            "user_id": user,
            "native_photo_id": id.to_string(),
            "square_url": url("square"),
            "thumb_url": url("thumb"),
            "small_url": url("small"),
            "medium_url": url("medium"),
            "large_url": url("large"),
            "created_at": at,
            "updated_at": at,
            "native_page_url": null,
            "native_username": self.world.login(user),
            "native_realname": self.world.real_name(user),
            "license": 2,
            "subtype": null,
            "native_original_image_url": null,
            "uuid": self.world.dice("photo uuid", id).uuid(),
            "license_code": "cc-by-nc",
            "license_name": "Creative Commons Attribution-NonCommercial License",
            "license_url": "http://creativecommons.org/licenses/by-nc/4.0/",
            "attribution": format!("(c) {}, some rights reserved (CC BY-NC)", self.world.login(user)),
            "type": "LocalPhoto",
        })
    }
}

fn attach(one: &mut Observation, kind: Kind, media: Media) {
    writes::with_given(one, |given| {
        let list = if kind == Kind::Sound { &mut given.sounds } else { &mut given.photos };
        if !list.iter().any(|known| known.uuid == media.uuid) {
            list.push(media);
        }
    });
    writes::grade(one);
}

fn value(parts: &[Part], name: &str) -> Option<String> {
    let part = parts.iter().find(|part| part.name == name && part.filename.is_none())?;
    Some(String::from_utf8_lossy(&part.body).trim().to_owned()).filter(|value| !value.is_empty())
}
