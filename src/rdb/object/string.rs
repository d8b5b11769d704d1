//! Strings (RDB type 0).

use super::super::encode::{Pen, Texts};
use super::super::string::string;
use super::super::types::RdbType;
use super::super::walk::Walker;
use crate::element::{Element, Visit};
use crate::error::Parse;
use crate::loss::Loss;

/// Type 0: `str`.
pub fn text<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, value) = string(i)?;
    walker.text(value, i, visit);
    Ok((rest, ()))
}

/// A string being gathered.
#[derive(Debug, Default)]
pub struct Draft {
    text: Texts,
}

impl Draft {
    /// Forgets it.
    pub fn clear(&mut self) {
        self.text.clear();
    }

    /// Appends it: type 0, which every server reads.
    ///
    /// # Errors
    /// None: the result is that of all drafts.
    pub fn write(&self, pen: &mut Pen, out: &mut Vec<u8>) -> Result<&'static RdbType, Loss> {
        let row = pen.target.row(&[0]).ok_or(Loss::Type)?;
        pen.strings.write(self.text.get(0), out);
        Ok(row)
    }
}

impl Visit for Draft {
    fn element(&mut self, element: Element<'_>) {
        if let Element::Text(text) = element {
            self.text.push(text);
        }
    }
}
