//! Query parameters: what the caller means, written as the API wants it.
//!
//! The steps and their order are the reference's. They apply to the query only, never to a body, and by name only where
//! names have iNaturalist's meaning; a parameter that stands in the URL already is left as it is.

use super::choices;
use super::dates::{self, DATE_PARAMS, Zone};
use crate::{Error, Param};

/// Names that are options of a request and no parameters of the API: the reference takes them among the parameters and
/// never sends them. Nor are they sent here. `dry_run` is obeyed all the same, because not to do so would send a request
/// that nobody wants sent. (The reference lists `access_token` too; it is a parameter of iNaturalist's own OAuth server, so
/// it is sent to whom the caller says.)
#[doc(alias = "COMMON_PARAMS")]
pub const OPTION_NAMES: [&str; 7] =
    ["allow_str_ids", "dry_run", "expire_after", "limit", "session", "timeout", "user_agent"];

/// Parameters as they go into the URL.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) pairs: Vec<(String, String)>,
    /// Whether `dry_run` was among them, and true.
    pub(super) dry_run: bool,
}

/// Writes parameters as the API wants them, or names everything that is wrong with them.
#[doc(alias = "preprocess_request_params")]
pub(super) fn translate(query: &[(String, Param)], zone: &Zone, by_name: bool) -> Result<Translated, Error> {
    let mut params = query.to_vec();
    let mut problems = Vec::new();
    let mut dry_run = false;
    if by_name {
        choose(&mut params, &mut problems);
        page(&mut params, &mut problems);
        date(&mut params, zone, &mut problems);
        expand_fields(&mut params);
        dry_run = params.iter().any(|(name, value)| name == "dry_run" && is_true(value));
        params.retain(|(name, _)| !OPTION_NAMES.contains(&name.as_str()));
    }
    let mut pairs = Vec::with_capacity(params.len());
    for (name, value) in params {
        match text(&value, zone) {
            Ok(value) if value.is_empty() && !name.starts_with("field:") => {}
            Ok(_) if name.is_empty() => problems.push("a parameter has no name".to_owned()),
            Ok(value) => pairs.push((name, value)),
            Err(problem) => problems.push(format!("`{name}` {problem}")),
        }
    }
    if problems.is_empty() {
        return Ok(Translated { pairs, dry_run });
    }
    Err(Error::invalid(problems.join("; "))
        .with_hint("correct the parameters; one that stands in the URL itself is sent as it is"))
}

fn choose(params: &mut [(String, Param)], problems: &mut Vec<String>) {
    for (name, value) in params {
        match choices::check(name, value) {
            Ok(Some(chosen)) => *value = chosen,
            Ok(None) => {}
            Err(wrong) => problems.extend(wrong),
        }
    }
}

/// `count_only` asks for no records, `reverse` for the last first, and pages count from one.
#[doc(alias = "convert_pagination_params")]
fn page(params: &mut Vec<(String, Param)>, problems: &mut Vec<String>) {
    if take_switch(params, "count_only") {
        set(params, "per_page", Param::Int(0));
    }
    if take_switch(params, "reverse") {
        set(params, "order", "descending".into());
    }
    for (_, value) in params.iter().filter(|(name, _)| name == "page") {
        let fine = match value {
            Param::Null => true,
            Param::Int(page) => *page >= 1,
            Param::Float(page) => *page >= 1.0 && page.fract() == 0.0,
            Param::Text(page) => page.is_empty() || page.trim().parse::<u64>().is_ok_and(|page| page >= 1),
            _ => false,
        };
        if !fine {
            problems.push("`page` must be a whole number from 1".to_owned());
        }
    }
}

fn take_switch(params: &mut Vec<(String, Param)>, switch: &str) -> bool {
    let on = params.iter().any(|(name, value)| name == switch && is_true(value));
    params.retain(|(name, _)| name != switch);
    on
}

fn is_true(value: &Param) -> bool {
    match value {
        Param::Bool(value) => *value,
        Param::Text(text) => text.trim().eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// Sets a parameter in its place, or at the end.
fn set(params: &mut Vec<(String, Param)>, wanted: &str, value: Param) {
    let place = params.iter().position(|(name, _)| name == wanted).unwrap_or(params.len());
    params.retain(|(name, _)| name != wanted);
    params.insert(place, (wanted.to_owned(), value));
}

fn date(params: &mut [(String, Param)], zone: &Zone, problems: &mut Vec<String>) {
    for (name, value) in params.iter_mut().filter(|(name, _)| DATE_PARAMS.contains(&name.as_str())) {
        let items = match value {
            Param::List(items) => items.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for item in items {
            let given = match item {
                Param::Text(text) if !text.trim().is_empty() => text.clone(),
                Param::Int(number) => number.to_string(),
                _ => continue,
            };
            match dates::read(name, &given, zone) {
                Ok(written) => *item = Param::Text(written),
                Err(problem) => problems.push(problem),
            }
        }
    }
}

/// `observation_fields` becomes one `field:name=value` for each field; without a value, any will do.
#[doc(alias = "convert_observation_field_filters")]
fn expand_fields(params: &mut Vec<(String, Param)>) {
    if !params.iter().any(|(name, _)| name == "observation_fields") {
        return;
    }
    let mut expanded = Vec::with_capacity(params.len());
    for (name, value) in std::mem::take(params) {
        if name == "observation_fields" { field(value, &mut expanded) } else { expanded.push((name, value)) }
    }
    *params = expanded;
}

fn field(value: Param, expanded: &mut Vec<(String, Param)>) {
    match value {
        Param::Null => {}
        Param::Text(name) if name.is_empty() => {}
        Param::Map(members) => {
            expanded.extend(members.into_iter().map(|(name, value)| (format!("field:{name}"), value)));
        }
        Param::List(items) => items.into_iter().for_each(|item| match item {
            // A pair of name and value.
            Param::List(pair) if pair.len() == 2 => {
                let mut pair = pair.into_iter();
                if let (Some(name), Some(value)) = (pair.next(), pair.next()) {
                    expanded.push((format!("field:{}", plain(&name)), value));
                }
            }
            other => field(other, expanded),
        }),
        name => expanded.push((format!("field:{}", plain(&name)), Param::Null)),
    }
}

fn plain(name: &Param) -> String {
    text(name, &jiff::tz::TimeZone::UTC.into()).unwrap_or_default()
}

/// A value as text; the empty text for nothing. Lists lose what is empty in them.
fn text(value: &Param, zone: &Zone) -> Result<String, &'static str> {
    const OUT_OF_RANGE: &str = "is a time that cannot be written";
    Ok(match value {
        Param::Null => String::new(),
        Param::Bool(value) => value.to_string(),
        Param::Int(value) => value.to_string(),
        // Adding zero makes `0` of `-0`.
        Param::Float(value) if value.is_finite() => (value + 0.0).to_string(),
        Param::Float(_) => return Err("is not a finite number"),
        Param::Text(value) => value.clone(),
        Param::Date(value) => value.to_string(),
        Param::DateTime(value) => {
            dates::local(*value, zone).and_then(|zoned| dates::moment(&zoned)).ok_or(OUT_OF_RANGE)?
        }
        Param::Zoned(value) => dates::moment(value).ok_or(OUT_OF_RANGE)?,
        Param::List(items) => {
            let mut texts = Vec::with_capacity(items.len());
            for item in items {
                texts.push(text(item, zone)?);
            }
            texts.retain(|text| !text.is_empty());
            texts.join(",")
        }
        Param::Map(_) => return Err("takes no names with values; only `observation_fields` does"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &[(&str, Param)], by_name: bool) -> Result<String, String> {
        let query: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let zone = jiff::tz::TimeZone::posix("PST8PDT,M3.2.0,M11.1.0").unwrap().into();
        let translated = translate(&query, &zone, by_name).map_err(|error| error.to_string())?;
        let pairs: Vec<_> = translated.pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(pairs.join("&"))
    }

    fn one(name: &str, value: impl Into<Param>) -> String {
        pairs(&[(name, value.into())], true).unwrap()
    }

    fn map(members: &[(&str, Param)]) -> Param {
        Param::Map(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    #[test]
    fn values_become_text() {
        assert_eq!(one("is_active", false), "is_active=false");
        assert_eq!(one("photos", true), "photos=true");
        assert_eq!(one("n", 0), "n=0");
        assert_eq!(one("lat", 2.0), "lat=2");
        assert_eq!(one("lat", -0.0), "lat=0");
        assert_eq!(one("lat", 37.25), "lat=37.25");
        assert_eq!(one("place_id", [1, 2]), "place_id=1,2");
        assert_eq!(one("place_id", vec![Param::Null, 1.into(), "".into(), vec![2, 3].into()]), "place_id=1,2,3");
        assert_eq!(one("q", jiff::civil::date(1954, 2, 5)), "q=1954-02-05");
        assert_eq!(one("q", jiff::civil::datetime(1954, 2, 5, 0, 0, 0, 0)), "q=1954-02-05T00:00:00-08:00");
        assert_eq!(one("q", jiff::Timestamp::UNIX_EPOCH), "q=1970-01-01T00:00:00+00:00");
        assert_eq!(one("q", "not a datetime"), "q=not a datetime");
        assert_eq!(one("created_d1", "19951231T235959"), "created_d1=1995-12-31T23:59:59-08:00");
        assert_eq!(one("d1", vec!["2020", "2021-05-05"]), "d1=2020-01-01,2021-05-05");
        assert_eq!(one("d1", 19_970_716), "d1=1997-07-16");
        for nothing in [Param::Null, "".into(), Param::List(vec![]), Param::List(vec![Param::Null])] {
            assert_eq!(one("q", nothing.clone()), "");
            assert_eq!(one("d1", nothing), "");
        }
    }

    #[test]
    fn paging_is_spelled_out() {
        assert_eq!(
            pairs(&[("per_page", 100.into()), ("q", "x".into()), ("count_only", true.into())], true).unwrap(),
            "per_page=0&q=x"
        );
        assert_eq!(one("count_only", true), "per_page=0");
        assert_eq!(pairs(&[("count_only", false.into()), ("reverse", true.into())], true).unwrap(), "order=descending");
        assert_eq!(one("page", "2"), "page=2");
        assert_eq!(one("page", 1), "page=1");
        for page in [Param::from(0), (-1).into(), "0".into(), "one".into(), 1.5.into(), true.into()] {
            assert!(pairs(&[("page", page)], true).is_err());
        }
    }

    #[test]
    fn observation_fields_are_filters() {
        assert_eq!(one("observation_fields", ["a", "b"]), "field:a=&field:b=");
        assert_eq!(one("observation_fields", "a"), "field:a=");
        assert_eq!(one("observation_fields", 7), "field:7=");
        assert_eq!(one("observation_fields", map(&[("a", "x".into()), ("b", Param::Null)])), "field:a=x&field:b=");
        assert_eq!(one("observation_fields", map(&[("n", 0.into()), ("t", true.into())])), "field:n=0&field:t=true");
        let pair = Param::List(vec![vec![Param::from("a"), 1.into()].into(), vec![Param::from("b"), 2.into()].into()]);
        assert_eq!(one("observation_fields", pair), "field:a=1&field:b=2");
        assert_eq!(one("observation_fields", Param::Null), "");
        assert_eq!(one("field:x", ""), "field:x=");
        assert!(pairs(&[("q", map(&[("a", 1.into())]))], true).is_err());
    }

    #[test]
    fn options_are_not_sent() {
        for name in OPTION_NAMES {
            assert_eq!(one(name, 1), "");
        }
        let query = [("dry_run".to_owned(), Param::Bool(true))];
        assert!(translate(&query, &jiff::tz::TimeZone::UTC.into(), true).unwrap().dry_run);
        assert!(!translate(&query, &jiff::tz::TimeZone::UTC.into(), false).unwrap().dry_run);
    }

    #[test]
    fn one_error_names_everything_that_is_wrong() {
        let error = pairs(
            &[
                ("identifications", "all agree".into()),
                ("quality_grade", "bad".into()),
                ("rank", "sub".into()),
                ("page", 0.into()),
                ("d1", "whenever".into()),
                ("lat", f64::NAN.into()),
            ],
            true,
        )
        .unwrap_err();
        for part in
            ["`identifications`", "most_agree", "`quality_grade`", "needs_id", "`sub`", "`page`", "`whenever`", "`lat`"]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn at_other_hosts_names_mean_nothing() {
        let query =
            [("limit", 20.into()), ("type", "x".into()), ("page", 0.into()), ("d1", "when".into()), ("e", "".into())];
        assert_eq!(pairs(&query, false).unwrap(), "limit=20&type=x&page=0&d1=when");
    }
}
