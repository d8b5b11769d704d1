//! The data types as the engine holds them, one file a type. Small collections stay in the packed
//! bytes (listpack, intset) that servers hold and RDB files carry, so loading and saving one is a copy;
//! larger ones unfold into tables by the usual limits ([`PackedLimits`]).

use self::digest::Fold;

pub mod array;
mod bytes;
pub mod dict;
pub mod digest;
mod elements;
mod hash;
pub mod hll;
mod intset;
mod list;
mod module;
mod packed;
mod same;
mod set;
mod sieve;
pub mod stream;
mod string;
pub mod vectorset;
pub mod zset;

pub use array::Array;
pub use bytes::Bytes;
pub use hash::{FieldRef, Hash, HashRef};
pub use intset::Intset;
pub use list::{End, List, Node, NodeRef};
pub use module::Module;
pub use packed::Packed;
pub use set::{Set, SetRef};
pub use stream::Stream;
pub use string::Str;
pub use vectorset::VectorSet;
pub use zset::Zset;

pub use crate::limits::PackedLimits;

/// The data types, with the numbers that `DEBUG DIGEST` takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Type {
    /// A string.
    String = 0,
    /// A list.
    List = 1,
    /// A set.
    Set = 2,
    /// A sorted set.
    Zset = 3,
    /// A hash.
    Hash = 4,
    /// A value of a module.
    Module = 5,
    /// A stream.
    Stream = 6,
    /// An array (Redis 8.8).
    Array = 7,
}

impl Type {
    /// The answer of `TYPE` (a module's value answers with its own name, see [`Value::type_name`]).
    pub fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::List => "list",
            Type::Set => "set",
            Type::Zset => "zset",
            Type::Hash => "hash",
            Type::Module => "module",
            Type::Stream => "stream",
            Type::Array => "array",
        }
    }
}

/// What the engine asks of every data type. To add a type: a file with a struct that implements this,
/// an arm of [`Value`] and of its `each!` macro, a row of [`Type`].
pub trait DataType: Sized {
    /// Which one it is.
    const TYPE: Type;
    /// This type inside a value, if it is this type. (`arm!` writes these three.)
    fn of(value: &Value) -> Option<&Self>;
    /// The same, to change it.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    /// The value made of it.
    fn into_value(self) -> Value;

    /// Elements (bytes of a string, live entries of a stream).
    fn len(&self) -> usize;
    /// No elements? Collections that become empty lose their key.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Bytes on the heap, near enough, **in constant time**: it is asked at every change.
    fn memory(&self) -> usize;
    /// The answer of `OBJECT ENCODING` by the newest servers.
    fn encoding(&self) -> &'static str;
    /// What it adds to its digest (FORMATS D), behind the type number.
    fn digest(&self, fold: &mut Fold);
}

/// Writes the three conversions of [`DataType`] for the arm of [`Value`] with this name.
macro_rules! arm {
    ($arm:ident) => {
        fn of(value: &$crate::value::Value) -> Option<&Self> {
            match value {
                $crate::value::Value::$arm(this) => Some(this),
                _ => None,
            }
        }
        fn of_mut(value: &mut $crate::value::Value) -> Option<&mut Self> {
            match value {
                $crate::value::Value::$arm(this) => Some(this),
                _ => None,
            }
        }
        fn into_value(self) -> $crate::value::Value {
            $crate::value::Value::$arm(self.into())
        }
    };
}
use arm;

/// What a key holds. 32 bytes; whatever is larger is boxed.
#[derive(Debug, Clone)]
pub enum Value {
    /// A string.
    Str(Str),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A sorted set.
    Zset(Zset),
    /// A hash.
    Hash(Hash),
    /// A stream.
    Stream(Box<Stream>),
    /// An array.
    Array(Box<Array>),
    /// A module's value.
    Module(Box<Module>),
    /// A vector set, the module type that is known.
    VectorSet(Box<VectorSet>),
}

/// Does the same with whichever type a value holds.
macro_rules! each {
    ($value:expr, $this:ident => $do:expr) => {
        match $value {
            Value::Str($this) => $do,
            Value::List($this) => $do,
            Value::Set($this) => $do,
            Value::Zset($this) => $do,
            Value::Hash($this) => $do,
            Value::Stream($this) => $do,
            Value::Array($this) => $do,
            Value::Module($this) => $do,
            Value::VectorSet($this) => $do,
        }
    };
}

impl Value {
    /// Which type it is.
    pub fn data_type(&self) -> Type {
        match self {
            Value::Str(_) => Type::String,
            Value::List(_) => Type::List,
            Value::Set(_) => Type::Set,
            Value::Zset(_) => Type::Zset,
            Value::Hash(_) => Type::Hash,
            Value::Stream(_) => Type::Stream,
            Value::Array(_) => Type::Array,
            Value::Module(_) | Value::VectorSet(_) => Type::Module,
        }
    }

    /// Elements (bytes of a string).
    pub fn len(&self) -> usize {
        each!(self, this => this.len())
    }

    /// No elements?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes on the heap, near enough.
    pub fn memory(&self) -> usize {
        each!(self, this => this.memory())
    }

    /// The answer of `OBJECT ENCODING`.
    pub fn encoding(&self) -> &'static str {
        each!(self, this => this.encoding())
    }

    /// What it adds to its digest.
    pub fn digest(&self, fold: &mut Fold) {
        each!(self, this => this.digest(fold));
    }

    /// The answer of `TYPE`.
    pub fn type_name(&self) -> &str {
        match self {
            Value::Module(module) => module.type_name(),
            Value::VectorSet(_) => "vectorset",
            other => other.data_type().name(),
        }
    }
}

impl Default for Value {
    /// The empty string.
    fn default() -> Self {
        Value::Str(Str::default())
    }
}

impl<T: DataType> From<T> for Value {
    fn from(this: T) -> Value {
        this.into_value()
    }
}

/// Bytes an allocator takes for a block of `len`: a header of eight, in steps of sixteen.
fn block(len: usize) -> usize {
    match len {
        0 => 0,
        _ => (len.saturating_add(8 + 15) & !15).max(32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_32_bytes() {
        assert_eq!(size_of::<Value>(), 32);
        assert_eq!(size_of::<Option<Value>>(), 32);
    }
}
