//! Journal posts, as a bare list the way Rails gives them, and messages, which only their owner sees.

use serde_json::{Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    reply::{Refusal, Reply},
    talk::done,
    writes::body,
};
use crate::{
    data::{USERS, micros_text, text},
    shared::lock,
};

/// Every user and every project has written so many.
const EACH: u64 = 12;
const LISTED: usize = 10;

impl Origin {
    /// Of one user (`login`), of one project (`parent_type`, `parent_id`), or the newest of all.
    pub(super) fn posts(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(LISTED as u64, 200)?;
        let login = call.get("login").or_else(|| call.get("user_id"));
        let parents: Vec<(&str, u64)> = match (login, call.get("parent_type"), call.get("parent_id")) {
            (Some(login), _, _) => self.world.find_user(login).map(|user| ("User", user)).into_iter().collect(),
            (None, Some("Project"), Some(id)) => {
                self.find_project(id, false).map(|project| ("Project", project)).into_iter().collect()
            }
            (None, Some("User"), Some(id)) => self.world.find_user(id).map(|user| ("User", user)).into_iter().collect(),
            _ => (1..=5).map(|user| ("User", user)).collect(),
        };
        let posts: Vec<Value> = parents.iter().flat_map(|(kind, id)| self.posts_of(kind, *id)).collect();
        Ok(Reply::json(Value::Array(paging.slice(&posts).to_vec())))
    }

    pub(super) fn posts_for_user(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let mut posts = self.posts_of("User", user);
        posts.truncate(LISTED);
        Ok(Reply::json(Value::Array(posts)))
    }

    pub(super) fn project_posts(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let paging = call.paging(LISTED as u64, 200)?;
        let project = self.find_project(id, call.is_v2()).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        let posts = self.posts_of("Project", project);
        Ok(Reply::page(posts.len(), paging, paging.slice(&posts).to_vec()))
    }

    /// The newest first.
    fn posts_of(&self, kind: &str, parent: u64) -> Vec<Value> {
        let about =
            if kind == "Project" { self.project(parent)["title"].clone() } else { self.world.real_name(parent).into() };
        (0..EACH).rev().map(|number| self.post(kind, parent, &about, number)).collect()
    }

    fn post(&self, kind: &str, parent: u64, about: &Value, number: u64) -> Value {
        let id = 40_000 + parent * EACH + number;
        let mut dice = self.world.dice(kind, id);
        let user = if kind == "User" { parent } else { 1 + dice.below(USERS) };
        let at = text(1_500_000_000 + i64::try_from(number * 9_000_000 + dice.below(8_000_000)).unwrap_or(0));
        let name = if kind == "Project" { "title" } else { "name" };
        json!({
            "id": id, "parent_id": parent, "parent_type": kind, "user_id": user, "published_at": at,
            "title": format!("Walk {}", number + 1), "body": "<p>What we saw, and where the path was flooded.</p>",
            "created_at": at, "updated_at": at, "start_time": null, "stop_time": null, "place_id": null, "latitude": null,
            "longitude": null, "radius": null, "distance": null, "number": null, "uuid": dice.uuid(),
            "user": { "id": user, "login": self.world.login(user), "user_icon_url": null, "medium_user_icon_url": null },
            "parent": { "id": parent, name: about, "icon_url": null },
        })
    }

    pub(super) fn messages(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let paging = call.paging(30, 200)?;
        let sent = call.get("box") == Some("sent");
        let side = if sent { "from_user" } else { "to_user" };
        let mut found: Vec<Value> = if sent { Vec::new() } else { vec![self.welcome(user)] };
        let writes = lock(&self.writes);
        let written = writes.messages.values().rev().filter(|message| message[side]["id"] == user);
        found.splice(0..0, written.cloned());
        drop(writes);
        let results = paging.slice(&found).iter().map(|message| call.select("id", message.clone())).collect();
        Ok(Reply::page(found.len(), paging, results))
    }

    pub(super) fn unread_messages(call: &Call<'_>) -> Result<Reply, Refusal> {
        call.required()?;
        Ok(Reply::json(json!({ "count": 1 })))
    }

    /// All messages of one thread.
    pub(super) fn message(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let writes = lock(&self.writes);
        let mut found: Vec<Value> =
            writes.messages.values().filter(|message| is_of(message, user, id)).cloned().collect();
        drop(writes);
        found.extend(Some(self.welcome(user)).filter(|message| is_of(message, user, id)));
        if found.is_empty() {
            return Err(Refusal::new(404, "Not Found"));
        }
        Ok(Reply::page(found.len(), Paging { page: 1, per_page: 30 }, found))
    }

    pub(super) fn create_message(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = body(call, "message")?;
        let to = given.get("to_user_id").and_then(|id| self.world.find_user(id.to_string().trim_matches('"')));
        let words = |name: &str| given.get(name).and_then(Value::as_str).filter(|words| !words.trim().is_empty());
        let (Some(to), Some(subject), Some(words)) = (to, words("subject"), words("body")) else {
            return Err(Refusal::rails(422, json!({ "errors": { "body": ["can't be blank"] } })));
        };
        let mut writes = lock(&self.writes);
        let id = writes.next_id();
        let thread = given.get("thread_id").and_then(Value::as_u64).unwrap_or(id);
        let record = self.letter((id, thread), (user, to), subject, words, &micros_text(call.now));
        writes.messages.insert(id, record.clone());
        Ok(Reply::json(record))
    }

    pub(super) fn delete_message(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let mut writes = lock(&self.writes);
        let before = writes.messages.len();
        writes.messages.retain(|_, message| !is_of(message, user, id));
        if writes.messages.len() == before { Err(Refusal::new(404, "Not Found")) } else { Ok(done(call)) }
    }

    /// Everybody has one.
    fn welcome(&self, user: u64) -> Value {
        let at = text(1_500_000_000);
        let id = 10_000 + user;
        self.letter((id, id), (1, user), "Welcome", "Thank you for what you share.", &at)
    }

    fn letter(&self, (id, thread): (u64, u64), (from, to): (u64, u64), subject: &str, words: &str, at: &str) -> Value {
        json!({
            "id": id, "user_id": to, "thread_id": thread, "subject": subject, "body": words, "read_at": null,
            "created_at": at, "updated_at": at, "from_user": self.world.user(from), "to_user": self.world.user(to),
        })
    }
}

fn is_of(message: &Value, user: u64, id: &str) -> bool {
    let named =
        ["id", "thread_id"].into_iter().any(|name| message[name].as_u64().is_some_and(|known| known.to_string() == id));
    named && (message["to_user"]["id"] == user || message["from_user"]["id"] == user)
}
