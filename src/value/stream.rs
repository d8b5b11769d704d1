//! Streams. **Placeholder**: the type's builder fills it; until then it holds nothing.

use super::digest::Fold;
use super::{DataType, Type};

/// A stream.
#[derive(Debug, Clone, Default)]
pub struct Stream {}

impl DataType for Stream {
    const TYPE: Type = Type::Stream;
    super::arm!(Stream);

    fn len(&self) -> usize {
        0
    }

    fn memory(&self) -> usize {
        0
    }

    fn encoding(&self) -> &'static str {
        "stream"
    }

    fn digest(&self, _fold: &mut Fold) {}
}
