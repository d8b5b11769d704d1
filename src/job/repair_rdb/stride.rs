//! Stepping over a value at a place of which nobody knows whether it is one. Of what is none, a length may claim
//! gigabytes and a count millions, so the parts that were looked at are counted, and nothing is believed that the
//! file has no room for.

use super::unit::LEN_MAX;
use crate::error::{Fault, fault_of};
use crate::finding::Code;
use crate::rdb::length::{Length, length, length_or_mark};
use crate::rdb::shape::{Branch, Shape, skip};

/// A value that is stepped over.
#[derive(Debug)]
pub(super) struct Stride {
    /// Bytes that the file has behind those at hand.
    beyond: u64,
    /// Parts that were looked at.
    pub(super) parts: u64,
    /// Bytes that the string that was met last needs beside those at hand.
    pub(super) missing: u64,
}

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It is none.
    Bad,
    /// The bytes at hand do not tell.
    Short,
}

impl Stop {
    /// What a parser's failure means: the bytes at hand may only be too few.
    pub(super) fn of(err: nom::Err<Fault>) -> Stop {
        if fault_of(err).code() == Code::RdbTruncated { Stop::Short } else { Stop::Bad }
    }
}

impl Stride {
    /// Of a value in a file that has so many bytes behind those at hand.
    pub(super) fn new(beyond: u64) -> Stride {
        Stride { beyond, parts: 0, missing: 0 }
    }

    /// What is behind a value of this shape.
    pub(super) fn over<'a>(&mut self, shape: &[Shape], mut i: &'a [u8]) -> Result<&'a [u8], Stop> {
        for part in shape {
            self.parts += 1;
            i = match *part {
                Shape::Str => self.string(i)?,
                Shape::Rep(body) => {
                    let (rest, count) = length(i).map_err(Stop::of)?;
                    self.times(body, count, rest)?
                }
                Shape::RepAfter(head, body) => {
                    let (rest, count) = length(i).map_err(Stop::of)?;
                    let rest = self.over(head, rest)?;
                    self.times(body, count, rest)?
                }
                Shape::Tag(_, branches) => {
                    let (rest, tag) = length(i).map_err(Stop::of)?;
                    self.over(branch(branches, tag)?, rest)?
                }
                Shape::Until(_, branches) => loop {
                    let (rest, tag) = length(i).map_err(Stop::of)?;
                    if tag == 0 {
                        break rest;
                    }
                    i = self.over(branch(branches, tag)?, rest)?;
                },
                Shape::Len | Shape::Bin(_) | Shape::Dbl | Shape::Unframed => {
                    skip(std::slice::from_ref(part), i, LEN_MAX).map_err(Stop::of)?.0
                }
            };
        }
        Ok(i)
    }

    /// A string that the file has no room for is none; that takes no look at its bytes.
    fn string<'a>(&mut self, i: &'a [u8]) -> Result<&'a [u8], Stop> {
        let (rest, len) = match length_or_mark(i).map_err(Stop::of)? {
            (rest, Length::Plain(len)) => (rest, len),
            (_, Length::Encoded(_)) => {
                return Ok(skip(&[Shape::Str], i, LEN_MAX).map_err(Stop::of)?.0);
            }
        };
        match rest.get(usize::try_from(len).unwrap_or(usize::MAX)..) {
            Some(rest) => Ok(rest),
            None if len > LEN_MAX.min(self.room(rest)) => Err(Stop::Bad),
            None => {
                self.missing = len - rest.len() as u64;
                Err(Stop::Short)
            }
        }
    }

    fn times<'a>(&mut self, body: &[Shape], count: u64, mut i: &'a [u8]) -> Result<&'a [u8], Stop> {
        // Each takes a byte at least.
        if count > self.room(i) {
            return Err(Stop::Bad);
        }
        if let [Shape::Bin(each)] = *body {
            let len = count.saturating_mul(each as u64);
            return match i.get(usize::try_from(len).unwrap_or(usize::MAX)..) {
                Some(rest) => Ok(rest),
                None if len > LEN_MAX.min(self.room(i)) => Err(Stop::Bad),
                None => Err(Stop::Short),
            };
        }
        for _ in 0..count {
            i = self.over(body, i)?;
        }
        Ok(i)
    }

    /// Bytes from here to the end of the file.
    fn room(&self, i: &[u8]) -> u64 {
        self.beyond + i.len() as u64
    }
}

fn branch(branches: &[Branch], tag: u64) -> Result<&'static [Shape], Stop> {
    let found = branches.iter().find(|(known, _)| *known == tag);
    found.map(|(_, shape)| *shape).ok_or(Stop::Bad)
}
