//! Scripts, as servers up to 4.0 logged them: run by Lua 5.1, with the data within reach and nothing else.
//!
//! ```text
//! cmd/script ──► run ──► vm: a Lua machine, its libraries, its budgets     prelude.lua: what a script finds
//!                 │       convert: replies to values and back              cjson, cmsgpack, struct: the libraries
//!                 └─► redis.call ──► the engine
//! ```
//! A machine belongs to a thread, not to an engine: between two scripts it keeps nothing but compiled code.

mod cjson;
mod convert;
mod json;
mod library;
mod msgpack;
mod packing;
mod random;
mod run;
mod vm;

use std::collections::BTreeMap;
use std::fmt::Write;

pub use run::{Script, run};
use sha1::{Digest, Sha1};

use super::failure::Failure;

/// The scripts that EVALSHA knows, by the SHA-1 of their code in hexadecimal.
#[derive(Debug, Default)]
pub struct Scripts {
    known: BTreeMap<String, Vec<u8>>,
    bytes: usize,
    /// What scripts have told `cjson`: it stays so for those that follow, until they are all forgotten.
    cjson: cjson::Settings,
}

impl Scripts {
    /// Makes a script known; the answer is its name.
    pub fn add(&mut self, code: &[u8]) -> String {
        let name = sha1hex(code);
        if self.known.insert(name.clone(), code.to_vec()).is_none() {
            self.bytes += code.len() + name.len();
        }
        name
    }

    /// The code of this name, in any case.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        self.known.get(&name).map(Vec::as_slice)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Scripts::default();
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.bytes
    }
}

/// SHA-1 in hexadecimal.
fn sha1hex(bytes: &[u8]) -> String {
    Sha1::digest(bytes).iter().fold(String::with_capacity(40), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Does this code compile?
///
/// # Errors
/// As a server words them.
pub fn check(code: &[u8]) -> Result<(), Failure> {
    vm::with(|vm| vm.compile(&sha1hex(code), code).map(drop))
}
