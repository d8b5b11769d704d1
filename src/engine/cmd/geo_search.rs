//! Geo: places in a circle, a box or a polygon, to show and to store.

use super::geo::{coordinates, distance, point, unit};
use super::zset_range::store;
use crate::encoding::number::MAX_I64_TEXT;
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::geohash::{Point, Search, Shape, c_i64};
use crate::engine::reply::Reply;
use crate::value::{DataType, Zset};

pub(super) const COMMANDS: &[Command] = &[
    cmd("geosearch", -7, READONLY, Keys::ONE, Since::both(6, 2), geosearch),
    cmd("geosearchstore", -8, WRITE | DENYOOM, Keys::TWO, Since::both(6, 2), geosearchstore),
    cmd("georadius", -6, WRITE | DENYOOM, RADIUS_KEYS, Since::both(3, 2), georadius),
    cmd("georadius_ro", -6, READONLY, Keys::ONE, Since::both(3, 2), georadius_ro),
    cmd("georadiusbymember", -5, WRITE | DENYOOM, RADIUS_KEYS, Since::both(3, 2), bymember),
    cmd("georadiusbymember_ro", -5, READONLY, Keys::ONE, Since::both(3, 2), bymember_ro),
];

/// The first argument, and the one behind the last STORE or STOREDIST.
const RADIUS_KEYS: Keys = Keys::Find(|argv| {
    let is_store = |arg: &&[u8]| args::is(arg, "store") || args::is(arg, "storedist");
    let options = argv.get(5..argv.len().saturating_sub(1)).unwrap_or_default();
    let at = options.iter().rposition(is_store).map(|at| at + 6);
    std::iter::once(1).chain(at).collect()
});

/// Which of these commands it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Search,
    SearchStore,
    /// GEORADIUS …
    Radius,
    /// … with no STORE.
    RadiusRo,
    /// GEORADIUSBYMEMBER …
    ByMember,
    /// … with no STORE.
    ByMemberRo,
}

/// Where a search gets its centre from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Member,
    Place,
}

/// A search as a command asks for it.
#[derive(Debug, Default)]
struct Wanted<'a> {
    from: Option<From>,
    center: Option<Point>,
    /// What is searched, and the metres of the unit it is measured in.
    shape: Option<(Shape, f64)>,
    with_dist: bool,
    with_hash: bool,
    with_coord: bool,
    /// ASC (`true`) or DESC.
    ascending: Option<bool>,
    count: Option<usize>,
    any: bool,
    store: Option<&'a [u8]>,
    store_dist: bool,
}

impl<'a> Wanted<'a> {
    fn parse(ctx: &mut Ctx<'_>, argv: &'a [&'a [u8]], kind: Kind) -> Result<Wanted<'a>, Failure> {
        let key = argv[if kind == Kind::SearchStore { 2 } else { 1 }];
        let there = ctx.read::<Zset>(key)?.is_some();
        let mut wanted = Wanted::default();
        let mut args = match kind {
            Kind::Search => Args::from(argv, 2),
            Kind::SearchStore => {
                wanted.store = Some(argv[1]);
                Args::from(argv, 3)
            }
            Kind::Radius | Kind::RadiusRo => {
                wanted.center = Some(point(ctx, argv[2], argv[3])?);
                wanted.shape = Some(circle(ctx, argv[4], argv[5])?);
                Args::from(argv, 6)
            }
            Kind::ByMember | Kind::ByMemberRo => {
                // Without a key, nothing of this is looked at.
                if there {
                    wanted.center = Some(place_of(ctx, key, argv[2])?);
                    wanted.shape = Some(circle(ctx, argv[3], argv[4])?);
                }
                Args::from(argv, 5)
            }
        };
        while let Some(word) = args.next() {
            let known = wanted.show_option(word, &mut args)?
                || match kind {
                    Kind::Search => wanted.search_option(ctx, word, &mut args, (key, there))?,
                    Kind::SearchStore if args::is(word, "storedist") => {
                        wanted.store_dist = true;
                        true
                    }
                    Kind::SearchStore => {
                        wanted.search_option(ctx, word, &mut args, (key, there))?
                    }
                    Kind::Radius | Kind::ByMember => wanted.store_option(word, &mut args),
                    Kind::RadiusRo | Kind::ByMemberRo => false,
                };
            if !known {
                return Err(Failure::SYNTAX);
            }
        }
        wanted.check(ctx, argv[0], kind)?;
        Ok(wanted)
    }

    /// Options of every command. Was it one?
    fn show_option(&mut self, word: &[u8], args: &mut Args<'a>) -> Result<bool, Failure> {
        if args::is(word, "withdist") {
            self.with_dist = true;
        } else if args::is(word, "withhash") {
            self.with_hash = true;
        } else if args::is(word, "withcoord") {
            self.with_coord = true;
        } else if args::is(word, "any") {
            self.any = true;
        } else if args::is(word, "asc") {
            self.ascending = Some(true);
        } else if args::is(word, "desc") {
            self.ascending = Some(false);
        } else if args::is(word, "count") && !args.is_empty() {
            let count = usize::try_from(args::int(args.value()?)?).ok().filter(|n| *n > 0);
            self.count = Some(count.ok_or_else(|| Failure::new("ERR COUNT must be > 0"))?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// STORE and STOREDIST of the older commands. Was it one?
    fn store_option(&mut self, word: &[u8], args: &mut Args<'a>) -> bool {
        let dist = args::is(word, "storedist");
        if args.is_empty() || !(dist || args::is(word, "store")) {
            return false;
        }
        (self.store, self.store_dist) = (args.next(), dist);
        true
    }

    /// FROM… and BY… of the newer commands: one of each kind, though that may come again. Was it one?
    fn search_option(
        &mut self,
        ctx: &mut Ctx<'_>,
        word: &[u8],
        args: &mut Args<'a>,
        (key, there): (&[u8], bool),
    ) -> Result<bool, Failure> {
        let shape = self.shape.as_ref().map(|(shape, _)| shape);
        let circles = matches!(shape, None | Some(Shape::Circle(_)));
        let boxes = matches!(shape, None | Some(Shape::Box(..)));
        let polygons = matches!(shape, None | Some(Shape::Polygon(_)));
        let other = |from: From| {
            self.from.is_some_and(|other| other != from) || matches!(shape, Some(Shape::Polygon(_)))
        };
        let taken = match args.rest() {
            [member, ..] if args::is(word, "frommember") && !other(From::Member) => {
                self.from = Some(From::Member);
                self.center = there.then(|| place_of(ctx, key, member)).transpose()?;
                1
            }
            [lon, lat, ..] if args::is(word, "fromlonlat") && !other(From::Place) => {
                self.from = Some(From::Place);
                self.center = Some(point(ctx, lon, lat)?);
                2
            }
            [radius, unit, ..] if circles && args::is(word, "byradius") => {
                self.shape = Some(circle(ctx, radius, unit)?);
                2
            }
            [width, height, unit, ..] if boxes && args::is(word, "bybox") => {
                self.shape = Some(rectangle(ctx, width, height, unit)?);
                3
            }
            [count, rest @ ..]
                if polygons
                    && self.from.is_none()
                    && !rest.is_empty()
                    && args::is(word, "bypolygon")
                    && ctx.release().has_valkey(9, 0) =>
            {
                let search = Search::in_polygon(polygon(ctx, count, rest)?);
                let Shape::Polygon(corners) = &search.shape else { return Ok(false) };
                let taken = 1 + corners.len() * 2;
                self.center = Some(search.center);
                self.shape = Some((search.shape, search.unit));
                taken
            }
            _ => return Ok(false),
        };
        args.several(taken)?;
        Ok(true)
    }

    /// Do the options go together, and is there all that is needed?
    fn check(&self, ctx: &Ctx<'_>, name: &[u8], kind: Kind) -> Result<(), Failure> {
        let searches = matches!(kind, Kind::Search | Kind::SearchStore);
        let polygon = matches!(self.shape, Some((Shape::Polygon(_), _)));
        let for_name = |text: &str| Failure::format(text, &[name]);
        if self.store.is_some() && (self.with_dist || self.with_hash || self.with_coord) {
            let what = match kind {
                Kind::SearchStore => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            };
            let text = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
            return Err(Failure::new(format!("ERR {what} {text}")));
        }
        if searches && self.from.is_none() && !polygon {
            let text = "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %s";
            return Err(for_name(text));
        }
        if searches && self.shape.is_none() {
            return Err(for_name(match ctx.release().has_valkey(9, 0) {
                true => "ERR exactly one of BYRADIUS, BYBOX and BYPOLYGON can be specified for %s",
                false => "ERR exactly one of BYRADIUS and BYBOX can be specified for %s",
            }));
        }
        if self.any && self.count.is_none() {
            return Err(Failure::new("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }
}

/// Where a member is.
fn place_of(ctx: &mut Ctx<'_>, key: &[u8], member: &[u8]) -> Result<Point, Failure> {
    let score = ctx.read::<Zset>(key)?.and_then(|zset| zset.score(member));
    score.map(Point::of_score).ok_or_else(|| match ctx.release().has_valkey(9, 0) {
        true => Failure::format("ERR member %s does not exist", &[member]),
        false => Failure::new("ERR could not decode requested zset member"),
    })
}

/// A number, with an error text of its own.
fn number(ctx: &Ctx<'_>, arg: &[u8], error: &str) -> Result<f64, Failure> {
    ctx.float(arg).map_err(|_| Failure::new(error))
}

fn circle(ctx: &Ctx<'_>, radius: &[u8], word: &[u8]) -> Result<(Shape, f64), Failure> {
    let radius = number(ctx, radius, "ERR need numeric radius")?;
    if radius < 0.0 {
        return Err(Failure::new("ERR radius cannot be negative"));
    }
    Ok((Shape::Circle(radius), unit(word)?))
}

fn rectangle(
    ctx: &Ctx<'_>,
    width: &[u8],
    height: &[u8],
    word: &[u8],
) -> Result<(Shape, f64), Failure> {
    let width = number(ctx, width, "ERR need numeric width")?;
    let height = number(ctx, height, "ERR need numeric height")?;
    if width < 0.0 || height < 0.0 {
        return Err(Failure::new("ERR height or width cannot be negative"));
    }
    Ok((Shape::Box(width, height), unit(word)?))
}

/// The corners of a polygon.
fn polygon(ctx: &Ctx<'_>, count: &[u8], rest: &[&[u8]]) -> Result<Vec<Point>, Failure> {
    let count = args::int32(count).map_err(|_| Failure::new("ERR invalid number of vertices"))?;
    let numbers = usize::try_from(count).ok().filter(|count| *count >= 3);
    let corners = numbers
        .and_then(|count| rest.get(..count * 2))
        .ok_or_else(|| Failure::new("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices"))?;
    let (corners, _) = corners.as_chunks::<2>();
    corners.iter().map(|[lon, lat]| point(ctx, lon, lat)).collect()
}

/// A place that was found.
#[derive(Debug)]
struct Found {
    member: Vec<u8>,
    score: f64,
    point: Point,
    /// In metres, later in the unit asked for.
    distance: f64,
}

/// Goes through the ranges of scores, until there are `enough`.
fn find(zset: &mut Zset, search: &Search, enough: usize) -> Vec<Found> {
    let mut found = Vec::new();
    for scores in search.scores() {
        if found.len() >= enough {
            break;
        }
        let ranks =
            zset.between(|_, score| score >= scores.start, |_, score| score < scores.end, false);
        zset.visit(ranks, false, |member, score| {
            let point = Point::of_score(score);
            if let Some(distance) = search.distance_inside(point) {
                let member = member.text(&mut [0; MAX_I64_TEXT]).to_vec();
                found.push(Found { member, score, point, distance });
            }
            found.len() < enough
        });
    }
    found
}

fn run(ctx: &mut Ctx<'_>, argv: &[&[u8]], kind: Kind) -> Outcome {
    let wanted = Wanted::parse(ctx, argv, kind)?;
    let key = argv[if kind == Kind::SearchStore { 2 } else { 1 }];
    let mut found = Vec::new();
    let count = wanted.count.unwrap_or(usize::MAX);
    if let (Some(center), Some((shape, unit))) = (wanted.center, wanted.shape.clone())
        && let Some(zset) = ctx.write::<Zset>(key)?
    {
        let enough = if wanted.any { count } else { usize::MAX };
        found = find(zset, &Search { center, shape, unit }, enough);
        // The nearest ones, if not all.
        let sorts = wanted.count.is_some() && !wanted.any;
        match wanted.ascending.or(sorts.then_some(true)) {
            Some(true) => found.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
            Some(false) => found.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
            None => {}
        }
        found.truncate(count);
        found.iter_mut().for_each(|found| found.distance /= unit);
    }
    match wanted.store {
        Some(key) => Ok(store_found(ctx, key, &found, wanted.store_dist)),
        None => Ok(Reply::Array(found.into_iter().map(|f| show(ctx, f, &wanted)).collect())),
    }
}

fn store_found(ctx: &mut Ctx<'_>, key: &[u8], found: &[Found], distances: bool) -> Reply {
    let limits = ctx.limits();
    let mut result = Zset::default();
    result.unfold();
    for found in found {
        let score = if distances { found.distance } else { found.score };
        result.insert(&found.member, score, &limits);
    }
    result.fold(&limits);
    let len = result.len();
    let reply = store(ctx, key, result);
    if len > 1 {
        // Servers count each place as a change.
        ctx.changed(key, len - 1);
    }
    reply
}

/// The member alone, or with all that was asked for.
fn show(ctx: &Ctx<'_>, found: Found, wanted: &Wanted<'_>) -> Reply {
    let member = Reply::Bulk(found.member);
    if !(wanted.with_dist || wanted.with_hash || wanted.with_coord) {
        return member;
    }
    let mut all = vec![member];
    all.extend(wanted.with_dist.then(|| distance(ctx, found.distance)));
    all.extend(wanted.with_hash.then(|| Reply::Int(c_i64(found.score))));
    all.extend(wanted.with_coord.then(|| coordinates(ctx, found.point)));
    Reply::Array(all)
}

fn geosearch(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run(ctx, argv, Kind::Search)
}

fn geosearchstore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run(ctx, argv, Kind::SearchStore)
}

fn georadius(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run(ctx, argv, Kind::Radius)
}

fn georadius_ro(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run(ctx, argv, Kind::RadiusRo)
}

fn bymember(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run(ctx, argv, Kind::ByMember)
}

fn bymember_ro(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    run(ctx, argv, Kind::ByMemberRo)
}
