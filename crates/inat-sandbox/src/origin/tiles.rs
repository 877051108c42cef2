//! Map tiles: observations as points, grid cells or warmth on a PNG, and the `UTFGrid` that tells a map what lies under the pointer.
//! Those with a hidden position are on no tile.

use std::{collections::BTreeMap, f64::consts::PI, io::Write};

use flate2::{Compression, Crc, write::ZlibEncoder};
use serde_json::{Map, Value, json};

use super::{Origin, call::Call, filter::Filter, finish::weak_etag, reply::Refusal};
use crate::Answer;

const SIZE: usize = 256;
/// A `UTFGrid` has a quarter of the pixels, and so do the cells of a grid.
const CELLS: usize = 64;
const DEEPEST: u32 = 21;

/// By pixel: how many there are, and the id of one of them.
type Spots = BTreeMap<(usize, usize), (u64, u64)>;

/// Which part of the world a tile shows.
#[derive(Debug, Clone, Copy)]
struct Tile {
    zoom: u32,
    x: u32,
    y: u32,
}

impl Tile {
    fn read(zoom: &str, x: &str, y: &str) -> Option<Self> {
        let (zoom, x, y) = (zoom.parse().ok()?, x.parse().ok()?, y.parse().ok()?);
        (zoom <= DEEPEST && x < 1_u32 << zoom && y < 1_u32 << zoom).then_some(Self { zoom, x, y })
    }

    /// The pixel of a position, where it lies on this tile: Web Mercator.
    fn pixel(self, (latitude, longitude): (f64, f64)) -> Option<(usize, usize)> {
        let tiles = f64::from(1_u32 << self.zoom);
        let across = (longitude + 180.0) / 360.0 * tiles - f64::from(self.x);
        let radians = latitude.clamp(-85.05, 85.05).to_radians();
        let down = (1.0 - (radians.tan() + 1.0 / radians.cos()).ln() / PI) / 2.0 * tiles - f64::from(self.y);
        Some((place(across)?, place(down)?))
    }
}

/// A part of a tile's side as a pixel.
fn place(part: f64) -> Option<usize> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 255")]
    (0.0..1.0).contains(&part).then_some((part * 256.0) as usize)
}

impl Origin {
    /// `/STYLE/ZOOM/X/Y.png` and `.grid.json`.
    pub(super) fn tile(&self, call: &Call<'_>, style: &str, [zoom, x, file]: [&str; 3]) -> Result<Answer, Refusal> {
        let seconds = if style == "summary" { 86_400 } else { 3_600 };
        let Some((y, kind)) = file.split_once('.') else { return Ok(Refusal::no_route(call)) };
        let tile = Tile::read(zoom, x, y).ok_or_else(|| Refusal::new(422, "there is no such tile"))?;
        let spots = self.spots(call, tile)?;
        Ok(match kind {
            "png" => png(&picture(style, &spots), seconds),
            "grid.json" => lasting(Answer::json(&grid(&spots)), seconds),
            _ => Refusal::no_route(call),
        })
    }

    /// `/places/ID/ZOOM/X/Y.png` and the like: an outline, which is all of the tile here.
    pub(super) fn outline(call: &Call<'_>, seconds: u32, [zoom, x, file]: [&str; 3]) -> Result<Answer, Refusal> {
        let Some((y, "png")) = file.split_once('.') else { return Ok(Refusal::no_route(call)) };
        Tile::read(zoom, x, y).ok_or_else(|| Refusal::new(422, "there is no such tile"))?;
        Ok(png(&vec![1; SIZE * SIZE], seconds))
    }

    /// What lies on a tile.
    fn spots(&self, call: &Call<'_>, tile: Tile) -> Result<Spots, Refusal> {
        let filter = Filter::read(self, call)?;
        Ok(self.matching(&filter, |found| {
            let mut spots = BTreeMap::new();
            for one in found.into_iter().filter(|one| !one.obscured) {
                if let Some(pixel) = one.position.and_then(|position| tile.pixel(position)) {
                    let spot: &mut (u64, u64) = spots.entry(pixel).or_insert((0, one.id));
                    spot.0 += 1;
                }
            }
            spots
        }))
    }
}

/// One colour index for each pixel; 0 is clear.
fn picture(style: &str, spots: &Spots) -> Vec<u8> {
    let mut pixels = vec![0; SIZE * SIZE];
    let cell = SIZE / CELLS;
    for ((x, y), (count, _)) in spots {
        let (left, top, side) = match style {
            "points" => (x.saturating_sub(1), y.saturating_sub(1), 3),
            _ => (x / cell * cell, y / cell * cell, cell),
        };
        let color = match count {
            0..=1 => 1,
            2..=9 => 2,
            _ => 3,
        };
        for row in top..(top + side).min(SIZE) {
            for pixel in &mut pixels[row * SIZE + left..row * SIZE + (left + side).min(SIZE)] {
                *pixel = color.max(*pixel);
            }
        }
    }
    pixels
}

fn png(pixels: &[u8], seconds: u32) -> Answer {
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::fast());
    for row in pixels.chunks(SIZE) {
        // Writing to memory does not fail.
        let _ = rows.write_all(&[0]).and_then(|()| rows.write_all(row));
    }
    let side = u32::try_from(SIZE).unwrap_or(256).to_be_bytes();
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut out, *b"IHDR", &[side.as_slice(), side.as_slice(), &[8, 3, 0, 0, 0]].concat());
    chunk(&mut out, *b"PLTE", &[0, 0, 0, 116, 172, 0, 240, 160, 0, 200, 40, 0]);
    chunk(&mut out, *b"tRNS", &[0, 160, 200, 240]);
    chunk(&mut out, *b"IDAT", &rows.finish().unwrap_or_default());
    chunk(&mut out, *b"IEND", &[]);
    let etag = weak_etag(&out);
    lasting(Answer::new(200).header("Content-Type", "image/png").header("ETag", etag).body(out), seconds)
}

fn chunk(out: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    let mut sum = Crc::new();
    sum.update(&kind);
    sum.update(content);
    out.extend(u32::try_from(content.len()).unwrap_or(0).to_be_bytes());
    out.extend(kind);
    out.extend_from_slice(content);
    out.extend(sum.sum().to_be_bytes());
}

fn lasting(answer: Answer, seconds: u32) -> Answer {
    answer.header("Cache-Control", format!("public, max-age={seconds}"))
}

/// <https://github.com/mapbox/utfgrid-spec>: a letter for each cell, whose number leads to a key, and the key to what is known of it.
fn grid(spots: &Spots) -> Value {
    let step = SIZE / CELLS;
    let mut cells: Spots = BTreeMap::new();
    for ((x, y), (count, id)) in spots {
        let cell = cells.entry((y / step, x / step)).or_insert((0, *id));
        cell.0 += count;
    }
    let mut keys = vec![Value::from("")];
    let mut data = Map::new();
    let mut letters = vec![vec![' '; CELLS]; CELLS];
    for ((row, column), (count, id)) in cells {
        letters[row][column] = letter(keys.len());
        let known = if count == 1 { json!({ "id": id, "cellCount": 1 }) } else { json!({ "cellCount": count }) };
        let key = (row * CELLS + column).to_string();
        data.insert(key.clone(), known);
        keys.push(key.into());
    }
    let rows: Vec<String> = letters.into_iter().map(|row| row.into_iter().collect()).collect();
    json!({ "grid": rows, "keys": keys, "data": data })
}

/// The letter for a number: from the space on, without the two that JSON would escape.
fn letter(number: usize) -> char {
    let code = u32::try_from(number + 32).unwrap_or(32);
    let code = if code >= 34 { code + 1 } else { code };
    char::from_u32(if code >= 92 { code + 1 } else { code }).unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Tile, grid, letter, picture};

    #[test]
    fn positions_on_tiles() {
        let table = [
            (("0", "0", "0"), (0.0, 0.0), Some((128, 128))),
            (("0", "0", "0"), (85.0, -180.0), Some((0, 0))),
            (("1", "0", "0"), (37.0, -122.0), Some((82, 199))),
            (("1", "1", "0"), (37.0, -122.0), None),
        ];
        for ((zoom, x, y), position, expected) in table {
            assert_eq!(Tile::read(zoom, x, y).and_then(|tile| tile.pixel(position)), expected, "{zoom}/{x}/{y}");
        }
        for (zoom, x, y) in [("0", "1", "0"), ("22", "0", "0"), ("99", "0", "0"), ("-1", "0", "0"), ("1", "a", "0")] {
            assert!(Tile::read(zoom, x, y).is_none(), "{zoom}/{x}/{y}");
        }
    }

    #[test]
    fn a_letter_leads_to_its_key() {
        assert_eq!([1, 2, 3, 58, 59, 60].map(letter), ['!', '#', '$', '[', ']', '^']);
        let value = grid(&BTreeMap::from([((0, 0), (1, 7)), ((255, 255), (3, 8))]));
        assert_eq!(value["grid"][0].as_str().map(|row| row.starts_with('!')), Some(true));
        assert_eq!(value["data"]["0"]["id"], 7);
        assert_eq!(value["data"]["4095"]["cellCount"], 3);
    }

    #[test]
    fn spots_at_the_edge_stay_on_the_tile() {
        for style in ["points", "grid"] {
            let pixels = picture(style, &BTreeMap::from([((255, 255), (12, 7)), ((0, 0), (1, 8))]));
            assert_eq!((pixels[0], pixels[256 * 256 - 1], pixels[128]), (1, 3, 0), "{style}");
        }
    }
}
