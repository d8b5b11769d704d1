//! x

use super::digest::Fold;
use super::{DataType, Type};

/// x
#[derive(Debug, Clone, Default)]
pub struct Hash {}

impl DataType for Hash {
    const TYPE: Type = Type::Hash;
    super::arm!(Hash);

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
