//! `convert`: every golden RDB for every server. What the target can hold is the same afterwards, key by
//! key; what it cannot is a loss with the key's name, and nothing else is missing. Live servers load what
//! was made for them and say that it is the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod cli;
mod commands;
#[path = "../support/crash.rs"]
mod crash;
mod damaged;
mod every_target;
mod expires;
#[path = "../support/golden.rs"]
mod golden;
#[path = "../support/golden_set.rs"]
mod golden_set;
#[path = "../support/kills.rs"]
mod kills;
mod live;
mod logs;
#[allow(dead_code)]
#[path = "../support/made.rs"]
mod made;
mod merge;
mod parts;
#[path = "../support/program.rs"]
mod program;
mod rewrite;
mod rewrite_crash;
mod rewrite_history;
#[path = "../support/servers.rs"]
mod servers;
mod text;
mod text_hostile;
mod vectors;
mod writer;

use std::io::{self, Cursor, Write};

use rdbtool::engine::Config;
use rdbtool::input::detect::FileKind;
use rdbtool::input::source::{Input, Source};
use rdbtool::job::check::{self, check_rdb};
use rdbtool::job::convert::{Form, Given, Options, Report, Sink};
use rdbtool::job::replay;

use golden::{Loaded, load_rdb};
use rdbtool::limits::Limits;
use rdbtool::rdb::target::Target;
use rdbtool::value::PackedLimits;

/// A file in memory.
#[derive(Default)]
struct Buffer(Vec<u8>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Buffer {
    fn patch(&mut self, offset: u64, old: &[u8], new: &[u8]) -> io::Result<()> {
        let at = offset as usize;
        assert_eq!(&self.0[at..at + old.len()], old);
        self.0[at..at + new.len()].copy_from_slice(new);
        Ok(())
    }
}

fn source(bytes: &[u8]) -> Source {
    let kind = FileKind::of(bytes);
    Source { reader: Box::new(Cursor::new(bytes.to_vec())), kind, compression: None, size: None }
}

fn options(target: Target) -> Options {
    Options {
        limits: Limits { findings: 1_000_000, ..Limits::default() },
        now_ms: golden::LONG_AFTER_MS,
        ..Options::new(Form::Rdb, target)
    }
}

fn convert(bytes: &[u8], options: &Options) -> (Vec<u8>, Report) {
    let mut out = Buffer::default();
    let given = vec![Given::File(source(bytes), Input::Stdin)];
    let report = rdbtool::job::convert::convert(given, &mut out, options).unwrap();
    (out.0, report)
}

/// Nothing is packed or unpacked on the way in: what a small sorted set would lose by that stays.
fn load(bytes: &[u8]) -> Loaded {
    load_packing(bytes, 0)
}

/// The same with sorted sets packed up to so many members.
fn load_packing(bytes: &[u8], zset_entries: usize) -> Loaded {
    let engine = Config {
        packed: PackedLimits { zset_entries, ..PackedLimits::DEFAULT },
        ..Config::default()
    };
    let options = replay::Options { engine, ..replay::Options::default() };
    load_rdb(source(bytes), &Input::Stdin, &options).unwrap()
}

/// All of what a file holds, what has expired too.
fn replayed(bytes: &[u8]) -> replay::Report {
    let engine = Config {
        packed: PackedLimits { zset_entries: 0, ..PackedLimits::DEFAULT },
        ..Config::default()
    };
    let expired = Some(replay::Expired::Keep);
    let options = replay::Options { engine, expired, ..replay::Options::default() };
    let report = replay::replay(source(bytes), &Input::Stdin, &options).unwrap();
    assert_eq!(report.left_out, 0);
    report
}

fn checked(bytes: &[u8]) -> check::Report {
    let options = check::Options { databases: 1 << 31, ..check::Options::default() };
    check_rdb(source(bytes), &Input::Stdin, &options).unwrap()
}
