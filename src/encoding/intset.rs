//! To come.
#![allow(missing_docs, unused)]
use crate::error::Fault;
#[derive(Debug)]
pub struct Ints<'a>(&'a [u8]);
pub fn ints(b: &[u8]) -> Result<Ints<'_>, nom::Err<Fault>> {
    Ok(Ints(b))
}
impl Ints<'_> {
    pub fn check_order(&self) -> Result<(), nom::Err<Fault>> {
        Ok(())
    }
}
impl Iterator for Ints<'_> {
    type Item = i64;
    fn next(&mut self) -> Option<i64> {
        None
    }
}
