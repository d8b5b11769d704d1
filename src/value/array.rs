//! Arrays (Redis 8.8). **Placeholder**: the type's builder fills it; until then it holds nothing.

use super::digest::Fold;
use super::{DataType, Type};

/// An array.
#[derive(Debug, Clone, Default)]
pub struct Array {}

impl DataType for Array {
    const TYPE: Type = Type::Array;
    super::arm!(Array);

    fn len(&self) -> usize {
        0
    }

    fn memory(&self) -> usize {
        0
    }

    fn encoding(&self) -> &'static str {
        "array"
    }

    fn digest(&self, _fold: &mut Fold) {}
}
