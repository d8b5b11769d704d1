//! `cjson` for scripts: JSON as lua-cjson reads and writes it ([`super::cjson`] has its settings).

use mlua::{Lua, Table, Value};

use super::cjson::{Invalid, Settings};
use crate::encoding::number::parse_double;
use crate::limits;

pub(super) type Answer<T> = Result<T, String>;

/// `cjson.encode`
pub(super) fn encode(lua: &Lua, settings: Settings, value: &Value) -> Answer<Vec<u8>> {
    let mut out = Vec::new();
    Writer { lua, settings }.write(value, 0, &mut out)?;
    Ok(out)
}

struct Writer<'a> {
    lua: &'a Lua,
    settings: Settings,
}

impl Writer<'_> {
    fn write(&self, value: &Value, depth: usize, out: &mut Vec<u8>) -> Answer<()> {
        match value {
            Value::Nil => out.extend_from_slice(b"null"),
            Value::LightUserData(pointer) if pointer.0.is_null() => out.extend_from_slice(b"null"),
            Value::Boolean(yes) => out.extend_from_slice(if *yes { b"true" } else { b"false" }),
            Value::Integer(number) => self.write_number(*number as f64, out)?,
            Value::Number(number) => self.write_number(*number, out)?,
            Value::String(text) => write_text(&text.as_bytes(), out),
            Value::Table(_) if depth >= self.settings.encode_depth => {
                return Err(format!("Cannot serialise, excessive depth ({})", depth + 1));
            }
            Value::Table(table) => match self.list_len(table)? {
                Some(len) => {
                    out.push(b'[');
                    for at in 1..=len {
                        if at > 1 {
                            out.push(b',');
                        }
                        let item = table.raw_get::<Value>(at).map_err(|error| error.to_string())?;
                        self.write(&item, depth + 1, out)?;
                    }
                    out.push(b']');
                }
                None => self.write_object(table, depth, out)?,
            },
            other => {
                return Err(format!("Cannot serialise {}: type not supported", other.type_name()));
            }
        }
        // One text may be in a table many times.
        if out.len() > limits::REPLY { Err("Cannot serialise: too long".into()) } else { Ok(()) }
    }

    fn write_object(&self, table: &Table, depth: usize, out: &mut Vec<u8>) -> Answer<()> {
        out.push(b'{');
        for (n, pair) in table.pairs::<Value, Value>().enumerate() {
            let (name, value) = pair.map_err(|error| error.to_string())?;
            if n > 0 {
                out.push(b',');
            }
            match &name {
                Value::String(text) => write_text(&text.as_bytes(), out),
                Value::Integer(_) | Value::Number(_) => {
                    out.push(b'"');
                    self.write(&name, depth, out)?;
                    out.push(b'"');
                }
                _ => {
                    return Err(
                        "Cannot serialise table: table key must be a number or string".into()
                    );
                }
            }
            out.push(b':');
            self.write(&value, depth + 1, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    /// The length of a table that is a list: its keys are numbers from 1 on. An empty one is none.
    fn list_len(&self, table: &Table) -> Answer<Option<usize>> {
        let (mut max, mut count) = (0usize, 0usize);
        for pair in table.pairs::<Value, Value>() {
            let (key, _) = pair.map_err(|error| error.to_string())?;
            let index = match key {
                Value::Integer(index) => usize::try_from(index).ok().filter(|index| *index > 0),
                _ => None,
            };
            let Some(index) = index else { return Ok(None) };
            (max, count) = (max.max(index), count + 1);
        }
        let Settings { sparse_convert, sparse_ratio, sparse_safe, .. } = self.settings;
        if sparse_ratio > 0 && max > sparse_safe && max > count.saturating_mul(sparse_ratio) {
            return match sparse_convert {
                true => Ok(None),
                false => Err("Cannot serialise table: excessively sparse array".into()),
            };
        }
        Ok((max > 0).then_some(max))
    }

    /// As C prints it: `%.14g`.
    fn write_number(&self, number: f64, out: &mut Vec<u8>) -> Answer<()> {
        let valid = number.is_finite();
        match self.settings.encode_invalid {
            Invalid::Off if !valid => {
                return Err("Cannot serialise number: must not be NaN or Inf".into());
            }
            Invalid::Null if !valid => {
                out.extend_from_slice(b"null");
                return Ok(());
            }
            _ => {}
        }
        let format = format!("%.{}g", self.settings.precision);
        let print = || -> mlua::Result<mlua::LuaString> {
            let strings = self.lua.globals().raw_get::<Table>("string")?;
            strings.raw_get::<mlua::Function>("format")?.call((format, number))
        };
        out.extend_from_slice(&print().map_err(|error| error.to_string())?.as_bytes());
        Ok(())
    }
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' | b'/' => out.extend([b'\\', *byte]),
            b'\x08' => out.extend(b"\\b"),
            b'\t' => out.extend(b"\\t"),
            b'\n' => out.extend(b"\\n"),
            b'\x0c' => out.extend(b"\\f"),
            b'\r' => out.extend(b"\\r"),
            0..0x20 | 0x7f => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// `cjson.decode`
pub(super) fn decode(lua: &Lua, settings: Settings, text: &[u8]) -> Answer<Value> {
    let mut parser = Parser { lua, settings, text, pos: 0 };
    let value = parser.value(0)?;
    parser.blank();
    if parser.pos < text.len() { Err(parser.wrong("the end")) } else { Ok(value) }
}

/// Is it a number that JSON knows, and not one that only C does?
fn is_json(digits: &[u8]) -> bool {
    let digits = digits.strip_prefix(b"-").unwrap_or(digits);
    match digits {
        [b'0', next, ..] => !next.is_ascii_digit() && !matches!(next, b'x' | b'X'),
        [first, ..] => first.is_ascii_digit(),
        [] => false,
    }
}

struct Parser<'a> {
    lua: &'a Lua,
    settings: Settings,
    text: &'a [u8],
    pos: usize,
}

impl Parser<'_> {
    fn wrong(&self, wanted: &str) -> String {
        let rest = self.text.get(self.pos..).unwrap_or_default();
        let is_word = [&b"true"[..], b"false", b"null"].iter().any(|word| rest.starts_with(word));
        let found = match rest.first() {
            None => "T_END",
            Some(b'{') => "T_OBJ_BEGIN",
            Some(b'}') => "T_OBJ_END",
            Some(b'[') => "T_ARR_BEGIN",
            Some(b']') => "T_ARR_END",
            Some(b'"') => "T_STRING",
            Some(b':') => "T_COLON",
            Some(b',') => "T_COMMA",
            Some(b'0'..=b'9' | b'-') => "T_NUMBER",
            Some(b'n') if is_word => "T_NULL",
            Some(_) if is_word => "T_BOOLEAN",
            Some(_) => "invalid token",
        };
        format!("Expected {wanted} but found {found} at character {}", self.pos + 1)
    }

    fn blank(&mut self) {
        while matches!(self.text.get(self.pos), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.pos += 1;
        }
    }

    fn accept(&mut self, word: &[u8]) -> bool {
        self.blank();
        let found = self.text.get(self.pos..).is_some_and(|rest| rest.starts_with(word));
        self.pos += if found { word.len() } else { 0 };
        found
    }

    fn accept_any(&mut self, bytes: &[u8]) -> Option<u8> {
        self.blank();
        let found = self.text.get(self.pos).copied().filter(|byte| bytes.contains(byte))?;
        self.pos += 1;
        Some(found)
    }

    fn value(&mut self, depth: usize) -> Answer<Value> {
        let inside = self.accept_any(b"{[");
        if inside.is_some() && depth >= self.settings.decode_depth {
            return Err(format!("Found too many nested data structures ({})", depth + 1));
        }
        let failed = |error: mlua::Error| error.to_string();
        if inside == Some(b'{') {
            let table = self.lua.create_table().map_err(failed)?;
            if self.accept(b"}") {
                return Ok(Value::Table(table));
            }
            loop {
                if !self.accept(b"\"") {
                    return Err(self.wrong("object key string"));
                }
                let name = self.string()?;
                if !self.accept(b":") {
                    return Err(self.wrong("colon"));
                }
                table.raw_set(name, self.value(depth + 1)?).map_err(failed)?;
                if self.accept(b"}") {
                    return Ok(Value::Table(table));
                }
                if !self.accept(b",") {
                    return Err(self.wrong("comma or object end"));
                }
            }
        }
        if inside == Some(b'[') {
            let table = self.lua.create_table().map_err(failed)?;
            if self.accept(b"]") {
                return Ok(Value::Table(table));
            }
            for at in 1.. {
                table.raw_set(at, self.value(depth + 1)?).map_err(failed)?;
                if self.accept(b"]") {
                    break;
                }
                if !self.accept(b",") {
                    return Err(self.wrong("comma or array end"));
                }
            }
            return Ok(Value::Table(table));
        }
        if self.accept(b"\"") {
            return self.string();
        }
        for (word, value) in [
            (&b"true"[..], Value::Boolean(true)),
            (b"false", Value::Boolean(false)),
            (b"null", Value::NULL),
        ] {
            if self.accept(word) {
                return Ok(value);
            }
        }
        self.number()
    }

    fn number(&mut self) -> Answer<Value> {
        self.blank();
        let rest = self.text.get(self.pos..).unwrap_or_default();
        let part = |byte: &u8| matches!(byte, b'+' | b'-' | b'.') || byte.is_ascii_alphanumeric();
        let len = rest.iter().take_while(|byte| part(byte)).count();
        let digits = rest.get(..len).unwrap_or_default();
        let number = parse_double(digits).filter(|_| digits.first() != Some(&b'+'));
        let number = number.ok_or_else(|| self.wrong("value"))?;
        if !self.settings.decode_invalid && !is_json(digits) {
            let place = self.pos + 1;
            return Err(format!("Expected value but found invalid number at character {place}"));
        }
        self.pos += len;
        Ok(Value::Number(number))
    }

    /// Behind the opening quote.
    fn string(&mut self) -> Answer<Value> {
        let mut out = Vec::new();
        loop {
            let byte = *self.text.get(self.pos).ok_or_else(|| self.wrong("string end"))?;
            self.pos += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    let escape =
                        *self.text.get(self.pos).ok_or_else(|| self.wrong("string end"))?;
                    self.pos += 1;
                    match escape {
                        b'"' | b'\\' | b'/' => out.push(escape),
                        b'b' => out.push(8),
                        b'f' => out.push(12),
                        b'n' => out.push(b'\n'),
                        b'r' => out.push(b'\r'),
                        b't' => out.push(b'\t'),
                        b'u' => out.extend(self.code_point()?.encode_utf8(&mut [0; 4]).bytes()),
                        _ => return Err(self.wrong("escape code")),
                    }
                }
                0..0x20 => return Err(self.wrong("string")),
                byte => out.push(byte),
            }
        }
        self.lua.create_string(&out).map(Value::String).map_err(|error| error.to_string())
    }

    /// Behind `\u`: four digits, or two times four for what lies beyond them.
    fn code_point(&mut self) -> Answer<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or_else(|| self.wrong("unicode escape code"));
        }
        if !self.text.get(self.pos..).is_some_and(|rest| rest.starts_with(b"\\u")) {
            return Err(self.wrong("unicode escape code"));
        }
        self.pos += 2;
        let second = self.hex()?;
        let pair = 0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
        let whole = (0xdc00..0xe000).contains(&second);
        char::from_u32(pair).filter(|_| whole).ok_or_else(|| self.wrong("unicode escape code"))
    }

    fn hex(&mut self) -> Answer<u32> {
        let digits = self.text.get(self.pos..self.pos + 4);
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let number = digits.filter(|text| !text.starts_with('+'));
        let number = number.and_then(|text| u32::from_str_radix(text, 16).ok());
        self.pos += 4;
        number.ok_or_else(|| self.wrong("unicode escape code"))
    }
}
