//! `cjson` for scripts: JSON as lua-cjson reads and writes it, with its default settings.

use mlua::{Lua, Table, Value};

use crate::encoding::number::parse_double;

/// Values within values.
const DEPTH: usize = 1000;
/// A list may have holes up to here; beyond, it must be filled to half.
const SPARSE: usize = 10;

type Answer<T> = Result<T, String>;

/// `cjson.encode`
pub(super) fn encode(lua: &Lua, value: &Value) -> Answer<Vec<u8>> {
    let mut out = Vec::new();
    write(lua, value, 0, &mut out)?;
    Ok(out)
}

fn write(lua: &Lua, value: &Value, depth: usize, out: &mut Vec<u8>) -> Answer<()> {
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        Value::LightUserData(pointer) if pointer.0.is_null() => out.extend_from_slice(b"null"),
        Value::Boolean(yes) => out.extend_from_slice(if *yes { b"true" } else { b"false" }),
        Value::Integer(number) => write_number(lua, *number as f64, out)?,
        Value::Number(number) => write_number(lua, *number, out)?,
        Value::String(text) => write_text(&text.as_bytes(), out),
        Value::Table(_) if depth >= DEPTH => {
            return Err(format!("Cannot serialise, excessive depth ({})", depth + 1));
        }
        Value::Table(table) => match list_len(table)? {
            Some(len) => {
                out.push(b'[');
                for at in 1..=len {
                    if at > 1 {
                        out.push(b',');
                    }
                    let item = table.raw_get::<Value>(at).map_err(|error| error.to_string())?;
                    write(lua, &item, depth + 1, out)?;
                }
                out.push(b']');
            }
            None => write_object(lua, table, depth, out)?,
        },
        other => {
            return Err(format!("Cannot serialise {}: type not supported", other.type_name()));
        }
    }
    Ok(())
}

fn write_object(lua: &Lua, table: &Table, depth: usize, out: &mut Vec<u8>) -> Answer<()> {
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
                write(lua, &name, depth, out)?;
                out.push(b'"');
            }
            _ => {
                return Err("Cannot serialise table: table key must be a number or string".into());
            }
        }
        out.push(b':');
        write(lua, &value, depth + 1, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// The length of a table that is a list: its keys are numbers from 1 on. An empty one is none.
fn list_len(table: &Table) -> Answer<Option<usize>> {
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
    if max > SPARSE && max > count.saturating_mul(2) {
        return Err("Cannot serialise table: excessively sparse array".into());
    }
    Ok((max > 0).then_some(max))
}

/// As Lua itself prints it: `%.14g`.
fn write_number(lua: &Lua, number: f64, out: &mut Vec<u8>) -> Answer<()> {
    if !number.is_finite() {
        return Err("Cannot serialise number: must not be NaN or Inf".into());
    }
    let text = lua.coerce_string(Value::Number(number)).map_err(|error| error.to_string())?;
    out.extend(text.iter().flat_map(|text| text.as_bytes().to_vec()));
    Ok(())
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
pub(super) fn decode(lua: &Lua, text: &[u8]) -> Answer<Value> {
    let mut parser = Parser { lua, text, pos: 0 };
    let value = parser.value(0)?;
    parser.blank();
    if parser.pos < text.len() { Err(parser.wrong("the end")) } else { Ok(value) }
}

struct Parser<'a> {
    lua: &'a Lua,
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

    fn value(&mut self, depth: usize) -> Answer<Value> {
        if depth > DEPTH {
            return Err(format!("Found too many nested data structures ({depth})"));
        }
        let failed = |error: mlua::Error| error.to_string();
        if self.accept(b"{") {
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
        if self.accept(b"[") {
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
