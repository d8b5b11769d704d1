//! Module values (RDB types 6 and 7): framed by their opcodes and kept as they are. Vector sets, which
//! Redis has built in, are looked into ([`super::vectorset`]).

use super::super::encode::Pen;
use super::super::length::{length, write_length};
use super::super::shape::{MODULE_DATA, skip};
use super::super::types::RdbType;
use super::super::walk::Walker;
use super::vectorset;
use crate::element::{Element, ModuleId, Visit};
use crate::error::{Fault, Parse};
use crate::finding::Code;
use crate::loss::Loss;

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

/// A module's value being gathered.
#[derive(Debug, Default)]
pub struct Draft {
    id: Option<ModuleId>,
    data: Vec<u8>,
    vectors: vectorset::Draft,
}

impl Draft {
    /// Forgets it.
    pub fn clear(&mut self) {
        self.id = None;
        self.data.clear();
        self.vectors.clear();
    }

    /// Appends it as it came; a vector set that commands built as a server would write it.
    ///
    /// # Errors
    /// When the target has no modules, or no vector sets; and for a vector set whose graph is not to be made.
    pub fn write(&mut self, pen: &mut Pen, out: &mut Vec<u8>) -> Result<&'static RdbType, Loss> {
        let row = pen.target.row(&[7]).ok_or(Loss::Type)?;
        let id = self.id.unwrap_or(ModuleId::VECTORSET);
        if id == ModuleId::VECTORSET && !pen.target.release.vectorset {
            return Err(Loss::Type);
        }
        if self.id.is_none() && !pen.makes_graphs {
            return Err(Loss::VectorGraph);
        }
        let start = out.len();
        write_length(id.0, out);
        match self.id {
            Some(_) => out.extend_from_slice(&self.data),
            None if self.vectors.write(&mut pen.strings, out) => {}
            None => {
                out.truncate(start);
                return Err(Loss::VectorGraph);
            }
        }
        Ok(row)
    }
}

impl Visit for Draft {
    fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Module { id, data } => {
                self.id = Some(id);
                self.data.extend_from_slice(data);
            }
            other => self.vectors.element(other),
        }
    }
}
