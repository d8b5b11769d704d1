//! One script from its code to its reply.

use std::cell::RefCell;

use mlua::{Function, Lua, MultiValue, Value};

use super::convert::{Room, failure_to_lua, to_lua, to_reply};
use super::library::Raised;
use super::{sha1hex, vm};
use crate::encoding::number::double_17g;
use crate::engine::command::{self, flag};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::release::Family;
use crate::engine::reply::{Reply, double_text};
use crate::engine::session::Session;
use crate::value::digest::ScoreText;

/// A script with what it is given.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    /// The code.
    pub code: &'a [u8],
    /// `KEYS`
    pub keys: &'a [&'a [u8]],
    /// `ARGV`
    pub args: &'a [&'a [u8]],
    /// It may not write.
    pub read_only: bool,
}

/// Commands whose answers have no order; up to 4.0 scripts got them sorted.
const SORTED: [&str; 7] = ["sinter", "sunion", "sdiff", "smembers", "hkeys", "hvals", "keys"];

/// Runs a script.
///
/// # Errors
/// Its own, with the line, as 7.0 words them; [`Failure::unsupported`] if this engine cannot do what it
/// asks for, or it went over a budget.
pub fn run(ctx: &mut Ctx<'_>, script: Script<'_>) -> Outcome {
    let name = sha1hex(script.code);
    let (code, read_only) = match ctx.release().has_redis(7, 0) {
        true => shebang(script.code)?,
        false => (script.code, false),
    };
    vm::with(|vm| {
        vm.begin(ctx.release().has_redis(7, 0));
        vm.state.json.set(ctx.engine.scripts.cjson);
        let function = vm.compile(&name, code)?;
        let broken = |error: mlua::Error| Failure::unsupported(&error.to_string());
        let calls = RefCell::new(Calls {
            session: Session::new(),
            read_only: read_only || script.read_only,
            // Up to 4.0 a log has the script, and running it again has to do the same.
            exact: !ctx.release().has_redis(5, 0),
            was_random: false,
        });
        calls.borrow_mut().session.select(ctx.session.db());
        let ctx = RefCell::new(ctx);
        let invoke = |lua: &Lua, args: &MultiValue| {
            let mut calls = calls.borrow_mut();
            calls.exact &= !vm.state.effects.get();
            match calls.call(&mut ctx.borrow_mut(), args) {
                Ok(Reply::Error(failure)) | Err(failure) => Ok(Err(failure)),
                Ok(reply) => to_lua(lua, &reply, vm.state.resp.get()).map(Ok),
            }
        };
        let result = vm.lua.scope(|scope| {
            let redis: mlua::Table = vm.given.raw_get("redis")?;
            let call = scope.create_function(|lua, args: MultiValue| {
                let raised = |failure: Failure| Raised(failure.as_bytes().to_vec());
                invoke(lua, &args)?.map_err(|failure| mlua::Error::external(raised(failure)))
            })?;
            let pcall =
                scope.create_function(|lua, args: MultiValue| match invoke(lua, &args)? {
                    Ok(value) => Ok(value),
                    Err(failure) => failure_to_lua(lua, &failure),
                })?;
            redis.raw_set("call", call)?;
            redis.raw_set("pcall", pcall)?;
            let result = execute(&vm.lua, vm, &function, script);
            redis.raw_set("call", Value::Nil)?;
            redis.raw_set("pcall", Value::Nil)?;
            result
        });
        ctx.borrow_mut().engine.scripts.cjson = vm.state.json.get();
        if let Some(why) = vm.state.stopped() {
            return Err(Failure::unsupported(&why));
        }
        match result.map_err(broken)? {
            Ok(value) => to_reply(&value, vm.state.resp.get(), 0, &mut Room::new()),
            Err(error) => Err(raised(&error, &name, vm.state.line.get())),
        }
    })
}

/// Calls the script's function: what it gives back, or the error it ends with.
fn execute(
    lua: &Lua,
    vm: &vm::Vm,
    function: &Function,
    script: Script<'_>,
) -> mlua::Result<Result<Value, Value>> {
    let list = |items: &[&[u8]]| {
        let items =
            items.iter().map(|item| lua.create_string(item)).collect::<mlua::Result<Vec<_>>>();
        lua.create_sequence_from(items?)
    };
    let own: mlua::Table = vm.surroundings.call((list(script.keys)?, list(script.args)?))?;
    function.set_environment(own)?;
    let (done, value): (bool, Value) = vm.guarded.call(function)?;
    Ok(if done { Ok(value) } else { Err(value) })
}

/// The reply to an error that a script did not catch.
fn raised(error: &Value, name: &str, line: usize) -> Failure {
    let text = match error {
        Value::Table(table) => match table.raw_get::<Value>("err") {
            Ok(Value::String(text)) => text.as_bytes().to_vec(),
            _ => b"ERR unknown error".to_vec(),
        },
        Value::String(text) => [b"ERR ", &*text.as_bytes()].concat(),
        Value::Error(error) => match &**error {
            error @ mlua::Error::MemoryError(_) => return Failure::unsupported(&error.to_string()),
            error => match error.downcast_ref::<Raised>() {
                Some(Raised(text)) => text.clone(),
                None => format!("ERR {error}").into_bytes(),
            },
        },
        _ => b"ERR unknown error".to_vec(),
    };
    let place = format!(" script: {name}, on @{}:{line}.", vm::CHUNK);
    Failure::new([text, place.into_bytes()].concat())
}

/// The code without its first line if that is `#!lua flags=…` (7.0), and whether it may not write. The line's
/// end stays, so that lines keep their numbers.
fn shebang(code: &[u8]) -> Result<(&[u8], bool), Failure> {
    if !code.starts_with(b"#!") {
        return Ok((code, false));
    }
    let end = code.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| Failure::new("ERR Invalid script shebang"))?;
    let (line, rest) = code.split_at(end);
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let engine = words.next().unwrap_or_default();
    if engine != b"#!lua" {
        return Err(Failure::format("ERR Unexpected engine in script shebang: %s", &[engine]));
    }
    let mut read_only = false;
    for word in words {
        let Some(flags) = word.strip_prefix(b"flags=") else {
            return Err(Failure::format("ERR Unknown lua shebang option: %s", &[word]));
        };
        for flag in flags.split(|byte| *byte == b',') {
            match flag {
                b"no-writes" => read_only = true,
                b"allow-oom" | b"allow-stale" | b"no-cluster" | b"allow-cross-slot-keys" | b"" => {}
                _ => {
                    return Err(Failure::format(
                        "ERR Unexpected flag in script shebang: %s",
                        &[flag],
                    ));
                }
            }
        }
    }
    Ok((rest, read_only))
}

/// What a script's calls share.
#[derive(Debug)]
struct Calls {
    session: Session,
    read_only: bool,
    /// Must running it again do the same?
    exact: bool,
    /// A command was called whose answer is left to chance.
    was_random: bool,
}

impl Calls {
    /// `redis.call`
    fn call(&mut self, ctx: &mut Ctx<'_>, args: &MultiValue) -> Outcome {
        let fail = |text: &str| Err(Failure::new(format!("ERR {text}")));
        let release = ctx.release();
        if args.is_empty() {
            return fail("Please specify at least one argument for this redis lib call");
        }
        let argv: Option<Vec<Vec<u8>>> = args.iter().map(|value| argument(ctx, value)).collect();
        let Some(argv) = argv else {
            return fail("Lua redis lib command arguments must be strings or integers");
        };
        let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
        let is_known = |name: &[u8]| command::all().any(|row| args_is(name, row.name));
        let row = match command::resolve(&argv) {
            Ok(row) => row,
            Err(_) if is_known(argv[0]) => {
                return fail("Wrong number of args calling Redis command from script");
            }
            Err(_) if release.family == Family::Valkey => {
                return fail("Unknown command called from script");
            }
            Err(_) => return fail("Unknown Redis command called from script"),
        };
        // Since 7.2 BLPOP and its kin may be called, and do not wait.
        let blocks = row.name.starts_with('b') && release.has_redis(7, 2);
        if row.is(flag::NOSCRIPT) && !blocks {
            return fail("This Redis command is not allowed from script");
        }
        if row.is(flag::WRITE) && self.read_only {
            return fail("Write commands are not allowed from read-only scripts.");
        }
        if row.is(flag::WRITE) && self.exact && self.was_random {
            return fail(
                "Write commands not allowed after non deterministic commands. Call \
                 redis.replicate_commands() at the start of your script in order to switch to \
                 single commands replication mode.",
            );
        }
        self.was_random |= row.is(flag::RANDOM);
        let mut reply = ctx.engine.call(&mut self.session, row, &argv);
        if let Reply::Array(items) | Reply::Set(items) = &mut reply
            && self.exact
            && SORTED.contains(&row.name)
        {
            items.sort_by(|a, b| match (a, b) {
                (Reply::Bulk(a), Reply::Bulk(b)) => a.cmp(b),
                _ => std::cmp::Ordering::Equal,
            });
        }
        Ok(reply)
    }
}

fn args_is(name: &[u8], row: &str) -> bool {
    name.eq_ignore_ascii_case(row.as_bytes())
}

/// An argument of `redis.call`: a text, or a number as this server writes a score.
fn argument(ctx: &Ctx<'_>, value: &Value) -> Option<Vec<u8>> {
    let number = match value {
        Value::String(text) => return Some(text.as_bytes().to_vec()),
        Value::Integer(number) => *number as f64,
        Value::Number(number) => *number,
        _ => return None,
    };
    let mut text = Vec::new();
    match ctx.release().score_text() {
        ScoreText::Grisu => double_text(number, &mut text),
        ScoreText::Legacy17g => double_17g(number, &mut text),
    }
    Some(text)
}
