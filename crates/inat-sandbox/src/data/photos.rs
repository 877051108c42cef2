//! Photos: their records, and files that are real JPEGs of the right size in pixels.

use serde_json::{Value, json};

use super::{Dice, World};

const LICENSES: &[Option<&str>] =
    &[Some("cc-by-nc"), Some("cc-by-nc"), Some("cc-by"), Some("cc0"), Some("cc-by-sa"), None];

/// The record of a photo. `name` is whom to credit.
pub(crate) fn photo(world: &World, id: u64, dice: &mut Dice, name: Option<&str>) -> Value {
    let license = dice.pick(LICENSES, None);
    let name = name.unwrap_or("fernwalker");
    let credit = match license {
        None => format!("(c) {name}, all rights reserved"),
        Some("cc0") => format!("{name}, no rights reserved (CC0)"),
        Some(code) => format!("(c) {name}, some rights reserved ({})", code.replacen('-', " ", 1).to_uppercase()),
    };
    json!({
        "id": id,
        "license_code": license,
        "url": format!("{}/photos/{id}/square.jpg", world.media_base),
        "attribution": credit,
        "original_dimensions": { "width": 2048, "height": 1536 },
        "flags": [],
    })
}

/// The file of a photo in one of the sizes the API names; `None` for another name.
pub(crate) fn jpeg(seed: u64, id: u64, size: &str) -> Option<Vec<u8>> {
    let (longest, bytes) = match size {
        "original" => (2048, 300_000),
        "large" => (1024, 120_000),
        "medium" => (500, 40_000),
        "small" => (240, 12_000),
        "thumb" => (100, 4_000),
        "square" => (75, 3_000),
        _ => return None,
    };
    let (width, height) = if size == "square" { (75, 75) } else { (longest, longest * 3 / 4) };
    Some(flat(width, height, &Dice::new(seed, size, id).bytes(bytes)))
}

/// A grey picture in the least that a JPEG can say, with `filler` in its comments so that every file differs and weighs what it should.
fn flat(width: u16, height: u16, filler: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    for piece in filler.chunks(0xf000) {
        segment(&mut out, 0xfe, piece);
    }
    let mut quantization = vec![0];
    quantization.extend([1; 64]);
    segment(&mut out, 0xdb, &quantization);
    let [wide, narrow] = width.to_be_bytes();
    let [high, low] = height.to_be_bytes();
    segment(&mut out, 0xc0, &[8, high, low, wide, narrow, 1, 1, 0x11, 0]);
    for class in [0x00, 0x10] {
        // One code, `0`: no difference in brightness for DC, end of block for AC.
        let mut huffman = vec![class, 1];
        huffman.extend([0; 16]);
        segment(&mut out, 0xc4, &huffman);
    }
    segment(&mut out, 0xda, &[1, 1, 0, 0, 63, 0]);
    let bits = 2 * usize::from(width).div_ceil(8) * usize::from(height).div_ceil(8);
    out.extend(std::iter::repeat_n(0, bits / 8));
    if !bits.is_multiple_of(8) {
        out.push(0xff >> (bits % 8));
    }
    out.extend([0xff, 0xd9]);
    out
}

fn segment(out: &mut Vec<u8>, marker: u8, content: &[u8]) {
    let length = u16::try_from(content.len() + 2).unwrap_or(u16::MAX);
    out.extend([0xff, marker]);
    out.extend(length.to_be_bytes());
    out.extend_from_slice(content);
}
