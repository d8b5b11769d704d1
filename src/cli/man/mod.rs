//! Manual pages, made from the arguments and tables of the program itself, so that they cannot say
//! anything else: `rdbtool generate man man` writes them, a test compares.

mod aof5;
mod jsonl5;
mod rdb5;
mod seal5;
mod verbs;

use std::io;

/// File names and contents of all pages.
///
/// # Errors
/// None in practice: pages are made in memory.
pub(super) fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut pages = verbs::pages()?;
    pages.push(("rdb.5".to_owned(), rdb5::page().into_bytes()));
    pages.push(("aof.5".to_owned(), aof5::page().into_bytes()));
    pages.push(("rdbtool-jsonl.5".to_owned(), jsonl5::page().into_bytes()));
    pages.push(("rdbtool-seal.5".to_owned(), seal5::page().into_bytes()));
    Ok(pages)
}
