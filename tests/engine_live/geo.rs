//! Geo.

use crate::dice::{Cmd, Compare, Dice, Kind};

pub(crate) const KIND: Kind = Kind { name: "geo", draw, chosen: CHOSEN };

fn member(dice: &mut Dice) -> Vec<u8> {
    format!("m{}", if dice.once_in(4) { dice.below(300) } else { dice.below(20) }).into_bytes()
}

/// A coordinate: around one place mostly, so that searches find something; or anywhere, or nowhere.
fn coordinate(dice: &mut Dice, middle: f64, max: f64) -> Vec<u8> {
    let any = dice.below(2_000_001) as f64 / 1_000_000.0 - 1.0;
    match dice.below(40) {
        0 => dice.float_text(),
        1..=8 => format!("{}", any * max).into_bytes(),
        9 => format!("{max}").into_bytes(),
        10..=12 => format!("{middle}").into_bytes(),
        _ => format!("{}", middle + any * 2.0).into_bytes(),
    }
}

fn place(dice: &mut Dice) -> [Vec<u8>; 2] {
    [coordinate(dice, 13.4, 180.0), coordinate(dice, 52.5, 85.05112878)]
}

fn size(dice: &mut Dice) -> Vec<u8> {
    match dice.below(15) {
        0 => dice.float_text(),
        _ => {
            let exponent = dice.below(60) as f64 / 10.0 - 1.0;
            format!("{}", (10f64.powf(exponent) * 1000.0).round() / 1000.0).into_bytes()
        }
    }
}

fn unit(dice: &mut Dice) -> Vec<u8> {
    dice.word(&["M", "KM", "KM", "KM", "MI", "FT", "KM", "FOO"])
}

fn draw(dice: &mut Dice) -> Cmd {
    let (key, one) = (dice.key(b'g'), member(dice));
    let s = |word: &str| word.as_bytes().to_vec();
    let mut compare = Compare::Exact;
    let argv = match dice.below(20) {
        0..=4 => {
            let mut argv = vec![s("GEOADD"), key];
            for _ in 0..dice.below(2) {
                argv.push(dice.word(&["NX", "XX", "CH", "FOO"]));
            }
            for _ in 0..[1, 1, 3, 40][dice.below(4)] {
                argv.extend(place(dice));
                argv.push(member(dice));
            }
            argv
        }
        5 => vec![s("GEOPOS"), key, one, member(dice)],
        6 => vec![s("GEOHASH"), key, one, member(dice)],
        7 => {
            let mut argv = vec![s("GEODIST"), key, one, member(dice)];
            argv.extend(dice.once_in(2).then(|| unit(dice)));
            argv
        }
        8 => vec![s("ZREM"), key, one],
        9 if dice.once_in(8) => vec![s("ZADD"), key, dice.float_text(), one],
        10..=12 => {
            let mut argv = vec![dice.word(&["GEORADIUS", "GEORADIUS_RO"]), key];
            argv.extend(place(dice));
            argv.extend([size(dice), unit(dice)]);
            options(dice, &mut argv, &mut compare);
            argv
        }
        13 => {
            let mut argv =
                vec![dice.word(&["GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"]), key, one];
            argv.extend([size(dice), unit(dice)]);
            options(dice, &mut argv, &mut compare);
            argv
        }
        _ => search(dice, key, &mut compare),
    };
    Cmd { argv, compare }
}

fn search(dice: &mut Dice, key: Vec<u8>, compare: &mut Compare) -> Vec<Vec<u8>> {
    let mut argv = match dice.once_in(3) {
        true => vec![b"GEOSEARCHSTORE".to_vec(), dice.key(b'g'), key],
        false => vec![b"GEOSEARCH".to_vec(), key],
    };
    if dice.release.has_valkey(9, 0) && dice.once_in(4) {
        let corners = 3 + dice.below(4);
        argv.extend([dice.word(&["BYPOLYGON"]), corners.to_string().into_bytes()]);
        // All on one side of the globe: where the middle of the corners is beyond the map, Valkey reads
        // memory that nobody wrote.
        for _ in 0..corners {
            let mut around = |middle: f64, by: f64| {
                let part = dice.below(2_000_001) as f64 / 1_000_000.0 - 1.0;
                format!("{}", middle + part * by).into_bytes()
            };
            argv.extend([around(13.4, 30.0), around(52.5, 20.0)]);
        }
    } else {
        if dice.once_in(2) {
            argv.extend([dice.word(&["FROMMEMBER"]), member(dice)]);
        } else {
            argv.push(dice.word(&["FROMLONLAT"]));
            argv.extend(place(dice));
        }
        if dice.once_in(2) {
            argv.extend([dice.word(&["BYRADIUS"]), size(dice), unit(dice)]);
        } else {
            argv.extend([dice.word(&["BYBOX"]), size(dice), size(dice), unit(dice)]);
        }
    }
    options(dice, &mut argv, compare);
    argv
}

/// Where several places are equally far away, which come first is a server's luck: so what is sorted is
/// compared without its order (members, distances and all), and a count comes with ANY, which does not
/// sort.
fn options(dice: &mut Dice, argv: &mut Vec<Vec<u8>>, compare: &mut Compare) {
    for _ in 0..dice.below(3) {
        argv.push(dice.word(&["WITHDIST", "WITHHASH", "WITHCOORD"]));
    }
    match dice.below(5) {
        0 => {
            argv.push(dice.word(&["ASC", "DESC"]));
            *compare = Compare::Unordered;
        }
        1 => {
            let count = dice.index();
            argv.extend([dice.word(&["COUNT"]), count, dice.word(&["ANY"])]);
        }
        2 if dice.once_in(2) => {
            let key = dice.key(b'g');
            argv.extend([dice.word(&["STORE", "STOREDIST"]), key]);
        }
        3 if dice.once_in(2) => argv.push(dice.word(&["STOREDIST", "ANY", "COUNT"])),
        _ => {}
    }
}

const CHOSEN: &[&str] = &[
    "GEOADD g:1 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.5 41.9 Roma",
    "GEODIST g:1 Palermo Catania",
    "GEODIST g:1 Palermo Catania MI",
    "GEODIST g:1 Palermo Catania FOO",
    "GEODIST g:1 a b km x",
    "GEODIST g:none a b",
    "GEOPOS g:1 Palermo nope",
    "GEOPOS g:none a",
    "GEOPOS g:1",
    "GEOHASH g:1 Palermo nope",
    "GEOADD g:1 181 0 a",
    "GEOADD g:1 1e300 0 a",
    "GEOADD g:1 inf 0 a",
    "GEOADD g:1 NX XX 1 1 a",
    "GEOADD g:1 NX CH 1 1",
    "GEOADD g:1 GT 1 1 a",
    "GEOADD g:1 CH 13 38 Palermo",
    "GEOADD g:1 XX CH 13 38 Palermo 1 1 a",
    "GEOSEARCH g:1 FROMLONLAT 15 37 BYRADIUS 300 km WITHCOORD WITHDIST WITHHASH ASC",
    "GEOSEARCH g:1 FROMLONLAT 15 37 BYRADIUS 30000 km WITHDIST DESC",
    "GEOSEARCH g:1 FROMLONLAT 15 37 BYRADIUS 30000 km COUNT 2",
    "GEOSEARCH g:1 FROMLONLAT 15 37 BYRADIUS 30000 km COUNT 2 DESC",
    "GEOSEARCH g:1 FROMLONLAT 15 37 BYBOX 400 400 km ASC",
    "GEOSEARCH g:1 FROMLONLAT 15 37 BYRADIUS inf m ASC",
    "GEOSEARCH g:1 FROMLONLAT 15 37 BYRADIUS 0 m ASC",
    "GEOSEARCH g:1 FROMMEMBER nope BYRADIUS 200 km",
    "GEOSEARCH g:none FROMMEMBER nope BYRADIUS 200 km",
    "GEOSEARCH g:1 FROMMEMBER Roma FROMLONLAT 1 1 BYRADIUS 1 m",
    "GEOSEARCH g:1 FROMMEMBER Roma FROMMEMBER Catania BYRADIUS 1 m BYRADIUS 2 km",
    "GEOSEARCH g:1 FROMMEMBER Roma BYRADIUS 1 m BYBOX 1 1 m",
    "GEOSEARCH g:1 BYRADIUS 1 m ASC WITHDIST WITHHASH",
    "geoSearch g:1 FROMMEMBER Roma ASC WITHDIST WITHHASH",
    "GEOSEARCH g:1 FROMMEMBER Roma BYRADIUS 1 m ANY",
    "GEOSEARCH g:1 FROMMEMBER Roma BYRADIUS 1 m COUNT 0",
    "GEOSEARCH g:1 FROMMEMBER Roma BYRADIUS -1 m",
    "GEOSEARCH g:1 FROMMEMBER Roma BYBOX 1 x m",
    "GEOSEARCH g:1 FROMMEMBER Roma BYBOX -1 1 foo",
    "GEOSEARCH g:1 FROMMEMBER Roma BYRADIUS 1 m STORE d",
    "GEOSEARCHSTORE g:2 g:1 FROMMEMBER Roma BYRADIUS 1000 km STOREDIST WITHDIST",
    "GEOSEARCHSTORE g:2 g:1 FROMMEMBER Roma BYRADIUS 1000 km STOREDIST",
    "ZRANGE g:2 0 -1 WITHSCORES",
    "GEOSEARCHSTORE g:2 g:1 FROMMEMBER Roma BYRADIUS 1000 km COUNT 2",
    "ZRANGE g:2 0 -1 WITHSCORES",
    "GEORADIUS g:1 15 37 200 km STORE g:3 STOREDIST g:4",
    "GEORADIUS g:1 15 37 200 km STORE g:3 WITHDIST",
    "GEORADIUS g:1 15 37 200 km STORE",
    "GEORADIUS_RO g:1 15 37 200 km STORE g:3",
    "GEORADIUS g:none 15 37 200 km STORE g:4",
    "EXISTS g:4",
    "GEORADIUS g:none 15 x 200 km",
    "GEORADIUSBYMEMBER g:none x 1 foo",
    "GEORADIUSBYMEMBER g:1 x 1 foo",
    "SET s:1 1",
    "GEORADIUS s:1 15 x 200 km",
    "GEOADD s:1 15 x a",
    "GEOADD s:1 15 1 a",
    "ZADD g:5 1 a -5 b 1e300 c inf d 4503599627370496 e",
    "GEOPOS g:5 a b c d e",
    "GEOHASH g:5 a b c d e",
    "GEODIST g:5 a b",
    "GEODIST g:5 c d",
    "GEOSEARCH g:5 FROMLONLAT 0 0 BYRADIUS 30000 km WITHHASH WITHDIST ASC",
    "GEOADD g:6 -180 -85.05112878 sw 180 85.05112878 ne -180 85.05112878 nw",
    "GEOPOS g:6 sw ne nw",
    "GEOHASH g:6 sw ne nw",
    "GEODIST g:6 sw ne",
    "GEODIST g:6 nw ne",
];
