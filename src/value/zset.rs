//! x

use super::digest::Fold;
use super::{DataType, Type};

/// x
#[derive(Debug, Clone, Default)]
pub struct Zset {}

impl DataType for Zset {
    const TYPE: Type = Type::Zset;
    super::arm!(Zset);

    fn len(&self) -> usize {
        0
    }

    fn memory(&self) -> usize {
        0
    }

    fn encoding(&self) -> &'static str {
        "skiplist"
    }

    fn digest(&self, _fold: &mut Fold) {}
}
