//! What people said about one observation: identifications, comments, votes, annotations and the rest. Nothing said yet means the
//! synthetic two identifications and perhaps a comment; the first thing written turns them into records that can be changed.

use std::{borrow::Cow, collections::BTreeSet};

use serde_json::{Value, json};

use super::{IDENTIFICATIONS_EACH, Observation, USERS, World, details, identification, text, words::REMARKS};

/// Keeps the ids apart from those of observations.
const COMMENTS: u64 = 5_000_000;

#[derive(Debug, Clone, Default)]
pub(crate) struct Talk {
    pub(crate) identifications: Vec<Value>,
    pub(crate) comments: Vec<Value>,
    /// Faves are votes without a scope.
    pub(crate) votes: Vec<Value>,
    pub(crate) annotations: Vec<Value>,
    pub(crate) field_values: Vec<Value>,
    pub(crate) quality_metrics: Vec<Value>,
    pub(crate) flags: Vec<Value>,
    /// The links to projects.
    pub(crate) projects: Vec<Value>,
    pub(crate) reviewed_by: BTreeSet<u64>,
}

/// The observation a synthetic comment's id names.
pub(crate) fn commented(id: u64) -> Option<u64> {
    id.checked_sub(COMMENTS)
}

/// A comment as it stands inside an observation.
pub(crate) fn comment(id: u64, uuid: &str, user: &Value, at: i64, body: &str) -> Value {
    json!({
        "id": id,
        "uuid": uuid,
        "user": user,
        "created_at": text(at),
        "created_at_details": details(at),
        "body": body,
        "flags": [],
        "moderator_actions": [],
        "hidden": false,
    })
}

/// Who wrote a record.
pub(crate) fn author(record: &Value) -> Option<u64> {
    record["user"]["id"].as_u64()
}

impl World {
    pub(crate) fn talk<'a>(&self, one: &'a Observation) -> Cow<'a, Talk> {
        match one.given.as_deref().and_then(|given| given.talk.as_ref()) {
            Some(talk) => Cow::Borrowed(talk),
            None => Cow::Owned(self.synthetic_talk(one)),
        }
    }

    fn synthetic_talk(&self, one: &Observation) -> Talk {
        // Whoever wrote the observation is the only one who can have named it.
        let count = if one.index.is_none() { 1 } else { IDENTIFICATIONS_EACH };
        let identifications: Vec<Value> = (0..count).filter_map(|place| identification(self, one, place)).collect();
        let mut dice = self.dice("comment", one.id);
        let comments = (one.index.is_some() && dice.percent(50)).then(|| {
            let user = self.user(1 + dice.skewed(USERS));
            comment(COMMENTS + one.id, &dice.uuid(), &user, one.created + 90_000, dice.pick(REMARKS, "Thank you!"))
        });
        Talk {
            reviewed_by: identifications.iter().filter_map(author).collect(),
            identifications,
            comments: comments.into_iter().collect(),
            ..Talk::default()
        }
    }
}

/// The fields of an observation that come from what was said about it.
pub(crate) fn talk_json(talk: &Talk, taxon: Option<&super::Taxon>) -> Value {
    let current = |one: &&Value| one["current"] == true;
    let others: Vec<&Value> = talk.identifications.iter().filter(|one| one["own_observation"] != true).collect();
    let by_others = || others.iter().copied().filter(current);
    let agrees = |one: &&Value| taxon.is_some_and(|taxon| one["taxon_id"] == taxon.id);
    let (agreeing, given) = (by_others().filter(agrees).count(), by_others().count());
    let disagreeing = given - agreeing;
    let faves: Vec<&Value> = talk.votes.iter().filter(|vote| vote["vote_scope"].is_null()).collect();
    let project_ids: Vec<&Value> = talk.projects.iter().map(|link| &link["project_id"]).collect();
    json!({
        "reviewed_by": talk.reviewed_by,
        "ident_taxon_ids": taxon.map(|taxon| taxon.ancestors.clone()).unwrap_or_default(),
        "identifications_count": given,
        "num_identification_agreements": agreeing,
        "num_identification_disagreements": disagreeing,
        "identifications_most_agree": agreeing > disagreeing,
        "identifications_some_agree": agreeing > 0,
        "identifications_most_disagree": disagreeing > agreeing,
        "comments_count": talk.comments.len(),
        "comments": talk.comments,
        "non_owner_ids": others,
        "identifications": talk.identifications,
        "faves_count": faves.len(),
        "faves": faves,
        "votes": talk.votes,
        "cached_votes_total": talk.votes.len(),
        "annotations": talk.annotations,
        "ofvs": talk.field_values,
        "quality_metrics": talk.quality_metrics,
        "flags": talk.flags,
        "project_ids": project_ids,
        "project_ids_with_curator_id": [],
        "project_ids_without_curator_id": project_ids,
        "project_observations": talk.projects,
    })
}
