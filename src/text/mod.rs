//! Keys as text: JSON Lines, which lose nothing and are read back, and two forms for people and their
//! programs, which leave out what those seldom ask for: a JSON document and a table of CSV.
//!
//! A form takes one key after the other, whatever it comes from: [`Form::begin`] with what is known of the
//! key, its elements as a walk of an RDB or a value of the store hands them out, [`Form::end`]. It appends
//! to a buffer of bytes and builds nothing in between.

pub mod beside;
pub mod csv;
pub mod json;
pub mod lines;
pub mod read;
pub mod string;

use crate::element::{Element, Str, Visit};
use crate::rdb::types::DataType;

/// What is known of a key beside its value.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Database.
    pub db: u64,
    /// The key's name.
    pub key: &'a [u8],
    /// What its value is made of.
    pub data: DataType,
    /// TYPE's word: for modules the module type's name.
    pub type_name: &'a str,
    /// OBJECT ENCODING's word.
    pub encoding: &'a str,
    /// Unix time in ms at which it expires.
    pub expire_at_ms: Option<i64>,
    /// Seconds since the last access.
    pub idle_s: Option<u64>,
    /// The LFU counter.
    pub freq: Option<u8>,
    /// Module metadata, framed but not decoded.
    pub meta: Option<&'a [u8]>,
    /// Bytes that the key takes in the file it comes from, if that is known.
    pub size: Option<u64>,
}

/// A form of text: the elements of a key come between [`Form::begin`] and [`Form::end`].
pub trait Form: Visit {
    /// Starts a key.
    fn begin(&mut self, head: &Head<'_>);

    /// Ends it.
    fn end(&mut self);

    /// What was written so far; whoever takes it out puts another buffer in.
    fn buffer(&mut self) -> &mut Vec<u8>;

    /// Writes a string value of which the text may be several times as long. `full` may take what is in the
    /// buffer as often as it is called.
    fn long(&mut self, text: &[u8], _full: &mut dyn FnMut(&mut Vec<u8>)) {
        self.element(Element::Text(Str::Raw(text)));
    }
}
