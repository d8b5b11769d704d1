//! Replies as Lua values, and Lua values as replies.
//!
//! ```text
//! reply     RESP2                 RESP3 (after redis.setresp)
//! Simple    {ok=…}                {ok=…}
//! Error     {err=…}               {err=…}
//! Int       number                number
//! Bulk      string                string
//! Nil       false                 nil
//! Array     list                  list
//! Map       list of both          {map={…}}
//! Set       list                  {set={…=true}}
//! Double    string                {double=…}
//! Bool      number                true, false
//! ```

use mlua::{Lua, Result, Table, Value};

use crate::engine::failure::Failure;
use crate::engine::reply::{Reply, Resp};
use crate::limits;

/// Tables within tables that a script may answer.
const DEPTH: usize = 200;

/// A reply as a script gets it.
pub(super) fn to_lua(lua: &Lua, reply: &Reply, resp: Resp) -> Result<Value> {
    let v3 = resp == Resp::V3;
    let text = |bytes: &[u8]| Ok(Value::String(lua.create_string(bytes)?));
    let list = |items: &mut dyn Iterator<Item = &Reply>| {
        let table = lua.create_table()?;
        for (at, item) in items.enumerate() {
            // Past a nil a list goes on: its place stays empty.
            table.raw_set(at + 1, to_lua(lua, item, resp)?)?;
        }
        Ok(Value::Table(table))
    };
    let field = |name: &str, value: Value| {
        let table = lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    };
    match reply {
        Reply::Simple(word) => field("ok", text(word.as_bytes())?),
        Reply::Word(word) => field("ok", text(word.as_bytes())?),
        Reply::Error(failure) => failure_to_lua(lua, failure),
        Reply::Int(number) => Ok(Value::Number(*number as f64)),
        Reply::Bulk(bytes) => text(bytes),
        Reply::Nil | Reply::NilArray if v3 => Ok(Value::Nil),
        Reply::Nil | Reply::NilArray => Ok(Value::Boolean(false)),
        Reply::Set(items) if v3 => {
            let table = lua.create_table()?;
            for item in items {
                table.raw_set(to_lua(lua, item, resp)?, true)?;
            }
            field("set", Value::Table(table))
        }
        Reply::Array(items) | Reply::Set(items) => list(&mut items.iter()),
        Reply::Map(pairs) if v3 => {
            let table = lua.create_table()?;
            for (name, value) in pairs {
                table.raw_set(to_lua(lua, name, resp)?, to_lua(lua, value, resp)?)?;
            }
            field("map", Value::Table(table))
        }
        Reply::Pairs(pairs) if v3 => {
            let pairs: Vec<_> =
                pairs.iter().map(|(a, b)| Reply::Array(vec![a.clone(), b.clone()])).collect();
            list(&mut pairs.iter())
        }
        Reply::Map(pairs) | Reply::Pairs(pairs) => {
            list(&mut pairs.iter().flat_map(|(name, value)| [name, value]))
        }
        Reply::Double(number) if v3 => field("double", Value::Number(*number)),
        Reply::Number(digits) if v3 => {
            let number = crate::encoding::number::parse_double(digits).unwrap_or(0.0);
            field("double", Value::Number(number))
        }
        Reply::Double(_) | Reply::Number(_) => {
            let mut wire = Vec::new();
            reply.write(Resp::V2, &mut wire);
            // A bulk string: `$len CR LF text CR LF`.
            let start = wire.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            text(wire.get(start..wire.len().saturating_sub(2)).unwrap_or_default())
        }
        Reply::Bool(yes) if v3 => Ok(Value::Boolean(*yes)),
        Reply::Bool(yes) => Ok(Value::Number(f64::from(u8::from(*yes)))),
        Reply::Verbatim(bytes) if v3 => {
            let table = lua.create_table()?;
            table.raw_set("string", lua.create_string(bytes)?)?;
            table.raw_set("format", "txt")?;
            field("verbatim_string", Value::Table(table))
        }
        Reply::Verbatim(bytes) => text(bytes),
    }
}

/// An error as a script gets it.
pub(super) fn failure_to_lua(lua: &Lua, failure: &Failure) -> Result<Value> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set("err", lua.create_string(failure.as_bytes())?)?;
    Ok(Value::Table(table))
}

/// How much more a script may answer.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Room {
    pub(super) fn new() -> Room {
        Room(limits::REPLY)
    }

    fn take(&mut self, bytes: usize) -> std::result::Result<(), Failure> {
        self.0 = self
            .0
            .checked_sub(bytes + size_of::<Reply>())
            .ok_or_else(|| Failure::unsupported("a script with so long an answer"))?;
        Ok(())
    }
}

/// What a script gives back, as a reply.
pub(super) fn to_reply(
    value: &Value,
    resp: Resp,
    depth: usize,
    room: &mut Room,
) -> std::result::Result<Reply, Failure> {
    room.take(0)?;
    Ok(match value {
        Value::Boolean(yes) if resp == Resp::V3 => Reply::Bool(*yes),
        Value::Boolean(true) => Reply::Int(1),
        Value::Integer(number) => Reply::Int(*number),
        Value::Number(number) => Reply::Int(truncate(*number)),
        Value::String(text) => {
            let bytes = text.as_bytes();
            room.take(bytes.len())?;
            Reply::bulk(&*bytes)
        }
        Value::Table(_) if depth >= DEPTH => {
            return Err(Failure::new("ERR reached lua stack limit"));
        }
        Value::Table(table) => table_to_reply(table, resp, depth, room)?,
        _ => Reply::Nil,
    })
}

fn table_to_reply(
    table: &Table,
    resp: Resp,
    depth: usize,
    room: &mut Room,
) -> std::result::Result<Reply, Failure> {
    let field = |name: &str| table.raw_get::<Value>(name).unwrap_or(Value::Nil);
    if let Value::String(text) = field("err") {
        let text = text.as_bytes();
        return Ok(Reply::Error(Failure::new(text.strip_prefix(b"-").unwrap_or(&text))));
    }
    if let Value::String(text) = field("ok") {
        let text = String::from_utf8_lossy(&text.as_bytes()).replace(['\r', '\n'], " ");
        return Ok(Reply::Word(text));
    }
    match field("double") {
        Value::Number(number) => return Ok(Reply::Double(number)),
        Value::Integer(number) => return Ok(Reply::Double(number as f64)),
        _ => {}
    }
    if let Value::Table(map) = field("map") {
        let mut pairs = Vec::new();
        for pair in map.pairs::<Value, Value>() {
            let (name, value) = pair.map_err(broken)?;
            pairs.push((
                to_reply(&name, resp, depth + 1, room)?,
                to_reply(&value, resp, depth + 1, room)?,
            ));
        }
        return Ok(Reply::Map(pairs));
    }
    if let Value::Table(set) = field("set") {
        let mut items = Vec::new();
        for pair in set.pairs::<Value, Value>() {
            items.push(to_reply(&pair.map_err(broken)?.0, resp, depth + 1, room)?);
        }
        return Ok(Reply::Set(items));
    }
    if let Value::String(number) = field("big_number") {
        return Ok(Reply::bulk(&*number.as_bytes()));
    }
    if let Value::Table(verbatim) = field("verbatim_string")
        && let Ok(Value::String(text)) = verbatim.raw_get::<Value>("string")
    {
        return Ok(Reply::Verbatim(text.as_bytes().to_vec()));
    }
    let mut items = Vec::new();
    for at in 1.. {
        match table.raw_get::<Value>(at).map_err(broken)? {
            Value::Nil => break,
            value => items.push(to_reply(&value, resp, depth + 1, room)?),
        }
    }
    Ok(Reply::Array(items))
}

fn broken(error: mlua::Error) -> Failure {
    Failure::new(format!("ERR {error}"))
}

/// As C cuts a number off on common processors: what does not fit is the lowest one.
fn truncate(number: f64) -> i64 {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    if fits { number as i64 } else { i64::MIN }
}
