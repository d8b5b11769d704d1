//! Geo: places in sorted sets. The search for places is in `geo_search`.

use super::zset::zadd;
use crate::encoding::number::{MAX_I64_TEXT, i64_text};
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::geohash::{Point, c_i64};
use crate::engine::release::Family;
use crate::engine::reply::Reply;
use crate::value::Zset;

pub(super) const COMMANDS: &[Command] = &[
    cmd("geoadd", -5, WRITE | DENYOOM, Keys::ONE, Since::both(3, 2), geoadd),
    cmd("geopos", -2, READONLY, Keys::ONE, Since::both(3, 2), geopos),
    cmd("geohash", -2, READONLY, Keys::ONE, Since::both(3, 2), geohash),
    cmd("geodist", -4, READONLY, Keys::ONE, Since::both(3, 2), geodist),
];

/// Longitude and latitude.
pub(super) fn point(ctx: &Ctx<'_>, lon: &[u8], lat: &[u8]) -> Result<Point, Failure> {
    let point = Point { lon: ctx.float(lon)?, lat: ctx.float(lat)? };
    if point.is_valid() {
        return Ok(point);
    }
    let Point { lon, lat } = point;
    Err(Failure::new(format!("ERR invalid longitude,latitude pair {lon:.6},{lat:.6}")))
}

/// How many metres a unit has.
pub(super) fn unit(word: &[u8]) -> Result<f64, Failure> {
    let units = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let found = units.iter().find(|(name, _)| args::is(word, name));
    let text = "ERR unsupported unit provided. please use M, KM, FT, MI";
    found.map(|(_, metres)| *metres).ok_or_else(|| Failure::new(text))
}

/// `GEOADD key [NX|XX] [CH] longitude latitude member …`: a ZADD of scores, and logged as one.
fn geoadd(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let mut args = Args::from(argv, 2);
    let (mut nx, mut xx) = (false, false);
    loop {
        if args.accept("nx") {
            nx = true;
        } else if args.accept("xx") {
            xx = true;
        } else if !args.accept("ch") {
            break;
        }
    }
    let (places, []) = args.rest().as_chunks::<3>() else { return Err(Failure::SYNTAX) };
    if nx && xx {
        return Err(Failure::SYNTAX);
    }
    let mut scores = Vec::with_capacity(places.len());
    for [lon, lat, _] in places {
        let bits = point(ctx, lon, lat)?.to_bits();
        scores.push(i64_text(bits as i64, &mut [0; MAX_I64_TEXT]).to_vec());
    }
    let name: &[u8] = if ctx.release().family == Family::Redis { b"zadd" } else { b"ZADD" };
    let mut add = argv[..argv.len() - args.len()].to_vec();
    add[0] = name;
    for ([_, _, member], score) in places.iter().zip(&scores) {
        add.extend([score.as_slice(), member]);
    }
    let dirty = ctx.engine.dirty();
    let reply = zadd(ctx, &add)?;
    if ctx.engine.dirty() != dirty {
        ctx.log_as(&add);
    }
    Ok(reply)
}

/// What stands for each member that the arguments name.
fn each_member(
    ctx: &mut Ctx<'_>,
    argv: &[&[u8]],
    show: impl Fn(&Ctx<'_>, Option<Point>) -> Reply,
) -> Outcome {
    let zset = ctx.read::<Zset>(argv[1])?;
    let members = argv.iter().skip(2);
    let scores: Vec<_> = members.map(|member| zset.and_then(|zset| zset.score(member))).collect();
    let points = scores.into_iter().map(|score| score.map(Point::of_score));
    Ok(Reply::Array(points.map(|point| show(ctx, point)).collect()))
}

fn geopos(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    each_member(ctx, argv, |ctx, point| point.map_or(Reply::NilArray, |p| coordinates(ctx, p)))
}

fn geohash(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    each_member(ctx, argv, |_, point| point.map_or(Reply::Nil, |p| Reply::Bulk(p.letters())))
}

/// Longitude and latitude as this server answers them: the shortest text that means them, or, as they
/// all did once, seventeen digits behind the point without the zeros at the end.
pub(super) fn coordinates(ctx: &Ctx<'_>, point: Point) -> Reply {
    let release = ctx.release();
    let shortest = release.family == Family::Redis && release.has_redis(8, 0);
    let coordinate = |degrees: f64| match shortest {
        true => Reply::Double(degrees),
        false => {
            let text = format!("{degrees:.17}");
            let text = text.trim_end_matches('0').trim_end_matches('.');
            Reply::Number(if text == "-0" { b"0".to_vec() } else { text.into() })
        }
    };
    Reply::Array(vec![coordinate(point.lon), coordinate(point.lat)])
}

/// A distance as this server answers it: four digits behind the point, rounded as a whole number of
/// ten-thousandths since 7.2, before that as `printf` does.
pub(super) fn distance(ctx: &Ctx<'_>, distance: f64) -> Reply {
    let text = match ctx.release().has_redis(7, 2) {
        true => {
            let parts = c_i64((distance * 10_000.0).round_ties_even());
            format!("{}.{:04}", parts / 10_000, (parts % 10_000).unsigned_abs())
        }
        false => format!("{distance:.4}"),
    };
    Reply::bulk(text)
}

/// `GEODIST key member member [unit]`
fn geodist(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let metres = match argv.get(4..).unwrap_or_default() {
        [] => 1.0,
        [word] => unit(word)?,
        _ => return Err(Failure::SYNTAX),
    };
    let zset = ctx.read::<Zset>(argv[1])?;
    let place = |member| zset.and_then(|zset| zset.score(member)).map(Point::of_score);
    Ok(match (place(argv[2]), place(argv[3])) {
        (Some(a), Some(b)) => distance(ctx, a.distance(b) / metres),
        _ => Reply::Nil,
    })
}
