//! What the tests of several encodings share.
#![allow(clippy::panic)]

use crate::error::{Fault, fault_of};
use crate::finding::Code;

/// The bytes that `text` spells in hex.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap_or_else(|| panic!("{text}")) as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The rows of a table of packed bytes that servers wrote, and the elements they hold.
pub(crate) fn packed_rows(table: &str) -> impl Iterator<Item = (Vec<u8>, Vec<Vec<u8>>)> {
    table.lines().skip(1).map(|line| match line.split_once('\t') {
        Some((blob, elements)) => (hex(blob), elements.split(',').map(hex).collect()),
        None => panic!("{line}"),
    })
}

/// Every prefix of `blob`, and `blob` with each byte set to each value.
pub(crate) fn damaged(blob: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let prefixes = (0..blob.len()).map(|len| blob[..len].to_vec());
    let flips = (0..blob.len()).flat_map(move |at| {
        (0..=255).map(move |byte| {
            let mut flipped = blob.to_vec();
            flipped[at] = byte;
            flipped
        })
    });
    prefixes.chain(flips)
}

/// The code of the fault and where in `blob` it lies.
pub(crate) fn place(err: nom::Err<Fault>, blob: &[u8]) -> (Code, usize) {
    let fault = fault_of(err);
    assert!(fault.rest() <= blob.len() && fault.len() <= fault.rest());
    (fault.code(), blob.len() - fault.rest())
}
