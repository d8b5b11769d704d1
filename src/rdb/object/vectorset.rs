//! Vector sets, the module type `vectorset` of Redis 8.0 and later (FORMATS A.5):
//!
//! ```text
//! UINT dimension, UINT count, UINT config, UINT flags
//!   config: bits 0-7 quantization (0 f32, 1 int8, 2 binary), bits 8-23 M
//!   flags:  bit 0 projection matrix, bit 1 attributes
//! [UINT input-dimension, STRING matrix of f32le]
//! count x { STRING element, [STRING attributes], STRING vector, UINT n, n x UINT }
//! ```
//! A set that commands built is written by its `draft`, with a `graph` of its own.

mod draft;
mod graph;

pub use self::draft::Draft;

use super::super::length::length;
use super::super::string::string;
use super::super::walk::{Step, Walker};
use crate::element::{Element, Quantization, Scale, Str, Visit};
use crate::error::{Fault, Parse};
use crate::finding::Code;

const UINT: u64 = 2;
const STRING: u64 = 5;

/// Walks the data after the module id. Its framing has been checked.
pub fn walk(i: &[u8], walker: &mut Walker, visit: &mut dyn Visit) -> Step {
    let (i, dimension) = uint(i)?;
    let (config_at, count) = uint(i)?;
    let (i, config) = uint(config_at)?;
    let (mut i, flags) = uint(i)?;
    let quantization = match config & 0xff {
        0 => Quantization::F32,
        1 => Quantization::Int8,
        2 => Quantization::Binary,
        other => {
            let found = format!("quantization {other}");
            return Fault::err(Code::VectorSet, config_at, 1, "quantization 0, 1 or 2", found);
        }
    };
    let mut input_dimension = None;
    if flags & 1 != 0 {
        let (matrix_at, input) = uint(i)?;
        let (rest, matrix) = text(matrix_at, walker)?;
        let expected = input.saturating_mul(dimension).saturating_mul(4);
        check_len(matrix, expected, matrix_at, walker, "projection matrix");
        input_dimension = Some(input);
        i = rest;
    }
    let m = config >> 8 & 0xffff;
    visit.element(Element::VectorSet { dimension, count, quantization, m, input_dimension });
    let vector_len = match quantization {
        Quantization::F32 => dimension.saturating_mul(4),
        Quantization::Int8 => dimension,
        Quantization::Binary => dimension.div_ceil(64).saturating_mul(8),
    };
    for _ in 0..count {
        let element_at = i;
        let (mut rest, element) = text(element_at, walker)?;
        walker.unique(element, element_at, Code::DupMember);
        let mut attributes = None;
        if flags & 2 != 0 {
            let (after, attribute) = text(rest, walker)?;
            attributes = Some(attribute).filter(|a| !a.is_empty());
            rest = after;
        }
        let (after, vector) = text(rest, walker)?;
        check_len(vector, vector_len, rest, walker, "vector");
        let (after, scale) = node(after)?;
        visit.element(Element::Vector { element, attributes, vector, given: None, scale });
        i = after;
    }
    match length(i)? {
        (_, 0) => Ok(()),
        (_, opcode) => {
            let found = format!("opcode {opcode}");
            Fault::err(Code::VectorSet, i, 1, format!("the end after {count} elements"), found)
        }
    }
}

/// What the graph knows of an element: `n, id, version << 24 | level`, for each level from 0 on
/// `links, max-links, link ids, worst`, and last the range and length bits; n counts all of them.
fn node(i: &[u8]) -> Parse<'_, Scale> {
    let (rest, count) = uint(i)?;
    let (rest, _id) = uint(rest)?;
    let (mut rest, level) = uint(rest)?;
    let mut seen = 2u64;
    for _ in 0..=(level & 0xff) {
        let (after, links) = uint(rest)?;
        seen = seen.saturating_add(links).saturating_add(3);
        if seen >= count {
            let expected = format!("the links of {} levels in {count} numbers", (level & 0xff) + 1);
            return Fault::err(Code::VectorSet, rest, 1, expected, format!("{links} links more"));
        }
        rest = after;
        for _ in 0..links.saturating_add(2) {
            rest = uint(rest)?.0;
        }
    }
    let (rest, scale) = uint(rest)?;
    match seen + 1 == count {
        true => Ok((rest, Scale::from_bits(scale))),
        false => {
            let found = format!("{}", seen + 1);
            Fault::err(Code::VectorSet, i, 1, format!("{count} numbers of a node"), found)
        }
    }
}

fn check_len(string: Str<'_>, want: u64, at: &[u8], walker: &mut Walker, what: &'static str) {
    if string.len() != want {
        let found = format!("{} bytes", string.len());
        walker.note(Code::VectorSet, at, 1, format!("a {what} of {want} bytes"), found);
    }
}

fn opcode(i: &[u8], wanted: u64, name: &'static str) -> Result<(), nom::Err<Fault>> {
    match length(i)? {
        (_, found) if found == wanted => Ok(()),
        (_, found) => Fault::err(Code::VectorSet, i, 1, name, format!("opcode {found}")),
    }
}

fn uint(i: &[u8]) -> Parse<'_, u64> {
    opcode(i, UINT, "a UINT")?;
    length(length(i)?.0)
}

fn text<'a>(i: &'a [u8], walker: &mut Walker) -> Parse<'a, Str<'a>> {
    opcode(i, STRING, "a STRING")?;
    let at = length(i)?.0;
    let (rest, text) = string(at)?;
    walker.check_text(text, at);
    Ok((rest, text))
}
