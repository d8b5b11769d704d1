//! Strings (RDB type 0).

use super::super::string::string;
use super::super::walk::Walker;
use crate::element::{Element, Visit};
use crate::error::Parse;

/// Type 0: `str`.
pub fn text<'a>(i: &'a [u8], walker: &mut Walker, visit: &mut dyn Visit) -> Parse<'a, ()> {
    let (rest, value) = string(i)?;
    walker.check_text(value, i);
    visit.element(Element::Text(value));
    Ok((rest, ()))
}
