//! x

use super::digest::Fold;
use super::{DataType, Type};

/// x
#[derive(Debug, Clone, Default)]
pub struct Set {}

impl DataType for Set {
    const TYPE: Type = Type::Set;
    super::arm!(Set);

    fn len(&self) -> usize {
        0
    }

    fn memory(&self) -> usize {
        0
    }

    fn encoding(&self) -> &'static str {
        "hashtable"
    }

    fn digest(&self, _fold: &mut Fold) {}
}
