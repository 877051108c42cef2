//! The third layer: the API itself, v1 and v2, with its limits, texts and traps, and beside it the sign-in, the media host and helpers.
//!
//! `route.rs` is the table of what exists. Controllers give a [`Reply`] or a [`Refusal`]; `finish.rs` turns both into the bytes Express
//! would send, with `Cache-Control`, `ETag`, `Vary`, gzip and the rules for 304.

mod annotations;
mod call;
mod comments;
mod counts;
mod fields;
mod filter;
mod finish;
mod following;
mod helpers;
mod hidden_cache;
mod identifications;
mod identify;
mod identity;
mod index;
mod media;
mod members;
mod multipart;
mod observations;
mod places;
mod posts;
mod projects;
mod rails;
mod reply;
mod route;
mod search;
mod sign_in;
mod talk;
mod tallies;
mod taxa;
mod taxon_lists;
mod tiles;
mod uploads;
mod users;
mod votes;
mod writes;

use std::{sync::Mutex, time::SystemTime};

use crate::{Answer, Config, Seen, data::World, shared::lock};
use call::Call;
pub(crate) use finish::{accepts_gzip, gunzip, gzip, not_modified};
pub(crate) use identity::jwt;
pub use uploads::Upload;
use writes::Writes;

#[derive(Debug)]
pub(crate) struct Origin {
    world: World,
    writes: Mutex<Writes>,
    hidden: Option<Mutex<hidden_cache::HiddenCache>>,
}

impl Origin {
    pub(crate) fn new(config: &Config, url: &str) -> Self {
        Self {
            world: World::new(config, url),
            writes: Mutex::default(),
            hidden: config.hidden_cache.then(Mutex::default),
        }
    }

    pub(crate) fn answer(&self, seen: &Seen, now: SystemTime) -> Answer {
        let call = match Call::read(seen, now) {
            Ok(call) => call,
            Err(answer) => return finish::finish(seen, answer, now),
        };
        let answer = match self.route(&call) {
            Ok(reply) => reply.into_answer(&call),
            Err(refusal) => refusal.into_answer(&call),
        };
        finish::finish(seen, answer, now)
    }

    pub(crate) fn uploads(&self) -> Vec<Upload> {
        lock(&self.writes).uploads.clone()
    }

    pub(crate) fn created(&self) -> usize {
        lock(&self.writes).created
    }
}
