//! Words that names are put together from.

/// Latin epithets with the English adjective that goes into the common name.
pub(crate) const EPITHETS: &[(&str, &str)] = &[
    ("borealis", "Northern"),
    ("vulgaris", "Common"),
    ("alba", "White"),
    ("nigra", "Black"),
    ("rubra", "Red"),
    ("occidentalis", "Western"),
    ("orientalis", "Eastern"),
    ("australis", "Southern"),
    ("montana", "Mountain"),
    ("palustris", "Marsh"),
    ("sylvatica", "Woodland"),
    ("maritima", "Seaside"),
    ("punctata", "Spotted"),
    ("striata", "Striped"),
    ("minor", "Lesser"),
    ("major", "Greater"),
    ("viridis", "Green"),
    ("cyanea", "Blue"),
    ("aurea", "Golden"),
    ("arctica", "Arctic"),
    ("californica", "California"),
    ("virginiana", "Virginia"),
    ("canadensis", "Canada"),
    ("europaea", "European"),
    ("japonica", "Japanese"),
    ("mexicana", "Mexican"),
    ("grandis", "Giant"),
    ("pygmaea", "Pygmy"),
    ("elegans", "Elegant"),
    ("obscura", "Shadowy"),
];

/// Starts of genus names with their English sense.
pub(crate) const GENUS_STARTS: &[(&str, &str)] = &[
    ("Calli", "Fair"),
    ("Melano", "Dusky"),
    ("Xantho", "Yellow"),
    ("Erio", "Woolly"),
    ("Lepto", "Slender"),
    ("Micro", "Dwarf"),
    ("Phyllo", "Leaf"),
    ("Chryso", "Gilded"),
    ("Eury", "Broad"),
    ("Ortho", "Straight"),
    ("Platy", "Flat"),
    ("Steno", "Narrow"),
    ("Thamno", "Thicket"),
];

/// A family to fill: its taxon id, the ending of its genera, the noun of its common names.
pub(crate) const FAMILIES: &[(u64, &str, &str)] = &[
    (47922, "phora", "Fritillary"),
    (47221, "melissa", "Bee"),
    (15977, "ornis", "Thrush"),
    (47604, "anthus", "Aster"),
    (48701, "myces", "Webcap"),
    (41636, "mys", "Raccoon"),
    (48486, "cerus", "Lady Beetle"),
    (47822, "agrion", "Damselfly"),
    (20980, "rana", "Frog"),
    (26504, "saurus", "Lizard"),
    (47118, "arachne", "Spider"),
    (47113, "doris", "Sea Slug"),
];

pub(crate) const LOGIN_STARTS: &[&str] = &[
    "fern", "moss", "heron", "newt", "sedge", "wren", "lichen", "otter", "moth", "cedar", "kelp", "vole", "lark",
    "reed", "toad",
];

pub(crate) const LOGIN_ENDS: &[&str] =
    &["walker", "seeker", "friend", "watch", "trail", "notes", "pond", "ridge", "hill", "field"];

pub(crate) const FIRST_NAMES: &[&str] = &[
    "Ada", "Bruno", "Chandra", "Dalia", "Emil", "Farah", "Gita", "Hugo", "Ines", "Jonas", "Kaya", "Lena", "Milo",
    "Nora", "Omar",
];

pub(crate) const LAST_NAMES: &[&str] = &[
    "Alder",
    "Birch",
    "Castillo",
    "Dube",
    "Ekström",
    "Fischer",
    "Gupta",
    "Hashimoto",
    "Ivanova",
    "Jensen",
    "Kowalski",
    "Lindqvist",
];

pub(crate) const NOTES: &[&str] = &[
    "Nectaring at the edge of the meadow; three more nearby.",
    "Seen at dusk along the creek trail, calling.",
    "Under a log after two days of rain.",
    "On the south-facing slope, in full bloom.",
    "Photographed through the window, sorry for the quality.",
    "Second record for this garden.",
    "Rubbing against a fence post, not shy at all.",
    "Ein Exemplar auf der Blüte, ruhig sitzend.",
];

pub(crate) const REMARKS: &[&str] = &[
    "Thank you!",
    "The wing margin rules out the lookalike.",
    "Nice find, rarely seen this far north.",
    "Could you add a photo of the underside?",
    "Agreed, see the spacing of the spots.",
];
