//! Places: real names and ids, rough rectangles.

use serde_json::{Value, json};

use super::{World, uuid};

#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: u64,
    pub(crate) parent: u64,
    pub(crate) name: &'static str,
    pub(crate) display_name: &'static str,
    pub(crate) admin_level: i64,
    /// South, west, north, east.
    pub(crate) bounds: [f64; 4],
}

const fn place(
    id: u64,
    parent: u64,
    name: &'static str,
    display_name: &'static str,
    admin_level: i64,
    bounds: [f64; 4],
) -> Place {
    Place { id, parent, name, display_name, admin_level, bounds }
}

/// Continents, countries, states; a parent comes before its children, and 0 is no parent.
pub(crate) const PLACES: &[Place] = &[
    place(97394, 0, "North America", "North America", -10, [7.0, -168.0, 83.0, -52.0]),
    place(97389, 0, "South America", "South America", -10, [-56.0, -82.0, 13.0, -34.0]),
    place(97391, 0, "Europe", "Europe", -10, [35.0, -25.0, 71.0, 45.0]),
    place(97392, 0, "Africa", "Africa", -10, [-35.0, -18.0, 37.0, 51.0]),
    place(97395, 0, "Asia", "Asia", -10, [-10.0, 26.0, 77.0, 170.0]),
    place(97393, 0, "Oceania", "Oceania", -10, [-50.0, 110.0, 20.0, 180.0]),
    place(1, 97394, "United States", "United States", 0, [24.5, -125.0, 49.4, -66.9]),
    place(6712, 97394, "Canada", "Canada", 0, [41.7, -141.0, 83.1, -52.6]),
    place(6793, 97394, "Mexico", "Mexico", 0, [14.5, -118.4, 32.7, -86.7]),
    place(6878, 97389, "Brazil", "Brazil", 0, [-33.7, -73.9, 5.3, -34.8]),
    place(7207, 97391, "Germany", "Germany", 0, [47.3, 5.9, 55.1, 15.0]),
    place(6857, 97391, "United Kingdom", "United Kingdom", 0, [49.9, -8.6, 60.9, 1.8]),
    place(6986, 97392, "South Africa", "South Africa", 0, [-34.8, 16.5, -22.1, 32.9]),
    place(6681, 97395, "India", "India", 0, [6.7, 68.1, 35.5, 97.4]),
    place(6737, 97395, "Japan", "Japan", 0, [24.0, 122.9, 45.6, 146.0]),
    place(6744, 97393, "Australia", "Australia", 0, [-43.7, 112.9, -10.6, 153.6]),
    place(6803, 97393, "New Zealand", "New Zealand", 0, [-47.3, 166.4, -34.4, 178.6]),
    place(14, 1, "California", "California, US", 10, [32.5, -124.4, 42.0, -114.1]),
    place(18, 1, "Texas", "Texas, US", 10, [25.8, -106.6, 36.5, -93.5]),
    place(48, 1, "New York", "New York, US", 10, [40.5, -79.8, 45.0, -71.9]),
    place(21, 1, "Florida", "Florida, US", 10, [24.5, -87.6, 31.0, -80.0]),
    place(6883, 6712, "Ontario", "Ontario, CA", 10, [41.7, -95.2, 56.9, -74.3]),
    place(7085, 6712, "British Columbia", "British Columbia, CA", 10, [48.3, -139.0, 60.0, -114.0]),
    place(2738, 14, "Santa Cruz", "Santa Cruz County, US, CA", 20, [36.85, -122.3, 37.28, -121.6]),
];

/// Places observations are made in: those without places below them.
pub(crate) fn leaves() -> impl Iterator<Item = &'static Place> {
    PLACES.iter().filter(|place| !PLACES.iter().any(|other| other.parent == place.id))
}

impl Place {
    pub(crate) fn slug(&self) -> String {
        self.name.to_lowercase().replace(' ', "-")
    }

    /// From the continent to the place itself.
    pub(crate) fn ancestry(&self) -> Vec<u64> {
        let mut ids = vec![self.id];
        let mut parent = self.parent;
        while let Some(place) = find(parent) {
            ids.insert(0, place.id);
            parent = place.parent;
        }
        ids
    }
}

pub(crate) fn find(id: u64) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.id == id)
}

impl World {
    pub(crate) fn place(&self, place: &Place) -> Value {
        let [south, west, north, east] = place.bounds;
        let ring = json!([[west, south], [east, south], [east, north], [west, north], [west, south]]);
        json!({
            "id": place.id,
            "uuid": uuid(u128::from(self.seed) << 64 | u128::from(place.id) << 20),
            "slug": place.slug(),
            "name": place.name,
            "display_name": place.display_name,
            "place_type": match place.admin_level { -10 => 29, 0 => 12, 10 => 8, _ => 9 },
            "admin_level": place.admin_level,
            "bbox_area": (north - south) * (east - west),
            "ancestor_place_ids": place.ancestry(),
            "geometry_geojson": { "type": "MultiPolygon", "coordinates": [[ring]] },
            "bounding_box_geojson": { "type": "Polygon", "coordinates": [ring] },
            "location": format!("{:.6},{:.6}", f64::midpoint(south, north), f64::midpoint(west, east)),
        })
    }
}
