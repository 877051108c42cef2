//! Bodies in the shape of the API's answers, generated: nobody's observations are kept here. They have the sizes of recorded
//! ones and repeat themselves as those do, taxa, users and all in every identification, so that they compress about as well:
//! with LZ4 a medium one to an eighth, a large one to between a fifth and a sixth.

use std::path::{Path, PathBuf};

use fastrand::Rng;

/// A kind of body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub name: &'static str,
    /// Bytes.
    pub len: usize,
    /// Different ones in a set that is asked for in turn.
    pub set: usize,
}

pub const SMALL: Size = Size { name: "small", len: 1_978, set: 500 };
pub const MEDIUM: Size = Size { name: "medium", len: 55_168, set: 200 };
pub const LARGE: Size = Size { name: "large", len: 1_038_702, set: 8 };
pub const BLOB: Size = Size { name: "blob", len: 20_036_884, set: 1 };

pub const SIZES: [Size; 3] = [SMALL, MEDIUM, LARGE];

/// Longer answers are pages of many records.
const PAGE: usize = 500_000;

/// What an observation is rich in.
#[derive(Clone, Copy)]
struct Style {
    identifications: (u8, u8),
    /// Words of the description.
    words: usize,
}

const DISCUSSED: Style = Style { identifications: (2, 4), words: 8 };
const LISTED: Style = Style { identifications: (0, 1), words: 90 };

/// JSON of exactly `len` bytes.
pub fn json(len: usize) -> String {
    const TAIL: &str = "\"}";
    let mut rng = Rng::with_seed(48_662);
    let mut text = String::from("{\"total_results\":31415,\"page\":1,\"per_page\":200,\"results\":[");
    let mut separator = "";
    // A few observations that are much discussed, or a whole page of those that hardly anybody has looked at.
    let style = if len > PAGE { LISTED } else { DISCUSSED };
    // Whole observations as long as they fit, then what is smaller.
    for record in [|rng: &mut Rng, style| observation(rng, style), |rng: &mut Rng, _| taxon(rng)] {
        loop {
            let one = record(&mut rng, style);
            if text.len() + one.len() + 64 > len {
                break;
            }
            text += separator;
            text += &one;
            separator = ",";
        }
    }
    text += "],\"remark\":\"";
    while text.len() + TAIL.len() < len {
        text += rng.choice(WORDS).unwrap_or("oak");
        text.push(' ');
    }
    text.truncate(len - TAIL.len());
    text + TAIL
}

/// Recorded answers of about the size of a medium body, as the API sends them, if there are any beside the checkout. They
/// belong to others and are read where they are.
pub fn recorded() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/v1");
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).map(|text| without_spaces(&text));
    texts.filter(|text| (MEDIUM.len / 2..MEDIUM.len * 2).contains(&text.len())).collect()
}

/// JSON without the spaces and line ends that only people need.
fn without_spaces(json: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    let needed = |letter: &char| {
        in_text ^= *letter == '"' && !escaped;
        escaped = *letter == '\\' && in_text && !escaped;
        in_text || !letter.is_ascii_whitespace()
    };
    json.chars().filter(needed).collect()
}

const WORDS: [&str; 16] = [
    "oak", "meadow", "river", "wing", "larva", "shade", "gravel", "milkweed", "thistle", "early", "evening", "several",
    "resting", "under", "bridge", "north",
];

fn words(rng: &mut Rng, count: usize) -> String {
    let words: Vec<&str> = std::iter::repeat_with(|| *rng.choice(&WORDS).unwrap_or(&"oak")).take(count).collect();
    words.join(" ")
}

fn observation(rng: &mut Rng, style: Style) -> String {
    let id = rng.u32(100_000_000..300_000_000);
    let (day, hour, minute) = (rng.u8(1..29), rng.u8(5..22), rng.u8(0..60));
    let when = format!("2026-06-{day:02}T{hour:02}:{minute:02}:00+02:00");
    let (latitude, longitude) = (rng.f64() * 180.0 - 90.0, rng.f64() * 360.0 - 180.0);
    let (place, remark, uuid) = (words(rng, 3), words(rng, style.words), uuid(rng));
    let (taxon, observer) = (taxon(rng), user(rng));
    let photos: Vec<String> = (0..rng.u8(1..3)).map(|_| photo(rng)).collect();
    let identifications: Vec<String> = (0..rng.u8(style.identifications.0..=style.identifications.1))
        .map(|_| identification(rng, &taxon, &when))
        .collect();
    format!(
        "{{\"id\":{id},\"uuid\":\"{uuid}\",\"quality_grade\":\"research\",\"captive\":false,\"obscured\":false,\
         \"observed_on\":\"2026-06-{day:02}\",\"time_observed_at\":\"{when}\",\"created_at\":\"{when}\",\
         \"observed_on_details\":{{\"date\":\"2026-06-{day:02}\",\"day\":{day},\"month\":6,\"year\":2026,\"hour\":{hour}}},\
         \"place_guess\":\"{place}\",\"location\":\"{latitude:.7},{longitude:.7}\",\"positional_accuracy\":{hour},\
         \"geojson\":{{\"type\":\"Point\",\"coordinates\":[{longitude:.7},{latitude:.7}]}},\
         \"description\":\"{remark}\",\"license_code\":\"cc-by-nc\",\"comments_count\":0,\
         \"taxon\":{taxon},\"user\":{observer},\"photos\":[{}],\"identifications\":[{}]}}",
        photos.join(","),
        identifications.join(",")
    )
}

fn uuid(rng: &mut Rng) -> String {
    format!("{:08x}-{:04x}-4a21-a{:03x}-{:012x}", rng.u32(..), rng.u16(..), rng.u16(..4096), rng.u64(..1 << 48))
}

fn identification(rng: &mut Rng, taxon: &str, when: &str) -> String {
    let (id, uuid, user) = (rng.u32(200_000_000..700_000_000), uuid(rng), user(rng));
    format!(
        "{{\"id\":{id},\"uuid\":\"{uuid}\",\"created_at\":\"{when}\",\"category\":\"supporting\",\"current\":true,\
         \"own_observation\":false,\"vision\":false,\"disagreement\":false,\"body\":null,\"user\":{user},\"taxon\":{taxon}}}"
    )
}

fn taxon(rng: &mut Rng) -> String {
    const NAMES: [(&str, &str); 4] = [
        ("Danaus plexippus", "Monarch"),
        ("Danaus gilippus", "Queen"),
        ("Limenitis archippus", "Viceroy"),
        ("Vanessa cardui", "Painted Lady"),
    ];
    let at = rng.usize(..NAMES.len());
    let ((name, common), id) = (NAMES[at], 48_662 + at);
    format!(
        "{{\"id\":{id},\"name\":\"{name}\",\"rank\":\"species\",\"rank_level\":10,\"iconic_taxon_name\":\"Insecta\",\
         \"ancestry\":\"48460/1/47120/372739/47158/184884/47157/47224/47922/61244\",\
         \"ancestor_ids\":[48460,1,47120,372739,47158,184884,47157,47224,47922,61244,{id}],\
         \"preferred_common_name\":\"{common}\",\"observations_count\":390512,\"is_active\":true,\"extinct\":false,\
         \"default_photo\":{{\"id\":{id},\"license_code\":\"cc-by\",\
         \"attribution\":\"(c) somebody, some rights reserved (CC BY)\",\
         \"square_url\":\"https://inaturalist-open-data.s3.amazonaws.com/photos/{id}/square.jpg\",\
         \"medium_url\":\"https://inaturalist-open-data.s3.amazonaws.com/photos/{id}/medium.jpg\"}},\
         \"wikipedia_url\":\"https://en.wikipedia.org/wiki/{common}\"}}"
    )
}

fn user(rng: &mut Rng) -> String {
    let (id, login) = (rng.u32(1..9_000_000), words(rng, 2).replace(' ', "_"));
    format!(
        "{{\"id\":{id},\"login\":\"{login}\",\"spam\":false,\"suspended\":false,\"orcid\":null,\
         \"icon\":\"https://static.inaturalist.org/attachments/users/icons/{id}/thumb.jpg\",\"roles\":[]}}"
    )
}

fn photo(rng: &mut Rng) -> String {
    let id = rng.u32(100_000_000..500_000_000);
    format!(
        "{{\"id\":{id},\"license_code\":\"cc-by-nc\",\"attribution\":\"(c) somebody, some rights reserved (CC BY-NC)\",\
         \"original_dimensions\":{{\"width\":2048,\"height\":1536}},\"flags\":[],\
         \"url\":\"https://inaturalist-open-data.s3.amazonaws.com/photos/{id}/square.jpeg\"}}"
    )
}
