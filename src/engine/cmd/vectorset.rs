//! Vector sets (Redis 8.0): what changes them, and what says what is in them. Searching is left out; so
//! are VEMB, VLINKS, VINFO and VRANDMEMBER, which show the graph or the server's rounding.

use crate::element::Quantization;
use crate::encoding::number::parse_i64;
use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::{Reply, Resp};
use crate::value::VectorSet;
use crate::value::vectorset::Shape;

const S: Since = Since::redis(8, 0);

pub(super) const COMMANDS: &[Command] = &[
    cmd("vadd", -5, WRITE | DENYOOM, Keys::ONE, S, vadd),
    cmd("vrem", 3, WRITE, Keys::ONE, S, vrem),
    cmd("vsetattr", 4, WRITE, Keys::ONE, S, vsetattr),
    cmd("vgetattr", 3, READONLY, Keys::ONE, S, vgetattr),
    cmd("vcard", 2, READONLY, Keys::ONE, S, vcard),
    cmd("vdim", 2, READONLY, Keys::ONE, S, vdim),
    cmd("vismember", 3, READONLY, Keys::ONE, Since::redis(8, 2), vismember),
];

/// Most dimensions a vector may have.
const MAX_DIMENSION: i64 = 65_536;
/// Links of a node in the graph, if nothing is said.
const DEFAULT_M: u16 = 16;

fn flag(ctx: &Ctx<'_>, yes: bool) -> Reply {
    match ctx.session.resp {
        Resp::V2 => Reply::flag(yes),
        Resp::V3 => Reply::Bool(yes),
    }
}

/// What VADD was given.
struct Add<'a> {
    vector: Vec<f32>,
    reduce_to: Option<usize>,
    name: &'a [u8],
    attributes: Option<&'a [u8]>,
    quantization: Quantization,
    m: u16,
}

/// `VADD key [REDUCE dim] FP32 blob | VALUES n number … element [CAS] [NOQUANT | Q8 | BIN] [EF n]
/// [SETATTR attributes] [M n]`
fn vadd(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let add = parse(argv)?;
    ctx.check_memory(add.vector.len().saturating_mul(5))?;
    let shape = match ctx.read::<VectorSet>(argv[1])? {
        Some(set) => checked(set.shape(), &add)?,
        None => Shape {
            dimension: add.reduce_to.unwrap_or(add.vector.len()),
            quantization: add.quantization,
            m: add.m,
            reduced_from: add.reduce_to.map(|_| add.vector.len()),
        },
    };
    if !ctx.exists(argv[1]) {
        ctx.set(argv[1], VectorSet::new(shape));
    }
    let set = ctx.write_or_create::<VectorSet>(argv[1])?;
    let new = set.add(add.name, &add.vector, add.attributes);
    ctx.changed(argv[1], 1);
    Ok(flag(ctx, new))
}

fn parse<'a>(argv: &'a [&'a [u8]]) -> Result<Add<'a>, Failure> {
    let mut args = Args::from(argv, 2);
    let invalid = || Failure::new("ERR invalid vector specification");
    let number = |arg: Option<&[u8]>| {
        let number = arg.and_then(parse_i64).filter(|n| (1..=MAX_DIMENSION).contains(n));
        number.and_then(|number| usize::try_from(number).ok()).ok_or_else(invalid)
    };
    let reduce_to = match args.accept("reduce") {
        true => Some(number(args.next())?),
        false => None,
    };
    let vector = if args.accept("fp32") {
        let blob = args.next().filter(|blob| !blob.is_empty()).ok_or_else(invalid)?;
        let (parts, []) = blob.as_chunks::<4>() else { return Err(invalid()) };
        number(Some(parts.len().to_string().as_bytes()))?;
        parts.iter().map(|part| f32::from_le_bytes(*part)).collect()
    } else if args.accept("values") {
        let count = number(args.next())?;
        let parts = args.several(count).map_err(|_| invalid())?;
        let read = |arg: &&[u8]| Some(args::float(arg).ok()? as f32);
        parts.iter().map(read).collect::<Option<Vec<f32>>>().ok_or_else(invalid)?
    } else {
        return Err(invalid());
    };
    let name = args.next().ok_or_else(|| Failure::arity("VADD"))?;
    let quantization = Quantization::Int8;
    let mut add = Add { vector, reduce_to, name, attributes: None, quantization, m: DEFAULT_M };
    options(&mut add, args)?;
    Ok(add)
}

fn options<'a>(add: &mut Add<'a>, mut args: Args<'a>) -> Result<(), Failure> {
    while let Some(word) = args.next() {
        let is = |name| args::is(word, name);
        let in_range = |arg: &[u8], min, max, error| {
            let number = parse_i64(arg).filter(|number| (min..=max).contains(number));
            number.ok_or_else(|| Failure::new(error))
        };
        if is("cas") {
            // Whether the server works in a thread makes no difference here.
        } else if is("noquant") {
            add.quantization = Quantization::F32;
        } else if is("q8") {
            add.quantization = Quantization::Int8;
        } else if is("bin") {
            add.quantization = Quantization::Binary;
        } else if is("ef") && !args.is_empty() {
            in_range(args.value()?, 1, 1_000_000, "ERR invalid EF")?;
        } else if is("m") && !args.is_empty() {
            let m = in_range(args.value()?, 4, 4096, "ERR invalid M")?;
            add.m = u16::try_from(m).unwrap_or(DEFAULT_M);
        } else if is("setattr") && !args.is_empty() {
            add.attributes = Some(args.value()?);
        } else {
            return Err(Failure::new("ERR invalid option after element"));
        }
    }
    Ok(())
}

/// The shape of a set, if what is to be added fits it.
fn checked(shape: Shape, add: &Add<'_>) -> Result<Shape, Failure> {
    let fail = |text: String| Err(Failure::new(text));
    if shape.quantization != add.quantization {
        return fail("ERR asked quantization mismatch with existing vector set".into());
    }
    if add.m != shape.m {
        return fail("ERR asked M value mismatch with existing vector set".into());
    }
    let (dimension, given) = (shape.dimension, add.vector.len());
    let fits = match shape.reduced_from {
        None => add.reduce_to.is_none() && given == dimension,
        Some(_) => add.reduce_to == Some(dimension),
    };
    match shape.reduced_from {
        _ if !fits => {
            fail(format!("ERR Vector dimension mismatch - got {given} but set has {dimension}"))
        }
        Some(from) if from != given => fail(format!(
            "ERR Input dimension mismatch for projection - got {given} but projection expects {from}"
        )),
        _ => Ok(shape),
    }
}

fn vrem(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let set = ctx.write::<VectorSet>(argv[1])?;
    let gone = set.is_some_and(|set| set.remove(argv[2]));
    if gone {
        ctx.drop_if_empty(argv[1]);
        ctx.changed(argv[1], 1);
    }
    Ok(flag(ctx, gone))
}

fn vsetattr(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let set = ctx.write::<VectorSet>(argv[1])?;
    let done = set.is_some_and(|set| set.set_attributes(argv[2], argv[3]));
    if done {
        ctx.changed(argv[1], 1);
    }
    Ok(flag(ctx, done))
}

fn vgetattr(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let set = ctx.read::<VectorSet>(argv[1])?;
    let attributes = set.and_then(|set| set.get(argv[2])?.attributes());
    Ok(attributes.map_or(Reply::Nil, Reply::bulk))
}

fn vcard(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Ok(Reply::count(ctx.read::<VectorSet>(argv[1])?.map_or(0, |set| set.iter().len())))
}

fn vdim(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let set = ctx.read::<VectorSet>(argv[1])?;
    let set = set.ok_or_else(|| Failure::new("ERR key does not exist"))?;
    Ok(Reply::count(set.shape().dimension))
}

fn vismember(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let is = ctx.read::<VectorSet>(argv[1])?.is_some_and(|set| set.get(argv[2]).is_some());
    Ok(flag(ctx, is))
}
