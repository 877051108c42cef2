//! Taxonomic ranks, as people write them and as the API wants them.

/// Ranks one can filter by, from the lowest.
pub const RANKS: [&str; 34] = [
    "infrahybrid",
    "form",
    "variety",
    "subspecies",
    "hybrid",
    "species",
    "complex",
    "subsection",
    "section",
    "subgenus",
    "genushybrid",
    "genus",
    "subtribe",
    "tribe",
    "supertribe",
    "subfamily",
    "family",
    "epifamily",
    "superfamily",
    "zoosubsection",
    "zoosection",
    "parvorder",
    "infraorder",
    "suborder",
    "order",
    "superorder",
    "subterclass",
    "infraclass",
    "subclass",
    "class",
    "superclass",
    "subphylum",
    "phylum",
    "kingdom",
];

/// Other names of ranks.
#[doc(alias = "RANK_EQUIVALENTS")]
pub const RANK_ALIASES: [(&str, &str); 9] = [
    ("division", "phylum"),
    ("gen", "genus"),
    ("sp", "species"),
    ("spp", "species"),
    ("infraspecies", "subspecies"),
    ("ssp", "subspecies"),
    ("subsp", "subspecies"),
    ("trinomial", "subspecies"),
    ("var", "variety"),
];

/// Parameters that name ranks.
pub const RANK_PARAMS: [&str; 8] =
    ["rank", "lrank", "hrank", "min_rank", "max_rank", "observation_rank", "observation_lrank", "observation_hrank"];

/// The rank someone means: its name in any spelling, another name of it, or a beginning that only one rank has. Else the
/// ranks that begin like this.
#[doc(alias = "normalize_rank")]
pub(super) fn normalise(text: &str) -> Result<&'static str, Vec<&'static str>> {
    let plain: String = text
        .chars()
        .filter(|c| !matches!(c, '-' | '_' | '.') && !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect();
    if let Some(rank) = RANKS.into_iter().find(|rank| *rank == plain) {
        return Ok(rank);
    }
    if let Some((_, rank)) = RANK_ALIASES.into_iter().find(|(alias, _)| *alias == plain) {
        return Ok(rank);
    }
    if plain.is_empty() {
        return Err(Vec::new());
    }
    let candidates: Vec<_> = RANKS.into_iter().filter(|rank| rank.starts_with(&plain)).collect();
    match candidates.as_slice() {
        [rank] => Ok(rank),
        _ => Err(candidates),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_known_by_spelling_alias_and_beginning() {
        let table = [
            ("species", "species"),
            ("Sub-Species", "subspecies"),
            ("sub-species", "subspecies"),
            ("SUB_FAMILY", "subfamily"),
            ("super order", "superorder"),
            ("Genus", "genus"),
            ("spp", "species"),
            ("spp.", "species"),
            ("subsp.", "subspecies"),
            ("division", "phylum"),
            ("var.", "variety"),
            ("fam", "family"),
            ("king", "kingdom"),
            ("cl", "class"),
        ];
        for (text, rank) in table {
            assert_eq!(normalise(text), Ok(rank), "{text}");
        }
        assert_eq!(normalise("myrank"), Err(vec![]));
        assert_eq!(normalise(""), Err(vec![]));
        let sub = normalise("sub").unwrap_err();
        assert!(sub.contains(&"subspecies") && sub.contains(&"subclass") && sub.iter().all(|r| r.starts_with("sub")));
    }

    #[test]
    fn other_names_lead_to_ranks() {
        assert!(RANK_ALIASES.iter().all(|(alias, rank)| RANKS.contains(rank) && !RANKS.contains(alias)));
    }
}
