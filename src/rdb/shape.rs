//! The shape of a value or an opcode's data: enough to step over it without knowing what it means.
//! A row of the tables carries one, so skipping, cutting into chunks and carrying unknown data need no
//! code per type.

use super::length::{Length, length, length_or_mark};
use super::string::short_string;
use crate::error::{Fault, Parse};
use crate::finding::Code;
use crate::limits::LZF_RATIO;

/// One part of a shape.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A string (A.3).
    Str,
    /// A length (A.2).
    Len,
    /// So many bytes.
    Bin(usize),
    /// A score in text form: one byte of length, then the text.
    Dbl,
    /// A length n, then n times the body.
    Rep(&'static [Shape]),
    /// A length n, then the head, then n times the body.
    RepAfter(&'static [Shape], &'static [Shape]),
    /// A length that selects one of the branches; the code tells of another.
    Tag(Code, &'static [Branch]),
    /// Branches one after the other, up to tag 0; the code tells of an unknown one.
    Until(Code, &'static [Branch]),
    /// Data whose end nothing tells.
    Unframed,
}

/// A tag and what follows it.
pub type Branch = (u64, &'static [Shape]);

/// What modules write, up to the closing zero (FORMATS A.5).
pub const MODULE_DATA: Shape = Shape::Until(
    Code::ModuleOpcode,
    &[
        (1, &[Shape::Len]),
        (2, &[Shape::Len]),
        (3, &[Shape::Bin(4)]),
        (4, &[Shape::Bin(8)]),
        (5, &[Shape::Str]),
    ],
);

/// Steps over a value of this shape. `string_limit` is the longest string to believe in, in bytes.
#[inline(always)]
pub fn skip<'a>(shape: &[Shape], i: &'a [u8], string_limit: u64) -> Parse<'a, ()> {
    match shape {
        [Shape::Str] => skip_string(i, string_limit),
        _ => skip_parts(shape, i, string_limit),
    }
}

fn skip_parts<'a>(shape: &[Shape], mut i: &'a [u8], string_limit: u64) -> Parse<'a, ()> {
    for part in shape {
        i = match *part {
            Shape::Str => skip_string(i, string_limit)?.0,
            Shape::Len => length(i)?.0,
            Shape::Bin(count) => skip_bytes(i, count as u64)?.0,
            Shape::Dbl => super::string::text_double(i)?.0,
            Shape::Rep(body) => {
                let (rest, count) = count(i)?;
                skip_times(body, count, rest, string_limit)?.0
            }
            Shape::RepAfter(head, body) => {
                let (rest, count) = count(i)?;
                let (rest, ()) = skip(head, rest, string_limit)?;
                skip_times(body, count, rest, string_limit)?.0
            }
            Shape::Tag(code, branches) => {
                let (rest, tag) = length(i)?;
                skip(branch(code, branches, tag, i)?, rest, string_limit)?.0
            }
            Shape::Until(code, branches) => loop {
                let (rest, tag) = length(i)?;
                if tag == 0 {
                    break rest;
                }
                i = skip(branch(code, branches, tag, i)?, rest, string_limit)?.0;
            },
            Shape::Unframed => {
                return Fault::err(
                    Code::ModulePreGa,
                    i,
                    i.len(),
                    "data that tells where it ends",
                    "a module value of the 4.0 release candidates",
                );
            }
        };
    }
    Ok((i, ()))
}

/// A count of things. 2^64-1 is what servers take for an error.
fn count(i: &[u8]) -> Parse<'_, u64> {
    match length(i)? {
        (_, u64::MAX) => Fault::err(Code::LengthEncoding, i, 9, "a count below 2^64-1", "2^64-1"),
        counted => Ok(counted),
    }
}

fn skip_times<'a>(body: &[Shape], count: u64, mut i: &'a [u8], string_limit: u64) -> Parse<'a, ()> {
    match *body {
        [Shape::Bin(each)] => skip_bytes(i, count.saturating_mul(each as u64)),
        // Each turn takes at least a byte, so a claimed count costs no more than the bytes there are.
        [Shape::Str] => {
            for _ in 0..count {
                i = skip_string(i, string_limit)?.0;
            }
            Ok((i, ()))
        }
        [Shape::Str, Shape::Str] => {
            for _ in 0..count {
                i = skip_string(i, string_limit)?.0;
                i = skip_string(i, string_limit)?.0;
            }
            Ok((i, ()))
        }
        _ => {
            for _ in 0..count {
                i = skip(body, i, string_limit)?.0;
            }
            Ok((i, ()))
        }
    }
}

fn branch(
    code: Code,
    branches: &[Branch],
    tag: u64,
    at: &[u8],
) -> Result<&'static [Shape], nom::Err<Fault>> {
    match branches.iter().find(|(known, _)| *known == tag) {
        Some((_, shape)) => Ok(shape),
        None => Fault::err(
            code,
            at,
            1,
            format!("one of {} known tags", branches.len()),
            format!("tag {tag}"),
        ),
    }
}

/// Steps over a string.
#[inline(always)]
pub fn skip_string(i: &[u8], limit: u64) -> Parse<'_, ()> {
    match short_string(i) {
        Some((_, rest)) => Ok((rest, ())),
        None => skip_any_string(i, limit),
    }
}

#[inline(never)]
fn skip_any_string(i: &[u8], limit: u64) -> Parse<'_, ()> {
    match length_or_mark(i)? {
        (rest, Length::Plain(len)) => {
            match rest.get(usize::try_from(len).unwrap_or(usize::MAX)..) {
                Some(rest) => Ok((rest, ())),
                None if len > limit => too_long(i, len, limit),
                None => short(i, len, rest.len()),
            }
        }
        (rest, Length::Encoded(mark @ 0..=2)) => skip_bytes(rest, 1 << mark),
        (_, Length::Encoded(_)) => {
            let (rest, string) = super::string::string(i)?;
            match string {
                // What could not expand so far is told by the walk: its framing is sound.
                crate::element::Str::Lzf { compressed, len }
                    if len > limit && len / LZF_RATIO <= compressed.len() as u64 =>
                {
                    too_long(i, len, limit)
                }
                _ => Ok((rest, ())),
            }
        }
    }
}

#[cold]
fn short(i: &[u8], len: u64, left: usize) -> Parse<'_, ()> {
    let found = format!("{left} bytes, then the end");
    Fault::err(Code::RdbTruncated, i, i.len(), format!("a string of {len} bytes"), found)
}

#[cold]
fn too_long(i: &[u8], len: u64, limit: u64) -> Parse<'_, ()> {
    Fault::err(
        Code::StringLimit,
        i,
        9,
        format!("a string of at most {limit} bytes"),
        format!("{len} bytes"),
    )
}

fn skip_bytes(i: &[u8], count: u64) -> Parse<'_, ()> {
    match i.get(usize::try_from(count).unwrap_or(usize::MAX)..) {
        Some(rest) => Ok((rest, ())),
        None => Fault::truncated(i, format!("{count} bytes")),
    }
}
