//! To come.
#![allow(missing_docs, unused)]
use super::Entry;
use crate::error::Fault;
#[derive(Debug)]
pub struct Entries<'a>(&'a [u8]);
impl<'a> Entries<'a> {
    pub fn new(b: &'a [u8]) -> Result<Self, nom::Err<Fault>> {
        Ok(Entries(b))
    }
    pub fn remaining(&self) -> &'a [u8] {
        self.0
    }
    pub fn next_entry(&mut self) -> Result<Option<Entry<'a>>, nom::Err<Fault>> {
        Ok(None)
    }
}
