//! `/taxa` and its relatives.

use serde_json::Value;

use super::{
    Origin,
    call::Call,
    reply::{Lifetime, Refusal, Reply},
};
use crate::data::{Taxon, controlled_terms, rank_level};

/// No more ids than this in a path.
const IDS: usize = 30;

impl Origin {
    pub(super) fn taxa(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(30, 500)?.within_window(call.version)?;
        let mut found: Vec<&Taxon> = self.world.taxa.all().iter().filter(|taxon| matches(call, taxon)).collect();
        let ascending = call.get("order") == Some("asc");
        match call.get("order_by") {
            Some("id") => found.sort_by_key(|taxon| taxon.id),
            _ => found.sort_by_key(|taxon| (taxon.observations, taxon.id)),
        }
        if !ascending {
            found.reverse();
        }
        let term = call.get("q");
        let only_id = call.flag("only_id") == Some(true);
        let results = paging.slice(&found).iter().map(|taxon| {
            let record = if only_id { serde_json::json!({ "id": taxon.id }) } else { self.listed(taxon, term) };
            call.select("id", record)
        });
        Ok(Reply::page(found.len(), paging, results.collect()).lasting(Lifetime::Seconds(300)))
    }

    pub(super) fn taxa_autocomplete(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(10, 30)?;
        let mut found: Vec<&Taxon> = match call.get("q") {
            Some(_) => self.world.taxa.all().iter().filter(|taxon| matches(call, taxon)).collect(),
            None => Vec::new(),
        };
        found.sort_by_key(|taxon| std::cmp::Reverse((taxon.observations, taxon.id)));
        let results: Vec<Value> =
            paging.slice(&found).iter().map(|taxon| call.select("id", self.listed(taxon, call.get("q")))).collect();
        Ok(Reply::page(found.len(), paging, results).lasting(Lifetime::Seconds(120)))
    }

    pub(super) fn taxa_by_id(&self, call: &Call<'_>, ids: &str) -> Result<Reply, Refusal> {
        let ids = ids_in_path(ids)?;
        if ids.len() > IDS {
            return Err(Refusal::new(422, "Too many IDs"));
        }
        let found: Vec<Value> = ids
            .iter()
            .filter_map(|id| self.world.taxa.get(*id))
            .map(|taxon| call.select("id", self.world.taxon_shown(taxon)))
            .collect();
        Ok(Reply::shown(call, 30, found))
    }

    pub(super) fn terms(call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(30, 200)?;
        let terms = controlled_terms(None);
        Ok(Reply::page(terms.len(), paging, terms))
    }

    /// v1 takes the taxon from the query, v2 from the path.
    pub(super) fn terms_for_taxon(&self, call: &Call<'_>, in_path: Option<&str>) -> Result<Reply, Refusal> {
        let paging = call.paging(30, 200)?;
        let id = in_path
            .or_else(|| call.get("taxon_id"))
            .ok_or_else(|| Refusal::new(422, "Missing required parameter: taxon_id"))?;
        let taxon =
            id.parse().ok().and_then(|id| self.world.taxa.get(id)).ok_or_else(|| Refusal::unknown("taxon_id", id))?;
        let terms = controlled_terms(Some(&taxon.ancestors));
        Ok(Reply::page(terms.len(), paging, terms))
    }

    fn listed(&self, taxon: &Taxon, term: Option<&str>) -> Value {
        let mut record = self.world.taxon_listed(taxon);
        if let (Some(term), Some(fields)) = (term, record.as_object_mut()) {
            let by_name = has_word(&taxon.name, term);
            let matched = if by_name { Some(&taxon.name) } else { taxon.common.as_ref() };
            fields.insert("matched_term".to_owned(), matched.cloned().into());
        }
        record
    }
}

fn matches(call: &Call<'_>, taxon: &Taxon) -> bool {
    let listed = |name: &str, value: &str| call.list(name).is_none_or(|wanted| wanted.contains(&value));
    let above = call.number("id_above").is_none_or(|id| i128::from(taxon.id) > i128::from(id));
    let below = call.number("id_below").is_none_or(|id| i128::from(taxon.id) < i128::from(id));
    let under = call
        .list("taxon_id")
        .is_none_or(|wanted| taxon.ancestors.iter().any(|id| wanted.contains(&id.to_string().as_str())));
    let parent = call.get("parent_id").is_none_or(|id| taxon.parent.is_some_and(|parent| parent.to_string() == id));
    let iconic =
        call.list("iconic_taxa").is_none_or(|wanted| taxon.iconic.is_some_and(|(_, name)| wanted.contains(&name)));
    let words = call.get("q").is_none_or(|term| {
        has_word(&taxon.name, term) || taxon.common.as_deref().is_some_and(|common| has_word(common, term))
    });
    let level = call.number("rank_level").is_none_or(|level| i64::from(rank_level(taxon.rank)) == level);
    let active = call.flag("is_active") != Some(false);
    listed("id", &taxon.id.to_string())
        && listed("rank", taxon.rank)
        && above
        && below
        && under
        && parent
        && iconic
        && words
        && level
        && active
}

/// Whether each word asked for starts a word of the text.
pub(super) fn has_word(text: &str, term: &str) -> bool {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|letter: char| !letter.is_alphanumeric()).collect();
    term.to_lowercase().split_whitespace().all(|wanted| words.iter().any(|word| word.starts_with(wanted)))
}

/// The ids in a path; anything that is not a number makes the validator complain.
pub(super) fn ids_in_path(text: &str) -> Result<Vec<u64>, Refusal> {
    text.split(',')
        .filter(|id| !id.is_empty())
        .map(|id| id.trim().parse().map_err(|_| Refusal::new(422, format!("invalid id: {id}"))))
        .collect()
}
