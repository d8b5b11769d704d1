//! To come.
#![allow(missing_docs, unused)]
use crate::error::Fault;
#[derive(Debug)]
pub struct Pairs<'a>(&'a [u8]);
impl<'a> Pairs<'a> {
    pub fn new(b: &'a [u8]) -> Result<Self, nom::Err<Fault>> {
        Ok(Pairs(b))
    }
    pub fn remaining(&self) -> &'a [u8] {
        self.0
    }
    pub fn next_pair(&mut self) -> Result<Option<(&'a [u8], &'a [u8])>, nom::Err<Fault>> {
        Ok(None)
    }
}
