//! x

use super::digest::Fold;
use super::{DataType, Type};

/// x
#[derive(Debug, Clone, Default)]
pub struct List {}

impl DataType for List {
    const TYPE: Type = Type::List;
    super::arm!(List);

    fn len(&self) -> usize {
        0
    }

    fn memory(&self) -> usize {
        0
    }

    fn encoding(&self) -> &'static str {
        "quicklist"
    }

    fn digest(&self, _fold: &mut Fold) {}
}
