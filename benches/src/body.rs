//! Bodies in the shape of the API's answers, generated: nobody's observations are kept here. They compress about as well as
//! recorded ones.

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

pub const SMALL: Size = Size { name: "small", len: 2_000, set: 500 };
pub const MEDIUM: Size = Size { name: "medium", len: 55_000, set: 200 };
pub const LARGE: Size = Size { name: "large", len: 1_000_000, set: 8 };
pub const BLOB: Size = Size { name: "blob", len: 20_000_000, set: 1 };

pub const SIZES: [Size; 3] = [SMALL, MEDIUM, LARGE];

/// JSON of exactly `len` bytes.
pub fn json(len: usize) -> String {
    const TAIL: &str = "\"}";
    let mut rng = Rng::with_seed(48_662);
    let mut text = String::from("{\"total_results\":31415,\"page\":1,\"per_page\":200,\"results\":[");
    let mut separator = "";
    loop {
        let one = observation(&mut rng);
        if text.len() + one.len() + 64 > len {
            break;
        }
        text += separator;
        text += &one;
        separator = ",";
    }
    text += "],\"remark\":\"";
    while text.len() + TAIL.len() < len {
        text += rng.choice(WORDS).unwrap_or(&"oak");
        text.push(' ');
    }
    text.truncate(len - TAIL.len());
    text + TAIL
}

const WORDS: [&str; 16] = [
    "oak", "meadow", "river", "wing", "larva", "shade", "gravel", "milkweed", "thistle", "early", "evening", "several",
    "resting", "under", "bridge", "north",
];

fn words(rng: &mut Rng, count: usize) -> String {
    let words: Vec<&str> = std::iter::repeat_with(|| *rng.choice(&WORDS).unwrap_or(&"oak")).take(count).collect();
    words.join(" ")
}

fn observation(rng: &mut Rng) -> String {
    let (id, taxon, user) = (rng.u32(100_000_000..300_000_000), rng.u32(40_000..60_000), rng.u32(1..9_000_000));
    let uuid = format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        rng.u32(..),
        rng.u16(..),
        rng.u16(..4096),
        rng.u16(..4096),
        rng.u64(..1 << 48)
    );
    let (day, hour, minute) = (rng.u8(1..29), rng.u8(5..22), rng.u8(0..60));
    let when = format!("2026-06-{day:02}T{hour:02}:{minute:02}:00+02:00");
    let (latitude, longitude) = (rng.f64() * 180.0 - 90.0, rng.f64() * 360.0 - 180.0);
    let (login, place, remark) = (words(rng, 2).replace(' ', "_"), words(rng, 3), words(rng, 12));
    let photos: Vec<String> = (0..rng.u8(1..4)).map(|_| photo(rng)).collect();
    format!(
        "{{\"id\":{id},\"uuid\":\"{uuid}\",\"quality_grade\":\"research\",\"captive\":false,\"obscured\":false,\
         \"observed_on\":\"2026-06-{day:02}\",\"time_observed_at\":\"{when}\",\"created_at\":\"{when}\",\"updated_at\":\"{when}\",\
         \"observed_on_details\":{{\"date\":\"2026-06-{day:02}\",\"day\":{day},\"month\":6,\"year\":2026,\"hour\":{hour},\"week\":25}},\
         \"place_guess\":\"{place}\",\"location\":\"{latitude:.7},{longitude:.7}\",\"positional_accuracy\":{hour},\
         \"geojson\":{{\"type\":\"Point\",\"coordinates\":[{longitude:.7},{latitude:.7}]}},\
         \"description\":\"{remark}\",\"license_code\":\"cc-by-nc\",\"identifications_count\":2,\"comments_count\":0,\
         \"taxon\":{{\"id\":{taxon},\"name\":\"Danaus plexippus\",\"rank\":\"species\",\"rank_level\":10,\
         \"iconic_taxon_name\":\"Insecta\",\"ancestor_ids\":[48460,1,47120,372739,47158,184884,47157,47224,47922,61244,{taxon}],\
         \"preferred_common_name\":\"Monarch\",\"observations_count\":390512,\"is_active\":true,\"extinct\":false,\
         \"wikipedia_url\":\"https://en.wikipedia.org/wiki/Monarch_butterfly\"}},\
         \"user\":{{\"id\":{user},\"login\":\"{login}\",\"spam\":false,\"suspended\":false,\
         \"icon\":\"https://static.inaturalist.org/attachments/users/icons/{user}/thumb.jpg\"}},\
         \"photos\":[{}]}}",
        photos.join(",")
    )
}

fn photo(rng: &mut Rng) -> String {
    let id = rng.u32(100_000_000..500_000_000);
    format!(
        "{{\"id\":{id},\"license_code\":\"cc-by-nc\",\"attribution\":\"(c) somebody, some rights reserved (CC BY-NC)\",\
         \"original_dimensions\":{{\"width\":2048,\"height\":1536}},\
         \"url\":\"https://inaturalist-open-data.s3.amazonaws.com/photos/{id}/square.jpeg\",\"flags\":[],\"moderator_actions\":[]}}"
    )
}
