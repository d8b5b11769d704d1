//! Module values (RDB types 6 and 7): framed by their opcodes and kept as they are. Vector sets, which
//! Redis has built in, are looked into ([`super::vectorset`]).

use super::super::length::length;
use super::super::shape::{MODULE_DATA, skip};
use super::super::walk::Walker;
use super::vectorset;
use crate::element::{Element, ModuleId, Visit};
use crate::error::{Fault, Parse};
use crate::finding::Code;

/// Type 7: `len module-id, { len opcode, data }*, len 0`.
pub fn value<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (start, id) = length(i)?;
    let id = ModuleId(id);
    let (rest, ()) = skip(&[MODULE_DATA], start, walker.limits.string)?;
    let data = start.get(..start.len() - rest.len()).unwrap_or_default();
    if id == ModuleId::VECTORSET
        && let Err(err) = vectorset::walk(start, walker, visit)
    {
        walker.report(crate::error::fault_of(err).recode(Code::VectorSet));
    }
    visit.element(Element::Module { id, data });
    Ok((rest, ()))
}

/// Type 6: nothing tells where it ends.
pub fn pre_ga<'a>(i: &'a [u8], _: &mut Walker, _: &mut dyn Visit) -> Parse<'a, ()> {
    let expected = "a value that tells where it ends";
    Fault::err(Code::ModulePreGa, i, i.len(), expected, "a module value of the 4.0 candidates")
}

/// A type that is framed by its row and not understood.
pub fn provisional<'a>(i: &'a [u8], _: &mut Walker, _: &mut dyn Visit) -> Parse<'a, ()> {
    Ok((&i[i.len()..], ()))
}
