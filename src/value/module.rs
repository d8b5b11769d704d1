//! x

use super::digest::Fold;
use super::{DataType, Type};

/// x
#[derive(Debug, Clone, Default)]
pub struct Module {}

impl Module {
    /// The module's own name of the type.
    pub fn type_name(&self) -> &str {
        "module"
    }
}

impl DataType for Module {
    const TYPE: Type = Type::Module;
    super::arm!(Module);

    fn len(&self) -> usize {
        0
    }

    fn memory(&self) -> usize {
        0
    }

    fn encoding(&self) -> &'static str {
        "module"
    }

    fn digest(&self, _fold: &mut Fold) {}
}
