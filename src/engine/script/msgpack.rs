//! `cmsgpack` for scripts: MessagePack as the servers' library writes it (the shortest form of a number;
//! a table is a list if its keys are 1 to n, and beyond 16 within each other it is nil) and reads it.

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::library::Raised;
use crate::limits;

/// Tables within tables that are written.
const NESTED: usize = 16;
/// Lists and maps within each other that are read: below what the server's stack holds.
const DEPTH: usize = 1000;
/// Values that a function can give back.
const RESULTS: usize = 7000;

/// The library.
pub(super) fn library(lua: &Lua) -> Result<Table> {
    let msgpack = lua.create_table()?;
    msgpack.set("pack", lua.create_function(pack)?)?;
    msgpack.set(
        "unpack",
        lua.create_function(|lua, data: mlua::LuaString| unpack(lua, &data.as_bytes(), None, 0.0))?,
    )?;
    msgpack.set(
        "unpack_one",
        lua.create_function(|lua, (data, offset): (mlua::LuaString, Option<f64>)| {
            unpack(lua, &data.as_bytes(), Some(1.0), offset.unwrap_or(0.0))
        })?,
    )?;
    msgpack.set(
        "unpack_limit",
        lua.create_function(|lua, (data, limit, offset): (mlua::LuaString, f64, Option<f64>)| {
            // Neither limit nor offset: all of it, as for unpack.
            let offset = offset.unwrap_or(0.0);
            let limit = Some(limit).filter(|limit| *limit != 0.0 || offset != 0.0);
            unpack(lua, &data.as_bytes(), limit, offset)
        })?,
    )?;
    Ok(msgpack)
}

fn wrong(text: &str) -> mlua::Error {
    mlua::Error::external(Raised(format!("ERR {text}").into_bytes()))
}

fn pack(lua: &Lua, args: MultiValue) -> Result<mlua::LuaString> {
    if args.is_empty() {
        return Err(wrong("bad argument #0 to 'pack' (MessagePack pack needs input.)"));
    }
    let mut out = Vec::new();
    for value in &args {
        write(value, 0, &mut out)?;
    }
    lua.create_string(out)
}

fn write(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::Boolean(yes) => out.push(if *yes { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => write_integer(*number, out),
        Value::Number(number) => write_number(*number, out),
        Value::String(text) => {
            let text = text.as_bytes();
            head(text.len(), [(0xa0, 31), (0xd9, 0xff)], [0xda, 0xdb], out);
            out.extend_from_slice(&text);
        }
        Value::Table(table) if depth < NESTED => write_table(table, depth, out)?,
        _ => out.push(0xc0),
    }
    if out.len() > limits::REPLY {
        return Err(wrong("result too large"));
    }
    Ok(())
}

/// A length: in the first byte itself if it fits there, else behind it. `short` are forms with the length
/// in the byte or in the one behind it (0: there is none), `long` those with two and four bytes.
fn head(len: usize, short: [(u8, usize); 2], long: [u8; 2], out: &mut Vec<u8>) {
    let [(fixed, most), (byte, byte_most)] = short;
    match len {
        len if len <= most => out.push(fixed | len as u8),
        len if len <= byte_most => out.extend([byte, len as u8]),
        len if len <= 0xffff => {
            out.push(long[0]);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(long[1]);
            out.extend((len as u32).to_be_bytes());
        }
    }
}

fn write_number(number: f64, out: &mut Vec<u8>) {
    // (2^63 is no such number, though Rust makes one of it.)
    if number < i64::MAX as f64 && (number as i64) as f64 == number {
        return write_integer(number as i64, out);
    }
    let single = number as f32;
    if f64::from(single) == number {
        out.push(0xca);
        out.extend(single.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend(number.to_be_bytes());
    }
}

fn write_integer(number: i64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    let (mark, len) = match number {
        -32..=127 => (None, 1),
        0x80..=0xff => (Some(0xcc), 1),
        0x100..=0xffff => (Some(0xcd), 2),
        0x1_0000..=0xffff_ffff => (Some(0xce), 4),
        0x1_0000_0000.. => (Some(0xcf), 8),
        -0x80..=-33 => (Some(0xd0), 1),
        -0x8000..=-0x81 => (Some(0xd1), 2),
        -0x8000_0000..=-0x8001 => (Some(0xd2), 4),
        _ => (Some(0xd3), 8),
    };
    out.extend(mark);
    out.extend(bytes.iter().skip(8 - len));
}

fn write_table(table: &Table, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    if is_list(table)? {
        let len = table.raw_len();
        head(len, [(0x90, 15), (0, 0)], [0xdc, 0xdd], out);
        return (1..=len).try_for_each(|at| write(&table.raw_get(at)?, depth + 1, out));
    }
    let len = table.pairs::<Value, Value>().count();
    head(len, [(0x80, 15), (0, 0)], [0xde, 0xdf], out);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        write(&key, depth + 1, out)?;
        write(&value, depth + 1, out)?;
    }
    Ok(())
}

/// Are its keys 1 to n?
fn is_list(table: &Table) -> Result<bool> {
    let (mut max, mut count) = (0.0f64, 0.0);
    for pair in table.pairs::<Value, Value>() {
        let key = match pair?.0 {
            Value::Integer(key) => key as f64,
            Value::Number(key) => key,
            _ => return Ok(false),
        };
        if key <= 0.0 || key.trunc() != key {
            return Ok(false);
        }
        (max, count) = (max.max(key), count + 1.0);
    }
    Ok(max == count)
}

/// All values from an offset on, or so many; then the first of the results is where to go on, −1 at the
/// end.
fn unpack(lua: &Lua, data: &[u8], limit: Option<f64>, offset: f64) -> Result<MultiValue> {
    if offset < 0.0 || limit.is_some_and(|limit| limit < 0.0) {
        let limit = limit.unwrap_or(0.0);
        return Err(wrong(&format!(
            "Invalid request to unpack with offset of {offset} and limit of {limit}."
        )));
    }
    let rest = data.get(offset as usize..).ok_or_else(|| {
        wrong(&format!("Start offset {offset} greater than input length {}.", data.len()))
    })?;
    let (mut reader, mut found) = (Reader { lua, rest }, Vec::new());
    while !reader.rest.is_empty() && limit.is_none_or(|limit| (found.len() as f64) < limit) {
        if found.len() >= RESULTS {
            return Err(wrong("too many results"));
        }
        found.push(reader.value(0)?);
    }
    if limit.is_some() {
        let next =
            if reader.rest.is_empty() { -1.0 } else { (data.len() - reader.rest.len()) as f64 };
        found.insert(0, Value::Number(next));
    }
    Ok(found.into_iter().collect())
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) =
            self.rest.split_at_checked(len).ok_or_else(|| wrong("Missing bytes in input."))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.bytes(N)?.try_into().map_err(|_| wrong("Missing bytes in input."))
    }

    /// An unsigned number of so many bytes.
    fn unsigned(&mut self, len: usize) -> Result<u64> {
        Ok(self.bytes(len)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > DEPTH {
            return Err(wrong("stack overflow (in function mp_decode_to_lua_array)"));
        }
        let [mark] = self.array()?;
        let low = usize::from(mark);
        let number = match mark {
            0..=0x7f => f64::from(mark),
            0xe0.. => f64::from(mark as i8),
            0xcc => self.unsigned(1)? as f64,
            0xcd => self.unsigned(2)? as f64,
            0xce => self.unsigned(4)? as f64,
            0xcf => self.unsigned(8)? as f64,
            0xd0 => i8::from_be_bytes(self.array()?).into(),
            0xd1 => i16::from_be_bytes(self.array()?).into(),
            0xd2 => i32::from_be_bytes(self.array()?).into(),
            0xd3 => i64::from_be_bytes(self.array()?) as f64,
            0xca => f32::from_be_bytes(self.array()?).into(),
            0xcb => f64::from_be_bytes(self.array()?),
            0xc0 => return Ok(Value::Nil),
            0xc2 | 0xc3 => return Ok(Value::Boolean(mark == 0xc3)),
            0xa0..=0xbf => return self.text(low & 31),
            0xd9 => return self.sized(1, Self::text),
            0xda => return self.sized(2, Self::text),
            0xdb => return self.sized(4, Self::text),
            0x90..=0x9f => return self.list(low & 15, depth),
            0xdc => return self.sized(2, |reader, len| reader.list(len, depth)),
            0xdd => return self.sized(4, |reader, len| reader.list(len, depth)),
            0x80..=0x8f => return self.map(low & 15, depth),
            0xde => return self.sized(2, |reader, len| reader.map(len, depth)),
            0xdf => return self.sized(4, |reader, len| reader.map(len, depth)),
            _ => return Err(wrong("Bad data format in input.")),
        };
        Ok(Value::Number(number))
    }

    /// What has its length before it.
    fn sized(
        &mut self,
        len: usize,
        read: impl FnOnce(&mut Self, usize) -> Result<Value>,
    ) -> Result<Value> {
        let len = self.unsigned(len)?;
        read(self, usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn text(&mut self, len: usize) -> Result<Value> {
        let text = self.bytes(len)?;
        self.lua.create_string(text).map(Value::String)
    }

    fn list(&mut self, len: usize, depth: usize) -> Result<Value> {
        let table = self.lua.create_table()?;
        for at in 1..=len {
            table.raw_set(at, self.value(depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize, depth: usize) -> Result<Value> {
        let table = self.lua.create_table()?;
        for _ in 0..len {
            let (key, value) = (self.value(depth + 1)?, self.value(depth + 1)?);
            table.raw_set(key, value)?;
        }
        Ok(Value::Table(table))
    }
}
