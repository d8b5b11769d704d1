//! `struct` for scripts: numbers and texts in fixed layouts, as the servers' library of this name lays them.
//!
//! ```text
//! < > ' '   little, big end first, nothing        b h l T i In   signed integers of 1 2 8 8 4 n bytes
//! !n        align to n                            B H L   I In   the same without a sign
//! x         a byte of padding                     f d            floating point
//! cn        n bytes (c0: all of the text; when    s              a text and a NUL
//!           unpacking, as many as the number before says)
//! ```

use mlua::{Lua, MultiValue, Result, Table, Value};

use super::library::Raised;
use crate::limits;

/// Longest integer, in bytes.
const LONGEST: usize = 32;
/// `!` alone.
const ALIGNED: usize = 8;

/// The library.
pub(super) fn library(lua: &Lua) -> Result<Table> {
    let packing = lua.create_table()?;
    packing.set("pack", lua.create_function(pack)?)?;
    packing.set("unpack", lua.create_function(unpack)?)?;
    packing.set("size", lua.create_function(size)?)?;
    Ok(packing)
}

fn wrong(text: impl Into<String>) -> mlua::Error {
    mlua::Error::external(Raised(format!("ERR {}", text.into()).into_bytes()))
}

/// A format, read letter by letter.
struct Format<'a> {
    rest: &'a [u8],
    big: bool,
    align: usize,
}

/// A letter with its size in bytes, and how many bytes of padding come before it.
struct Item {
    letter: u8,
    size: usize,
    padding: usize,
}

impl<'a> Format<'a> {
    fn new(rest: &'a [u8]) -> Format<'a> {
        Format { rest, big: false, align: 1 }
    }

    fn number(&mut self, default: usize) -> Result<usize> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let Some((digits, rest)) = self.rest.split_at_checked(digits) else { return Ok(default) };
        self.rest = rest;
        match digits {
            [] => Ok(default),
            digits => {
                let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
                number
                    .filter(|number| *number <= i32::MAX as usize)
                    .ok_or_else(|| wrong("integral size overflow"))
            }
        }
    }

    /// The next letter that stands for something, at `len` bytes from the beginning.
    fn next(&mut self, len: usize) -> Result<Option<Item>> {
        while let Some((letter, rest)) = self.rest.split_first() {
            self.rest = rest;
            let size = match letter {
                b'b' | b'B' | b'x' => 1,
                b'h' | b'H' => 2,
                b'l' | b'L' | b'T' | b'd' => 8,
                b'f' => 4,
                b'i' | b'I' => match self.number(4)? {
                    size if size > LONGEST => {
                        return Err(wrong(format!(
                            "integral size {size} is larger than limit of {LONGEST}"
                        )));
                    }
                    size => size,
                },
                b'c' => self.number(1)?,
                b's' => 0,
                b' ' => continue,
                b'<' | b'>' => {
                    self.big = *letter == b'>';
                    continue;
                }
                b'!' => {
                    self.align = self.number(ALIGNED)?;
                    if !self.align.is_power_of_two() {
                        return Err(wrong("alignment is not a power of 2"));
                    }
                    continue;
                }
                other => {
                    let other = char::from(*other).escape_default();
                    return Err(wrong(format!("invalid format option '{other}'")));
                }
            };
            let step = size.min(self.align);
            let aligned = size > 0 && *letter != b'c' && step.is_power_of_two();
            let padding = if aligned { len.wrapping_neg() & (step - 1) } else { 0 };
            return Ok(Some(Item { letter: *letter, size, padding }));
        }
        Ok(None)
    }

    /// Bytes with the least first, or back, in the order of this format.
    fn ordered<const N: usize>(&self, mut bytes: [u8; N]) -> [u8; N] {
        if self.big {
            bytes.reverse();
        }
        bytes
    }
}

fn pack(lua: &Lua, (format, args): (mlua::LuaString, MultiValue)) -> Result<mlua::LuaString> {
    let (format, mut out) = (format.as_bytes(), Vec::new());
    let (mut format, mut args) = (Format::new(&format), args.into_iter());
    while let Some(item) = format.next(out.len())? {
        out.resize(out.len() + item.padding, 0);
        if item.letter == b'x' {
            out.push(0);
            continue;
        }
        let arg = args.next().unwrap_or(Value::Nil);
        if let b'c' | b's' = item.letter {
            let text = lua.coerce_string(arg)?.ok_or_else(|| wrong("string expected"))?;
            let text = text.as_bytes();
            let size = if item.size == 0 { text.len() } else { item.size };
            out.extend_from_slice(text.get(..size).ok_or_else(|| wrong("string too short"))?);
            out.extend((item.letter == b's').then_some(0));
        } else {
            let number = lua.coerce_number(arg)?.ok_or_else(|| wrong("number expected"))?;
            match item.letter {
                b'f' => out.extend(format.ordered((number as f32).to_le_bytes())),
                b'd' => out.extend(format.ordered(number.to_le_bytes())),
                _ => {
                    let value = if number < 0.0 { number as i64 as u64 } else { number as u64 };
                    let mut bytes = [0; LONGEST];
                    let low = bytes.iter_mut().zip(value.to_le_bytes());
                    low.for_each(|(byte, value)| *byte = value);
                    let bytes = bytes.get_mut(..item.size).unwrap_or_default();
                    if format.big {
                        bytes.reverse();
                    }
                    out.extend_from_slice(bytes);
                }
            }
        }
        if out.len() > limits::REPLY {
            return Err(wrong("result too large"));
        }
    }
    lua.create_string(out)
}

fn unpack(
    lua: &Lua,
    (format, data, first): (mlua::LuaString, mlua::LuaString, Option<f64>),
) -> Result<MultiValue> {
    let (format, data) = (format.as_bytes(), data.as_bytes());
    let first = first.unwrap_or(1.0);
    if first < 1.0 {
        return Err(wrong("offset must be 1 or greater"));
    }
    let short = || wrong("data string too short");
    let (mut format, mut pos) = (Format::new(&format), first as usize - 1);
    let mut found: Vec<Value> = Vec::new();
    while let Some(item) = format.next(pos)? {
        pos = pos.saturating_add(item.padding);
        let take = |size: usize| data.get(pos..pos.checked_add(size)?).map(<[u8]>::to_vec);
        let mut bytes = take(item.size).ok_or_else(short)?;
        let value = match item.letter {
            b'x' => None,
            b'c' | b's' => {
                let mut skipped = 0;
                if item.letter == b's' {
                    let rest = data.get(pos..).ok_or_else(short)?;
                    let end = rest.iter().position(|byte| *byte == 0);
                    let end = end.ok_or_else(|| wrong("unfinished string in data"))?;
                    bytes = take(end).ok_or_else(short)?;
                    skipped = 1;
                } else if item.size == 0 {
                    let said = found.pop().map(|value| lua.coerce_number(value)).transpose()?;
                    let said = said.flatten();
                    let said = said.ok_or_else(|| wrong("format 'c0' needs a previous size"))?;
                    bytes = take(said as usize).ok_or_else(short)?;
                }
                let text = lua.create_string(&bytes)?;
                pos += bytes.len() + skipped;
                found.push(Value::String(text));
                continue;
            }
            letter => {
                if format.big {
                    bytes.reverse();
                }
                Some(number(letter, &bytes))
            }
        };
        pos += item.size;
        found.extend(value.map(Value::Number));
    }
    if found.len() > 7000 {
        return Err(wrong("too many results"));
    }
    found.push(Value::Number(pos as f64 + 1.0));
    Ok(found.into_iter().collect())
}

/// The number that these bytes are, the least first.
fn number(letter: u8, bytes: &[u8]) -> f64 {
    if let (b'f', Ok(bytes)) = (letter, bytes.try_into()) {
        return f32::from_le_bytes(bytes).into();
    }
    if let (b'd', Ok(bytes)) = (letter, bytes.try_into()) {
        return f64::from_le_bytes(bytes);
    }
    let mut low = [0; 8];
    low.iter_mut().zip(bytes).for_each(|(low, byte)| *low = *byte);
    let value = u64::from_le_bytes(low);
    if letter.is_ascii_uppercase() {
        return value as f64;
    }
    // The highest bit there is is the sign.
    let unused = 64 - 8 * bytes.len().min(8) as u32;
    match unused {
        64 => 0.0,
        unused => ((value << unused) as i64 >> unused) as f64,
    }
}

fn size(_: &Lua, format: mlua::LuaString) -> Result<f64> {
    let format = format.as_bytes();
    let (mut format, mut len) = (Format::new(&format), 0usize);
    while let Some(item) = format.next(len)? {
        if item.letter == b's' || (item.letter, item.size) == (b'c', 0) {
            return Err(wrong("variable-size format for 'size'"));
        }
        len = len.saturating_add(item.padding).saturating_add(item.size);
    }
    Ok(len as f64)
}
