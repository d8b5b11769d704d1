//! rdbtool reads, checks and examines the dump files of Redis and Valkey. It is a program first; this page is
//! the map of its parts, for whoever reads or changes them, or wants to use them as a library.
//!
//! # What is in a dump?
//!
//! ```
//! use rdbtool::input::source::{Input, open};
//! use rdbtool::job::check::{Options, Verdict, check_rdb};
//!
//! # fn main() -> rdbtool::error::Result<()> {
//! let input = Input::File("testdata/dump.rdb".into());
//! let source = open(&input, |_bytes_read| {})?;
//! let report = check_rdb(source, &input, &Options::default())?;
//!
//! assert_eq!(report.verdict(), Verdict::Ok);
//! assert_eq!(report.facts.aux_value(b"redis-ver"), Some(&b"8.2.3"[..]));
//! assert_eq!(report.facts.keys().keys, 1825);
//! for finding in &report.findings {
//!     println!("{:#x} {}: {}", finding.span.start, finding.code, finding.code.about());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The way of a file
//!
//! ```text
//! input ──► rdb::skim ──► chunks of whole records ──► workers ──► in the order of the file ──► report
//!  file,     finds where    about 1 MiB, each with      rdb::reader: records
//!  stdin,    each record    its offset and database     rdb::walk:   the inside of values
//!  gz, zst   ends; sums
//! ```
//!
//! [`input`] opens files read-only and takes compression off. [`rdb::skim`] steps over records by the *shape* of
//! their type, without looking into them, sums the checksum and cuts the stream into chunks of whole records.
//! Workers take chunks on their own: [`rdb::reader`] makes [`record`]s of them, and a value's walk hands its
//! [`element`]s to a visitor. Results come back in the order of the file, so that output and first error are the
//! same for every number of threads. Memory is a few chunks and the largest single record, never the file.
//!
//! # Five decisions
//!
//! 1. **One table of types, one of opcodes** ([`rdb::types`], [`rdb::opcodes`]), keyed by dialect and byte, since
//!    Redis and Valkey give some bytes different meanings. A row carries the shape, the walk, the names and a line
//!    for the manual. A new encoding of a known type, which is what most releases bring, is a row and a walk.
//! 2. **Decoding is validating.** The walk that reads a value is the one that checks it; `check` is a walk into
//!    nothing. There is no second checker to drift.
//! 3. **Damage is data.** What is wrong becomes a [`finding`] with a stable code, an absolute offset, and what was
//!    expected; reading goes on wherever the next record can be found. An [`error`] is only what keeps a
//!    job from being done at all.
//! 4. **A claimed length allocates nothing.** Bytes must be there first, and every bound is in [`limits`]. Nothing
//!    recurses on input, and there is no `unsafe`.
//! 5. **Jobs print nothing.** [`job`]s take options and return reports; the private module `report` alone turns those into text
//!    and JSON, and escapes whatever came from a file; [`cli`] turns arguments into options, one file a verb.
//!
//! Arrows point one way, and `tests/tidy.rs` keeps them so:
//! `cli → report → job → {input, persist, text} → rdb → {record, element} → encoding → {finding, error, limits}`. The store that replays
//! files, [`engine`] over [`value`]s, knows no file format; [`store`] gives it files of its own, [`serve`]
//! puts sockets before it, and [`drill`] crashes it. Only [`persist`] creates, renames, cuts or removes files: a crash at
//! any moment leaves the old file or the new one.
//!
//! # What comes from elsewhere
//!
//! RDB and the engine are written here. For the rest there are crates that do it better than we would:
//!
//! | crate | for |
//! |---|---|
//! | nom | parsers over slices; the fault type is our own, with a place in it |
//! | crc-fast | CRC-64 at memory speed; combining two sums is ours |
//! | crc64fast | CRC-64/XZ, of the blocks of a seal |
//! | hashbrown, twox-hash | tables and seeded hashes for finding duplicates, which an attacker must not steer; DIGEST |
//! | sha1 | the digest of DEBUG DIGEST |
//! | mlua | scripts of old logs: Lua 5.1, built from source |
//! | fastrand | commands that choose at random |
//! | imara-diff | the edits between two lists, in bounded time |
//! | hdrhistogram | medians and percentiles in constant memory |
//! | memchr | separators in names, found many bytes at a time; in the tree anyway, of nom |
//! | flate2, zstd | gzip and zstd inputs |
//! | tempfile | space for key hashes beyond memory |
//! | rustix | names looked up in an open folder, renames that replace nothing, pipes that nobody reads: what std has not |
//! | signal-hook | temporary files that go when a signal ends the run |
//! | mio | sockets of `serve`: one thread waits for all of them |
//! | clap, clap_complete, clap_mangen, roff | arguments, completions, manual pages |
//! | anyhow | errors on their way out of a verb |
//! | serde, serde_json, base64 | JSON reports; reading JSON Lines |
//! | unicode-width, terminal_size, anstream, anstyle, indicatif | text on a terminal |
//! | jiff | calendar dates |

pub mod aof;
pub mod cli;
pub mod drill;
pub mod element;
pub mod encoding;
pub mod engine;
pub mod error;
pub mod fill;
pub mod finding;
pub mod glob;
pub mod input;
pub mod job;
pub mod join;
pub mod limits;
pub mod loss;
pub mod periodic;
pub mod persist;
pub mod rdb;
pub mod record;
pub mod repeats;
mod report;
mod room;
pub mod serve;
pub mod store;
pub mod text;
pub mod value;
