//! Parameters that take one of a few values.

use super::ranks::{self, RANK_PARAMS, RANKS};
use crate::Param;

const GEOPRIVACY: &[&str] = &["obscured", "obscured_private", "open", "private"];
const LICENCES: &[&str] = &["CC-BY", "CC-BY-NC", "CC-BY-ND", "CC-BY-SA", "CC-BY-NC-ND", "CC-BY-NC-SA", "CC0"];

/// Parameters that take one of a few values, or several of them, and the values. They mean the same at every endpoint.
#[doc(alias = "MULTIPLE_CHOICE_PARAMS")]
pub const CHOICES: [(&str, &[&str]); 27] = [
    ("box", &["inbox", "sent", "any"]),
    ("category", &["improving", "supporting", "leading", "maverick"]),
    ("csi", &["LC", "NT", "VU", "EN", "CR", "EW", "EX"]),
    ("date_field", &["created", "observed"]),
    ("extra", &["fields", "identifications", "projects"]),
    ("geoprivacy", GEOPRIVACY),
    ("has", &["photo", "geo"]),
    ("hrank", &RANKS),
    (
        "iconic_taxa",
        &[
            "Unknown",
            "Animalia",
            "Aves",
            "Amphibia",
            "Reptilia",
            "Mammalia",
            "Actinopterygii",
            "Mollusca",
            "Arachnida",
            "Insecta",
            "Plantae",
            "Fungi",
            "Chromista",
            "Protozoa",
        ],
    ),
    ("identifications", &["most_agree", "most_disagree", "some_agree"]),
    ("interval", &["year", "month", "week", "day", "hour", "month_of_year", "week_of_year"]),
    ("license", LICENCES),
    ("lrank", &RANKS),
    ("max_rank", &RANKS),
    ("min_rank", &RANKS),
    ("observation_hrank", &RANKS),
    ("observation_lrank", &RANKS),
    ("observation_rank", &RANKS),
    ("order", &["asc", "desc"]),
    ("photo_license", LICENCES),
    ("quality_grade", &["casual", "needs_id", "research"]),
    ("rank", &RANKS),
    ("search_on", &["names", "tags", "description", "place"]),
    ("sound_license", LICENCES),
    ("sources", &["places", "projects", "taxa", "users"]),
    ("taxon_geoprivacy", GEOPRIVACY),
    ("type", &["assessment", "bioblitz", "collection", "umbrella"]),
];

/// The values a parameter of this name takes, when they are few.
///
/// ```
/// use inat_session::vocabulary::choices_of;
/// assert_eq!(choices_of("order"), Some(&["asc", "desc"][..]));
/// assert_eq!(choices_of("q"), None);
/// ```
pub fn choices_of(name: &str) -> Option<&'static [&'static str]> {
    CHOICES.iter().find(|(known, _)| *known == name).map(|(_, choices)| *choices)
}

/// The value as the API spells it, item by item whether it came as a list or as `a,b`. `None` when it is not one of those
/// parameters, or says nothing; else every item that is not among the choices is named.
pub(super) fn check(name: &str, value: &Param) -> Result<Option<Param>, Vec<String>> {
    let Some(choices) = choices_of(name) else { return Ok(None) };
    let mut given = Vec::new();
    items(value, &mut given);
    let mut chosen = Vec::with_capacity(given.len());
    let mut problems = Vec::new();
    for item in given {
        match one(name, &item, choices) {
            Ok(choice) => chosen.push(choice),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok((!chosen.is_empty()).then(|| Param::Text(chosen.join(","))))
}

fn one(name: &str, item: &str, choices: &[&'static str]) -> Result<&'static str, String> {
    let shown: String = item.chars().take(40).collect();
    if RANK_PARAMS.contains(&name) {
        return ranks::normalise(item).map_err(|candidates| {
            if candidates.is_empty() {
                format!("`{name}`: `{shown}` is none of {}", choices.join(", "))
            } else {
                format!("`{name}`: `{shown}` may be {}", candidates.join(" or "))
            }
        });
    }
    let plain = item.replace(' ', "_");
    let choice = choices.iter().find(|choice| choice.eq_ignore_ascii_case(&plain));
    choice.copied().ok_or_else(|| format!("`{name}`: `{shown}` is none of {}", choices.join(", ")))
}

fn items(value: &Param, given: &mut Vec<String>) {
    match value {
        Param::Null => {}
        Param::List(list) => list.iter().for_each(|item| items(item, given)),
        Param::Text(text) => {
            given.extend(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned));
        }
        Param::Bool(value) => given.push(value.to_string()),
        Param::Int(value) => given.push(value.to_string()),
        Param::Float(value) => given.push(value.to_string()),
        Param::Date(value) => given.push(value.to_string()),
        Param::DateTime(value) => given.push(value.to_string()),
        Param::Zoned(value) => given.push(value.to_string()),
        Param::Map(members) => given.extend(members.iter().map(|(name, _)| name.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(name: &str, value: impl Into<Param>) -> String {
        match check(name, &value.into()) {
            Ok(Some(Param::Text(text))) => text,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn values_are_spelled_as_the_api_does() {
        assert_eq!(ok("identifications", "most agree"), "most_agree");
        assert_eq!(ok("interval", "month of year"), "month_of_year");
        assert_eq!(ok("csi", ["EW", "EX"]), "EW,EX");
        assert_eq!(ok("quality_grade", "research,needs id"), "research,needs_id");
        assert_eq!(ok("license", vec!["cc-by", "CC0"]), "CC-BY,CC0");
        assert_eq!(ok("iconic_taxa", "aves"), "Aves");
        assert_eq!(ok("rank", ["sub-species", "Genus"]), "subspecies,genus");
        assert_eq!(ok("rank", "spp"), "species");
        assert_eq!(ok("hrank", "fam"), "family");
        assert_eq!(ok("observation_rank", vec![Param::Null, "family".into()]), "family");
    }

    #[test]
    fn nothing_and_other_names_are_left_alone() {
        for value in [Param::Null, "".into(), Param::List(vec![]), Param::List(vec![Param::Null])] {
            assert_eq!(check("rank", &value), Ok(None));
        }
        assert_eq!(check("q", &"whatever".into()), Ok(None));
    }

    #[test]
    fn every_wrong_value_is_named_with_the_right_ones() {
        let problems = check("rank", &"sub".into()).unwrap_err();
        assert!(problems[0].contains("subspecies or subsection"), "{problems:?}");
        let problems = check("geoprivacy", &vec!["open", "bad", "worse"].into()).unwrap_err();
        assert_eq!(problems.len(), 2);
        assert!(problems[0].contains("`bad`") && problems[0].contains("obscured_private"));
        for value in [Param::Bool(true), Param::Int(1), Param::Map(vec![("a".into(), Param::Null)])] {
            assert!(check("order", &value).is_err());
        }
    }

    #[test]
    fn every_choice_is_taken() {
        for (name, choices) in CHOICES {
            for choice in choices {
                assert_eq!(ok(name, *choice), *choice);
            }
        }
    }
}
