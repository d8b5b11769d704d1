//! Values of modules, kept as they lay in the file: what they mean only the module knows.
//!
//! An RDB names the type by 64 bits: nine characters of six bits, and a version of ten bits
//! (FORMATS A.5). The payload is everything behind that, up to and with the closing 0.

use super::digest::Fold;
use super::{DataType, Type, block};
use crate::element::ModuleId;

/// A module's value.
#[derive(Debug, Clone)]
pub struct Module {
    id: u64,
    payload: Box<[u8]>,
    name: String,
}

impl Module {
    /// A value of the type with this id, its payload as it lay in the file.
    pub fn new(id: u64, payload: impl Into<Box<[u8]>>) -> Module {
        Module { id, payload: payload.into(), name: ModuleId(id).name() }
    }

    /// The type's id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The type's name, nine characters.
    pub fn type_name(&self) -> &str {
        &self.name
    }

    /// The version in the id.
    pub fn version(&self) -> u16 {
        ModuleId(self.id).encver()
    }
}

impl DataType for Module {
    const TYPE: Type = Type::Module;
    super::arm!(Module);

    /// Not known: a module's value is never empty.
    fn len(&self) -> usize {
        1
    }

    fn memory(&self) -> usize {
        block(size_of::<Module>()) + block(self.payload.len()) + block(self.name.len())
    }

    fn encoding(&self) -> &'static str {
        "raw"
    }

    /// Types without a digest of their own add nothing. (A vector set has one.)
    fn digest(&self, _: &mut Fold) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_version_are_in_the_id() {
        let id = b"ReJSON-RL".iter().fold(0u64, |id, letter| {
            id << 6
                | b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                    .iter()
                    .position(|l| l == letter)
                    .unwrap_or(0) as u64
        });
        let module = Module::new(id << 10 | 3, *b"\0");
        assert_eq!((module.type_name(), module.version()), ("ReJSON-RL", 3));
    }
}
