//! Places on earth as scores of a sorted set: 52 bits of geohash, and the search for places nearby.
//!
//! ```text
//! score = … lon lat lon lat        26 bits of each, interleaved, the highest first
//! ```
//! A coordinate's bits are the number of its cell when the range of all coordinates (±180°, and ±85.05…°
//! as far as a Mercator map goes) is cut in 2^26 equal parts. The first 2n bits are the cell of a coarser
//! grid, so the places within one cell have scores side by side: a search asks for the cell around its
//! centre, of a size that fits, and for the eight around that.
//!
//! The arithmetic is the servers', operation by operation: what they store and print depends on the last
//! bit of it.

#![allow(clippy::excessive_precision, reason = "2^63 is written as it is")]

use std::f64::consts::PI;
use std::ops::Range;

/// Bits of each coordinate in a score.
const STEPS: u32 = 26;
/// Mean radius of the earth in metres, as the servers have it.
const EARTH: f64 = 6_372_797.560_856;
/// Half the earth's girth on a Mercator map, in metres.
const MERCATOR_MAX: f64 = 20_037_726.37;
const RADIAN: f64 = PI / 180.0;

/// Lowest and highest longitude.
const LON: (f64, f64) = (-180.0, 180.0);
/// Lowest and highest latitude.
const LAT: (f64, f64) = (-85.051_128_78, 85.051_128_78);

/// A place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Degrees east.
    pub lon: f64,
    /// Degrees north.
    pub lat: f64,
}

impl Point {
    /// Is it on the map?
    pub fn is_valid(self) -> bool {
        (LON.0..=LON.1).contains(&self.lon) && (LAT.0..=LAT.1).contains(&self.lat)
    }

    /// The score that stands for it.
    pub fn to_bits(self) -> u64 {
        encode(self, LAT, STEPS)
    }

    /// The middle of the cell that a score stands for. Any score is one, as for the servers.
    pub fn of_score(score: f64) -> Point {
        let area = Cell { bits: c_u64(score), steps: STEPS }.area();
        Point {
            lon: ((area.lon.0 + area.lon.1) / 2.0).clamp(LON.0, LON.1),
            lat: ((area.lat.0 + area.lat.1) / 2.0).clamp(LAT.0, LAT.1),
        }
    }

    /// The eleven letters under which the rest of the world knows it. (The usual geohash cuts all of
    /// ±90°, so the bits are others; the last letter would need three more than there are.)
    pub fn letters(self) -> Vec<u8> {
        let bits = encode(self, (-90.0, 90.0), STEPS);
        let letter = |at: u32| match at {
            10 => b'0',
            _ => {
                let index = (bits >> (52 - (at + 1) * 5)) & 31;
                b"0123456789bcdefghjkmnpqrstuvwxyz".get(index as usize).copied().unwrap_or(b'0')
            }
        };
        (0..11).map(letter).collect()
    }

    /// Metres to another place along a great circle.
    pub fn distance(self, other: Point) -> f64 {
        let (lat1, lat2) = (self.lat * RADIAN, other.lat * RADIAN);
        let v = ((other.lon * RADIAN - self.lon * RADIAN) / 2.0).sin();
        if v == 0.0 {
            return EARTH * (lat2 - lat1).abs();
        }
        let u = ((lat2 - lat1) / 2.0).sin();
        let a = u * u + lat1.cos() * lat2.cos() * v * v;
        2.0 * EARTH * a.sqrt().asin()
    }
}

/// What C makes of a double that is to be an integer, on the machines the servers run on.
pub fn c_i64(number: f64) -> i64 {
    if (-9.223_372_036_854_775_8e18..9.223_372_036_854_775_8e18).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

fn c_u64(number: f64) -> u64 {
    const HALF: f64 = 9.223_372_036_854_775_8e18;
    if number >= HALF { c_i64(number - HALF) as u64 ^ (1 << 63) } else { c_i64(number) as u64 }
}

/// The cell of a grid of 2^steps by 2^steps that a place is in; beyond the map, the last one before its
/// edge.
fn encode(point: Point, lat_range: (f64, f64), steps: u32) -> u64 {
    let cell = |value: f64, (min, max): (f64, f64)| {
        ((value.clamp(min, max) - min) / (max - min) * (1u64 << steps) as f64) as u32
    };
    spread(cell(point.lat, lat_range)) | spread(cell(point.lon, LON)) << 1
}

/// Puts a zero before each bit.
fn spread(bits: u32) -> u64 {
    let steps = [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, EVEN),
    ];
    steps.into_iter().fold(u64::from(bits), |bits, (by, mask)| (bits | bits << by) & mask)
}

/// Every second bit, moved together.
fn gather(bits: u64) -> u32 {
    let steps = [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ];
    let bits: u64 =
        steps.into_iter().fold(bits & EVEN, |bits, (by, mask)| (bits | bits >> by) & mask);
    bits as u32
}

const EVEN: u64 = 0x5555_5555_5555_5555;

/// A cell of some grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    bits: u64,
    steps: u32,
}

/// The edges of a cell in degrees.
#[derive(Debug, Clone, Copy)]
struct Area {
    lon: (f64, f64),
    lat: (f64, f64),
}

impl Cell {
    fn of(point: Point, steps: u32) -> Cell {
        Cell { bits: encode(point, LAT, steps), steps }
    }

    fn area(self) -> Area {
        let edge = |cell: u32, (min, max): (f64, f64)| {
            min + f64::from(cell) / (1u64 << self.steps) as f64 * (max - min)
        };
        // Beyond the last cell of all comes the first, as in 32 bits.
        let edges = |cell: u32, range| (edge(cell, range), edge(cell.wrapping_add(1), range));
        Area { lon: edges(gather(self.bits >> 1), LON), lat: edges(gather(self.bits), LAT) }
    }

    /// The cell `x` to the east and `y` to the north; around the edge of the map.
    fn beside(self, x: i32, y: i32) -> Cell {
        let all = u64::MAX >> (64 - self.steps * 2);
        // Adding to the bits of one coordinate needs the others between them to hand carries on.
        let shift = |bits: u64, mask: u64, by: i32| {
            let (own, between) = (bits & mask, all & !mask);
            let moved = match by {
                // The eastern edge of the map is beyond its last cell, and stays there.
                0 => return own,
                1.. => (own | between).wrapping_add(mask & mask.wrapping_neg()),
                _ => own.wrapping_sub(mask & mask.wrapping_neg()),
            };
            moved & mask & all
        };
        let bits = shift(self.bits, EVEN << 1, x) | shift(self.bits, EVEN, y);
        Cell { bits, ..self }
    }

    /// The scores of the places inside.
    fn scores(self) -> Range<f64> {
        let shift = 52 - self.steps * 2;
        (self.bits << shift) as f64..((self.bits + 1) << shift) as f64
    }
}

/// What a search looks for places in.
#[derive(Debug, Clone)]
pub enum Shape {
    /// Within a radius.
    Circle(f64),
    /// Within a box of this width and height.
    Box(f64, f64),
    /// Within these corners.
    Polygon(Vec<Point>),
}

/// A search around a place.
#[derive(Debug, Clone)]
pub struct Search {
    /// Around here.
    pub center: Point,
    /// In this, measured in …
    pub shape: Shape,
    /// … this many metres.
    pub unit: f64,
}

impl Search {
    /// A search in a polygon, around its middle (of the corners, on the globe).
    pub fn in_polygon(corners: Vec<Point>) -> Search {
        let sum = corners.iter().fold([0.0; 3], |[x, y, z], corner| {
            let (lon, lat) = (corner.lon * RADIAN, corner.lat * RADIAN);
            [x + lat.cos() * lon.cos(), y + lat.cos() * lon.sin(), z + lat.sin()]
        });
        let [x, y, z]: [f64; 3] = sum;
        let lat = z.atan2((x * x + y * y).sqrt());
        let center = Point { lon: y.atan2(x) / RADIAN, lat: lat / RADIAN };
        Search { center, shape: Shape::Polygon(corners), unit: 1.0 }
    }

    /// The distance of a place in metres, if it is inside.
    pub fn distance_inside(&self, point: Point) -> Option<f64> {
        let inside = match &self.shape {
            Shape::Circle(radius) => {
                let distance = self.center.distance(point);
                return Some(distance).filter(|distance| *distance <= radius * self.unit);
            }
            Shape::Box(width, height) => {
                let (width, height) = (width * self.unit, height * self.unit);
                let lat = EARTH * (self.center.lat * RADIAN - point.lat * RADIAN).abs();
                let level = Point { lon: self.center.lon, lat: point.lat };
                lat <= height / 2.0 && point.distance(level) <= width / 2.0
            }
            Shape::Polygon(corners) => is_within(corners, point),
        };
        inside.then(|| self.center.distance(point))
    }

    /// The grid whose cells are large enough.
    fn steps(&self, bounds: &Area) -> u32 {
        let radius = match self.shape {
            Shape::Circle(radius) => radius,
            Shape::Box(width, height) => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
            Shape::Polygon(_) => {
                let (lon, lat) = (bounds.lon, bounds.lat);
                let corners = [(lon.0, lat.1), (lon.1, lat.1), (lon.0, lat.0), (lon.1, lat.0)];
                let distances = corners.map(|(lon, lat)| self.center.distance(Point { lon, lat }));
                distances.into_iter().fold(0.0, f64::max)
            }
        };
        let mut range = radius * self.unit;
        if range == 0.0 {
            return STEPS;
        }
        let mut steps = -1;
        while range < MERCATOR_MAX {
            range *= 2.0;
            steps += 1;
        }
        let lat = self.center.lat.abs();
        // Degrees of longitude are shorter towards the poles.
        steps -= i32::from(lat > 66.0) + i32::from(lat > 80.0);
        steps.clamp(1, STEPS as i32) as u32
    }

    /// Lowest and highest longitude and latitude of what is searched, roughly.
    fn bounds(&self) -> Area {
        let (width, height) = match &self.shape {
            Shape::Circle(radius) => (*radius, *radius),
            Shape::Box(width, height) => (width / 2.0, height / 2.0),
            Shape::Polygon(corners) => return bounds_of(corners),
        };
        let (width, height) = (self.unit * width, self.unit * height);
        let Point { lon, lat } = self.center;
        let up = height / EARTH / RADIAN;
        let edge = if lat < 0.0 { lat - up } else { lat + up };
        let across = width / EARTH / (edge * RADIAN).cos() / RADIAN;
        Area { lon: (lon - across, lon + across), lat: (lat - up, lat + up) }
    }

    /// Ranges of scores (the upper end is not part of one) in which every place that is inside lies, in
    /// the order in which servers go through them.
    pub fn scores(&self) -> Vec<Range<f64>> {
        let bounds = self.bounds();
        let mut steps = self.steps(&bounds);
        let mut cell = Cell::of(self.center, steps);
        // Near the edge of its cell a place may need more than the cells around it.
        let too_small = cell.beside(0, 1).area().lat.1 < bounds.lat.1
            || cell.beside(0, -1).area().lat.0 > bounds.lat.0
            || cell.beside(1, 0).area().lon.1 < bounds.lon.1
            || cell.beside(-1, 0).area().lon.0 > bounds.lon.0;
        if steps > 1 && too_small {
            steps -= 1;
            cell = Cell::of(self.center, steps);
        }
        let area = cell.area();
        // What lies beyond the bounds on one side is left out, unless the cells are huge.
        let needed = |x: i32, y: i32| {
            steps < 2
                || !(y < 0 && area.lat.0 < bounds.lat.0
                    || y > 0 && area.lat.1 > bounds.lat.1
                    || x < 0 && area.lon.0 < bounds.lon.0
                    || x > 0 && area.lon.1 > bounds.lon.1)
        };
        const AROUND: [(i32, i32); 9] =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut cells: Vec<Cell> = Vec::with_capacity(AROUND.len());
        for (at, (x, y)) in AROUND.into_iter().enumerate() {
            let next = cell.beside(x, y);
            // Huge cells meet themselves around the map. (Servers only compare with the last one, and not
            // with the first of all.)
            let again = cells.len() > 1 && cells.last() == Some(&next);
            if at == 0 || needed(x, y) && !again {
                cells.push(next);
            }
        }
        cells.into_iter().map(Cell::scores).collect()
    }
}

/// Does a ray from the place to the east cross an odd number of edges?
fn is_within(corners: &[Point], point: Point) -> bool {
    let before = corners.last().into_iter().chain(corners);
    let crossed = corners.iter().zip(before).filter(|(a, b)| {
        (a.lat > point.lat) != (b.lat > point.lat)
            && point.lon < (b.lon - a.lon) * (point.lat - a.lat) / (b.lat - a.lat) + a.lon
    });
    crossed.count() % 2 == 1
}

fn bounds_of(corners: &[Point]) -> Area {
    // Beginning with the wrong ends of the map.
    let nowhere = Area { lon: (LON.1, LON.0), lat: (LAT.1, LAT.0) };
    corners.iter().fold(nowhere, |area, corner| Area {
        lon: (area.lon.0.min(corner.lon), area.lon.1.max(corner.lon)),
        lat: (area.lat.0.min(corner.lat), area.lat.1.max(corner.lat)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_places() {
        let palermo = Point { lon: 13.361389, lat: 38.115556 };
        let catania = Point { lon: 15.087269, lat: 37.502669 };
        assert_eq!(palermo.to_bits(), 3_479_099_956_230_698);
        assert_eq!(catania.to_bits(), 3_479_447_370_796_909);
        let [palermo, catania] = [palermo, catania].map(|p| Point::of_score(p.to_bits() as f64));
        assert_eq!(palermo.letters(), b"sqc8b49rny0");
        assert_eq!(format!("{:.4}", palermo.distance(catania)), "166274.1516");
        assert_eq!(palermo.distance(palermo), 0.0);
    }

    #[test]
    fn neighbours_are_beside_each_other() {
        for steps in 1..=STEPS {
            for (lon, lat) in [(0.1, 0.1), (-179.9, 85.0), (179.9, -85.0), (13.4, 52.5)] {
                let cell = Cell::of(Point { lon, lat }, steps);
                let mask = ((1u64 << steps) - 1) as u32;
                let (x, y) = (gather(cell.bits >> 1), gather(cell.bits));
                for (dx, dy) in [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1)] {
                    let other = cell.beside(dx, dy);
                    assert_eq!(gather(other.bits >> 1), x.wrapping_add_signed(dx) & mask);
                    assert_eq!(gather(other.bits), y.wrapping_add_signed(dy) & mask);
                }
            }
        }
    }

    /// Every place that is inside has its score in one of the ranges, away from the edge of the map.
    #[test]
    fn a_search_finds_what_is_inside() {
        let mut rng = fastrand::Rng::with_seed(5);
        let mut found = 0;
        for _ in 0..20_000 {
            let center = Point { lon: rng.f64() * 200.0 - 100.0, lat: rng.f64() * 120.0 - 60.0 };
            let size = 10f64.powf(rng.f64() * 6.0);
            let shape =
                if rng.bool() { Shape::Circle(size) } else { Shape::Box(size, size * rng.f64()) };
            let search = Search { center, shape, unit: 1.0 };
            let spread = size / 80_000.0;
            let point = Point {
                lon: center.lon + (rng.f64() - 0.5) * spread,
                lat: center.lat + (rng.f64() - 0.5) * spread,
            };
            let score = point.to_bits() as f64;
            if point.is_valid() && search.distance_inside(Point::of_score(score)).is_some() {
                found += 1;
                let ranges = search.scores();
                assert!(ranges.iter().any(|range| range.contains(&score)), "{search:?} {point:?}");
            }
        }
        assert!(found > 5000, "{found}");
    }

    #[test]
    fn any_score_is_a_place() {
        for score in
            [0.0, -0.0, -5.0, 1e300, -1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e19]
        {
            assert!(Point::of_score(score).is_valid(), "{score}");
        }
        for size in [0.0, 1e-300, 1e7, 1e300, f64::INFINITY] {
            for (lon, lat) in [(0.0, 0.0), (180.0, LAT.1), (-180.0, LAT.0)] {
                let center = Point { lon, lat };
                Search { center, shape: Shape::Circle(size), unit: 1609.34 }.scores();
                Search { center, shape: Shape::Box(size, size), unit: 0.3048 }.scores();
            }
        }
    }
}
