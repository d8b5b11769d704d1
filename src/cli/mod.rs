//! The command line: clap derive, one file a verb. A verb is a struct of arguments with `run`, a row in
//! `verbs!` and a `help::Page` with its examples; help, man page and completions follow from these.
//!
//! Exit status, the same for every verb: 0 done and clean, 1 done and there is something to look at,
//! 2 could not do it. 70 is a bug of ours.

mod aof;
mod aof_log;
mod args;
mod check;
mod compare;
mod convert;
mod diff;
mod digest;
mod drill;
mod drill_path;
mod filter;
mod fix;
mod fix_payload;
mod fix_rdb;
mod fix_seal;
mod generate;
mod help;
mod inspect;
mod load;
mod man;
mod output;
mod rdb;
mod redis_check_aof;
mod redis_check_rdb;
mod repair;
mod replay;
mod rewrite;
mod seal;
mod serve;
mod session;
mod start;
mod verify;

use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::report::escape::{is_visible, message};
use session::Log;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, and clean.
    Clean = 0,
    /// Done, and there is something to look at.
    Look = 1,
    /// Could not be done.
    Failed = 2,
}

/// Exit status of a panic: EX_SOFTWARE of sysexits.h.
const BUG: u8 = 70;

/// Read, check, examine and repair Redis and Valkey RDB files and AOFs
///
/// A PATH is an RDB, an AOF, the manifest of an AOF of several files, a folder (every RDB and AOF in it and
/// below) or - for standard input; files may be compressed with gzip or zstd.
///
/// Files are opened read-only and never changed, but by a verb that is told to: repair --in-place and
/// check --fix, which save first what they cut off, rewrite --in-place, and serve --dir. Nothing is deleted
/// unless that is asked for.
#[derive(Debug, Parser)]
#[command(name = "rdbtool", version, max_term_width = 100, after_help = help::ALL.after_help())]
struct App {
    #[command(subcommand)]
    verb: Verb,
}

macro_rules! verbs {
    ($($name:ident $args:path $(, $hide:ident)?;)*) => {
        #[derive(Debug, Subcommand)]
        enum Verb { $($(#[command($hide = true)])? $name($args),)* }

        impl Verb {
            fn run(self, log: &Log) -> anyhow::Result<Exit> {
                match self { $(Verb::$name(args) => args.run(log),)* }
            }
        }
    };
}

verbs! {
    Inspect inspect::InspectArgs;
    Check check::CheckArgs;
    Repair repair::RepairArgs;
    Replay replay::ReplayArgs;
    Digest digest::DigestArgs;
    Verify verify::VerifyArgs;
    Diff diff::DiffArgs;
    Seal seal::SealArgs;
    Rewrite rewrite::RewriteArgs;
    Convert convert::ConvertArgs;
    Serve serve::ServeArgs;
    Drill drill::DrillArgs;
    Rdb rdb::RdbArgs;
    Aof aof::AofArgs;
    Generate generate::GenerateArgs, hide;
}

/// Runs the program. Panics of ours end as a message and exit status 70; a temporary file on the way to
/// its place is removed while the stack unwinds.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    guarded(|| run(&args))
}

fn guarded(run: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::set_hook(Box::new(|info| {
        let what = message(&info.to_string()).to_string();
        let _ = writeln!(io::stderr(), "{what}");
    }));
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(code) => code,
        Err(_) => {
            let told = "error: this is a bug in rdbtool; no output was written";
            let _ = writeln!(io::stderr(), "{told}");
            ExitCode::from(BUG)
        }
    }
}

fn run(args: &[OsString]) -> ExitCode {
    let (name, rest) = args.split_first().map_or((None, args), |(name, rest)| (Some(name), rest));
    let called = Path::new(name.map_or("".as_ref(), OsString::as_os_str));
    if redis_check_rdb::is_called(called) {
        return redis_check_rdb::main(rest);
    }
    if redis_check_aof::is_called(called) {
        return redis_check_aof::main(rest);
    }
    let app = match App::try_parse_from(args) {
        Ok(app) => app,
        Err(err) => return usage(&err, args),
    };
    let log = Log::new();
    match app.verb.run(&log) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(err) if is_closed_pipe(&err) => ExitCode::SUCCESS,
        Err(err) => {
            log.error(&err);
            ExitCode::from(Exit::Failed as u8)
        }
    }
}

/// Help, version, or what is wrong with the arguments. clap repeats an argument as it is, so one that is
/// no plain text is shown escaped.
fn usage(err: &clap::Error, args: &[OsString]) -> ExitCode {
    let plain = |arg: &OsString| arg.to_str().is_some_and(|arg| arg.chars().all(is_visible));
    if args.iter().all(plain) {
        let _ = err.print();
    } else {
        let text = err.render().to_string();
        for line in text.lines() {
            let _ = writeln!(io::stderr(), "{}", message(line));
        }
    }
    ExitCode::from(u8::try_from(err.exit_code()).unwrap_or(Exit::Failed as u8))
}

/// Whoever read our output has enough of it.
fn is_closed_pipe(err: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        io.or_else(|| cause.downcast_ref::<serde_json::Error>().and_then(|e| e.io_error_kind()))
    };
    err.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

/// The whole command, built, for pages and completions.
fn command() -> clap::Command {
    let mut command = App::command();
    command.build();
    command
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        App::command().debug_assert();
    }

    #[test]
    fn a_panic_is_a_bug_of_ours() {
        let code = guarded(|| panic!("on purpose"));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(70)));
    }
}
