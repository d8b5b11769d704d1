//! What Rust gives a script's surroundings: `redis`, the libraries of the servers, numbers by chance, budgets.
//! The prelude puts them where scripts look.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::random::Random;
use super::vm::{CHUNK, State};
use super::{cjson, msgpack, packing, sha1hex};
use crate::engine::reply::Resp;

/// Steps that matching a pattern may take, at worst.
const PATTERN: f64 = 1e9;

/// An error that a script may catch: the text is the server's.
#[derive(Debug)]
pub(super) struct Raised(pub(super) Vec<u8>);

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl std::error::Error for Raised {}

/// An error without a place.
pub(super) fn raise(text: &str) -> mlua::Error {
    mlua::Error::external(Raised(format!("ERR {text}").into_bytes()))
}

/// An error that begins with the place in the script.
pub(super) fn raise_here(lua: &Lua, text: &str) -> mlua::Error {
    let line = line_of_script(lua, 1);
    mlua::Error::external(Raised(format!("ERR {CHUNK}:{line}: {text}").into_bytes()))
}

/// The innermost line of the script itself.
fn line_of_script(lua: &Lua, from: usize) -> usize {
    let lines = (from..).map_while(|level| {
        lua.inspect_stack(level, |debug| {
            let ours = debug.source().short_src.as_deref() == Some(CHUNK);
            debug.current_line().filter(|_| ours)
        })
    });
    lines.flatten().next().unwrap_or(0)
}

/// What a script that catches an error gets: of one that has a text, the text.
fn caught(lua: &Lua, error: &Value) -> Result<Value> {
    let text = match error {
        Value::Error(error) => match error.downcast_ref::<Raised>() {
            Some(Raised(text)) => text.clone(),
            None => error.to_string().into_bytes(),
        },
        Value::Table(table) => match table.raw_get::<Value>("err")? {
            Value::String(text) => return Ok(Value::String(text)),
            _ => return Ok(error.clone()),
        },
        other => return Ok(other.clone()),
    };
    Ok(Value::String(lua.create_string(text)?))
}

/// What Rust gives the prelude.
pub(super) fn given(lua: &Lua, state: &Rc<State>) -> Result<Table> {
    let given = lua.create_table()?;
    let of = |state: &Rc<State>| Rc::clone(state);
    let shared = of(state);
    given.set(
        "checked",
        lua.create_function(move |lua, mut all: MultiValue| {
            shared.check()?;
            if let (Some(Value::Boolean(false)), Some(error)) =
                (all.front().cloned(), all.get_mut(1))
            {
                *error = caught(lua, error)?;
            }
            Ok(all)
        })?,
    )?;
    let shared = of(state);
    given.set(
        "weigh",
        lua.create_function(move |_, (text, pattern): (Value, Value)| {
            match weight(&text, &pattern) > PATTERN {
                true => Err(shared.stop("a pattern that takes so long")),
                false => Ok(()),
            }
        })?,
    )?;
    let shared = of(state);
    given.set(
        "no_new_global",
        lua.create_function(move |_, name: mlua::LuaString| {
            Ok(match shared.newer.get() {
                true => "Attempt to modify a readonly table".to_owned(),
                false => format!("Script attempted to create global variable '{}'", name.display()),
            })
        })?,
    )?;
    let shared = of(state);
    given.set(
        "handler",
        lua.create_function(move |lua, error: Value| {
            shared.line.set(line_of_script(lua, 1));
            Ok(error)
        })?,
    )?;
    let shared = of(state);
    given.set(
        "random",
        lua.create_function(move |_, args: MultiValue| random(&shared.random, &args))?,
    )?;
    let shared = of(state);
    given.set(
        "randomseed",
        lua.create_function(move |_, seed: f64| {
            shared.random.seed(seed as i64 as i32);
            Ok(())
        })?,
    )?;
    given.set("redis", redis(lua, state)?)?;
    given.set("cjson", cjson::library(lua, &state.json)?)?;
    given.set("struct", packing::library(lua)?)?;
    given.set("cmsgpack", msgpack::library(lua)?)?;
    given.set("bit", bits(lua)?)?;
    Ok(given)
}

/// The most steps that matching may take: each repetition in a pattern tries all that it can.
fn weight(text: &Value, pattern: &Value) -> f64 {
    let len = |value: &Value| match value {
        Value::String(text) => text.as_bytes().len(),
        _ => 0,
    };
    let Value::String(pattern) = pattern else { return 0.0 };
    let repetitions =
        pattern.as_bytes().iter().filter(|byte| matches!(byte, b'*' | b'+' | b'-' | b'?')).count();
    // One more for where a match begins: combinations of places with repetition.
    (1..=repetitions + 1).map(|n| (len(text) + n) as f64 / n as f64).product()
}

/// `math.random`
fn random(random: &Random, args: &MultiValue) -> Result<f64> {
    let number = |value: &Value| match value {
        Value::Integer(number) => Ok(*number as f64),
        Value::Number(number) => Ok(number.trunc()),
        _ => Err(mlua::Error::runtime("bad argument to 'random' (number expected)")),
    };
    let args: Vec<f64> = args.iter().map(number).collect::<Result<_>>()?;
    let chance = random.next();
    let (low, high) = match args[..] {
        [] => return Ok(chance),
        [high] => (1.0, high),
        [low, high] => (low, high),
        _ => return Err(mlua::Error::runtime("wrong number of arguments")),
    };
    match low <= high {
        true => Ok((chance * (high - low + 1.0)).floor() + low),
        false => Err(mlua::Error::runtime("bad argument to 'random' (interval is empty)")),
    }
}

/// `redis` but for `call` and `pcall`, which are another in each run.
fn redis(lua: &Lua, state: &Rc<State>) -> Result<Table> {
    let redis = lua.create_table()?;
    let numbers = [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
    ];
    for (name, number) in numbers {
        redis.set(name, number)?;
    }
    let single = |name: &'static str| {
        lua.create_function(move |lua, text: mlua::LuaString| {
            let table = lua.create_table()?;
            let text = text.as_bytes();
            // An error has a code; without a blank it has none.
            let text = match text.strip_prefix(b"-").unwrap_or(&text) {
                text if name == "err" && !text.contains(&b' ') => [b"ERR ", text].concat(),
                text if name == "err" => text.to_vec(),
                _ => text.to_vec(),
            };
            table.raw_set(name, lua.create_string(text)?)?;
            Ok(table)
        })
    };
    redis.set("error_reply", single("err")?)?;
    redis.set("status_reply", single("ok")?)?;
    redis.set(
        "sha1hex",
        lua.create_function(move |lua, args: MultiValue| {
            match args.iter().collect::<Vec<_>>()[..] {
                [text] => {
                    let text = lua.coerce_string(text.clone())?;
                    let name = sha1hex(
                        text.as_ref().map(|text| text.as_bytes()).as_deref().unwrap_or(&[]),
                    );
                    lua.create_string(name)
                }
                _ => Err(raise("wrong number of arguments")),
            }
        })?,
    )?;
    redis.set(
        "log",
        lua.create_function(move |_, args: MultiValue| match args.len() {
            0 | 1 => Err(raise("redis.log() requires two arguments or more.")),
            _ => Ok(()),
        })?,
    )?;
    let shared = Rc::clone(state);
    redis.set(
        "setresp",
        lua.create_function(move |_, version: i64| {
            shared.resp.set(match version {
                2 => Resp::V2,
                3 => Resp::V3,
                _ => return Err(raise("RESP version must be 2 or 3.")),
            });
            Ok(())
        })?,
    )?;
    redis.set(
        "set_repl",
        lua.create_function(move |_, flags: i64| match flags {
            0..=3 => Ok(()),
            _ => Err(raise(
                "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
            )),
        })?,
    )?;
    let shared = Rc::clone(state);
    redis.set(
        "replicate_commands",
        lua.create_function(move |_, ()| {
            shared.effects.set(true);
            Ok(true)
        })?,
    )?;
    redis.set("breakpoint", lua.create_function(|_, ()| Ok(false))?)?;
    redis.set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    Ok(redis)
}

/// The library `bit`: numbers are taken modulo 2³², answers are signed.
fn bits(lua: &Lua) -> Result<Table> {
    let bit = lua.create_table()?;
    let low = |number: f64| (number.round_ties_even() % 4_294_967_296.0) as i64 as u32;
    let answer = |number: u32| f64::from(number as i32);
    type Fold = fn(u32, u32) -> u32;
    let folds: [(&str, Fold); 3] =
        [("band", |a, b| a & b), ("bor", |a, b| a | b), ("bxor", |a, b| a ^ b)];
    for (name, fold) in folds {
        bit.set(
            name,
            lua.create_function(move |_, (first, rest): (f64, mlua::Variadic<f64>)| {
                Ok(answer(rest.iter().fold(low(first), |sum, next| fold(sum, low(*next)))))
            })?,
        )?;
    }
    let shifts: [(&str, Fold); 5] = [
        ("lshift", |a, n| a << (n & 31)),
        ("rshift", |a, n| a >> (n & 31)),
        ("arshift", |a, n| ((a as i32) >> (n & 31)) as u32),
        ("rol", |a, n| a.rotate_left(n & 31)),
        ("ror", |a, n| a.rotate_right(n & 31)),
    ];
    for (name, shift) in shifts {
        bit.set(
            name,
            lua.create_function(move |_, (a, n): (f64, f64)| Ok(answer(shift(low(a), low(n)))))?,
        )?;
    }
    type Single = fn(u32) -> u32;
    let singles: [(&str, Single); 3] =
        [("tobit", |a| a), ("bnot", |a| !a), ("bswap", u32::swap_bytes)];
    for (name, change) in singles {
        bit.set(name, lua.create_function(move |_, a: f64| Ok(answer(change(low(a)))))?)?;
    }
    bit.set(
        "tohex",
        lua.create_function(move |_, (a, digits): (f64, Option<f64>)| {
            let digits = digits.unwrap_or(8.0) as i32;
            let text = match digits < 0 {
                true => format!("{:08X}", low(a)),
                false => format!("{:08x}", low(a)),
            };
            let kept = usize::try_from(digits.unsigned_abs()).unwrap_or(8).min(8);
            Ok(text.get(8 - kept..).unwrap_or_default().to_owned())
        })?,
    )?;
    Ok(bit)
}
