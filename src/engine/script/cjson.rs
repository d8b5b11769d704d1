//! `cjson`, the library: reading and writing ([`super::json`]) with settings.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{FromLua, Function, IntoLua, Lua, Table, Value};

use super::json;
use super::library::{raise, raise_here};

/// What `cjson.encode_…` and `cjson.decode_…` set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// Values within values that are written.
    pub(super) encode_depth: usize,
    /// Values within values that are read.
    pub(super) decode_depth: usize,
    /// A list with too many holes: an error, or an object.
    pub(super) sparse_convert: bool,
    /// A list must be filled to this part (0: never mind) …
    pub(super) sparse_ratio: usize,
    /// … if it is longer than this.
    pub(super) sparse_safe: usize,
    /// Digits of a number.
    pub(super) precision: usize,
    /// Infinity and NaN when writing.
    pub(super) encode_invalid: Invalid,
    /// Infinity, NaN, hexadecimal and `007` when reading.
    pub(super) decode_invalid: bool,
    /// Said, and of no consequence here.
    keep_buffer: bool,
}

/// What becomes of a number that JSON does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Invalid {
    /// An error.
    Off,
    /// It is written as C prints it.
    On,
    /// `null`
    Null,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            encode_depth: 1000,
            decode_depth: 1000,
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            precision: 14,
            encode_invalid: Invalid::Off,
            decode_invalid: true,
            keep_buffer: true,
        }
    }
}

/// The library, with these settings.
pub(super) fn library(lua: &Lua, settings: &Rc<Cell<Settings>>) -> mlua::Result<Table> {
    let cjson = lua.create_table()?;
    cjson.set("null", Value::NULL)?;
    cjson.set("_NAME", "cjson")?;
    cjson.set("_VERSION", "2.1.0")?;
    let own = Rc::clone(settings);
    cjson.set(
        "encode",
        lua.create_function(move |lua, value: Value| {
            let json = json::encode(lua, own.get(), &value);
            lua.create_string(json.map_err(|error| raise_here(lua, &error))?)
        })?,
    )?;
    let own = Rc::clone(settings);
    cjson.set(
        "decode",
        lua.create_function(move |lua, json: mlua::LuaString| {
            json::decode(lua, own.get(), &json.as_bytes()).map_err(|error| raise_here(lua, &error))
        })?,
    )?;
    cjson.set(
        "new",
        lua.create_function(|lua, ()| library(lua, &Rc::new(Cell::new(Settings::default()))))?,
    )?;
    let own = Rc::clone(settings);
    type Three = (Option<Value>, Option<f64>, Option<f64>);
    cjson.set(
        "encode_sparse_array",
        lua.create_function(move |_, (convert, ratio, safe): Three| {
            let mut set = own.get();
            set.sparse_convert = option(convert.as_ref(), set.sparse_convert, &[])?;
            set.sparse_ratio = whole(ratio, set.sparse_ratio, 0, i32::MAX as usize)?;
            set.sparse_safe = whole(safe, set.sparse_safe, 0, i32::MAX as usize)?;
            own.set(set);
            Ok((set.sparse_convert, set.sparse_ratio, set.sparse_safe))
        })?,
    )?;
    type Place = fn(&mut Settings) -> &mut usize;
    let numbers: [(&str, usize, Place); 3] = [
        ("encode_max_depth", i32::MAX as usize, |set| &mut set.encode_depth),
        ("decode_max_depth", i32::MAX as usize, |set| &mut set.decode_depth),
        ("encode_number_precision", 14, |set| &mut set.precision),
    ];
    for (name, most, place) in numbers {
        let read = move |given: Option<f64>, now| whole(given, now, 1, most);
        cjson.set(name, setter(lua, settings, place, read)?)?;
    }
    type Flag = fn(&mut Settings) -> &mut bool;
    let flags: [(&str, Flag); 2] = [
        ("encode_keep_buffer", |set| &mut set.keep_buffer),
        ("decode_invalid_numbers", |set| &mut set.decode_invalid),
    ];
    for (name, place) in flags {
        let read = |given: Option<Value>, now| {
            option(given.as_ref(), now, &[("off", false), ("on", true)])
        };
        cjson.set(name, setter(lua, settings, place, read)?)?;
    }
    let own = Rc::clone(settings);
    cjson.set(
        "encode_invalid_numbers",
        lua.create_function(move |lua, value: Option<Value>| {
            let mut set = own.get();
            let words = [("off", Invalid::Off), ("on", Invalid::On), ("null", Invalid::Null)];
            set.encode_invalid = option(value.as_ref(), set.encode_invalid, &words)?;
            own.set(set);
            Ok(match set.encode_invalid {
                Invalid::Off => Value::Boolean(false),
                Invalid::On => Value::Boolean(true),
                Invalid::Null => Value::String(lua.create_string("null")?),
            })
        })?,
    )?;
    Ok(cjson)
}

/// A function that changes one setting, if it is given something, and answers what that is now.
fn setter<A: FromLua, T: Copy + IntoLua + 'static>(
    lua: &Lua,
    settings: &Rc<Cell<Settings>>,
    place: fn(&mut Settings) -> &mut T,
    read: impl Fn(A, T) -> mlua::Result<T> + 'static,
) -> mlua::Result<Function> {
    let own = Rc::clone(settings);
    lua.create_function(move |_, given: A| {
        let mut set = own.get();
        let place = place(&mut set);
        let now = read(given, *place)?;
        *place = now;
        own.set(set);
        Ok(now)
    })
}

/// A setting that is a number, or what it was.
fn whole(given: Option<f64>, now: usize, least: usize, most: usize) -> mlua::Result<usize> {
    match given {
        None => Ok(now),
        Some(number) if number >= least as f64 && number <= most as f64 => Ok(number as usize),
        Some(_) => {
            Err(raise(&format!("bad argument #1 (expected integer between {least} and {most})")))
        }
    }
}

/// A setting that is true, false or a word, or what it was.
fn option<T: Copy + From<bool>>(
    given: Option<&Value>,
    now: T,
    words: &[(&str, T)],
) -> mlua::Result<T> {
    match given {
        None | Some(Value::Nil) => Ok(now),
        Some(Value::Boolean(yes)) => Ok(T::from(*yes)),
        Some(Value::String(text)) => {
            let word = words.iter().find(|(word, _)| text.as_bytes() == word.as_bytes());
            word.map(|(_, value)| *value).ok_or_else(|| raise("bad argument #1 (invalid option)"))
        }
        Some(_) => Err(raise("bad argument #1 (string expected)")),
    }
}

impl From<bool> for Invalid {
    fn from(yes: bool) -> Self {
        if yes { Invalid::On } else { Invalid::Off }
    }
}
