//! The face of `redis-check-rdb`: called by that name (a link or a copy), rdbtool takes its one argument
//! and prints its lines with its exit statuses, 0 for good and 1 for everything else (FORMATS C.2). It
//! fails for everything `check` calls an error, which is more than the original looks at; and unlike the
//! original it escapes what it prints of a file.

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;

use super::is_closed_pipe;
use super::session::Log;
use crate::input::source::{Input, open};
use crate::job::check::{Options, check_rdb};
use crate::report::redis_check_rdb::{start, text};

/// What the manual says of it.
pub(crate) const ABOUT: &str = "\
Called as redis-check-rdb (or any name with check-rdb in it), through a link or a copy, rdbtool takes \
that tool's one argument, prints its lines and exits with its statuses: 0 for a good file, 1 for anything \
else. It fails for every error that rdbtool check knows, which is more than the original looks at; \
warnings are told and do not fail. What it prints of a file is escaped.";

/// Whether a program's name asks for this face: `redis-check-rdb`, `valkey-check-rdb` and the like.
pub(crate) fn is_called(program: &Path) -> bool {
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    name.contains("check-rdb")
}

/// Runs as redis-check-rdb.
pub(crate) fn main(args: &[OsString]) -> ExitCode {
    let log = Log::new();
    let mut out = BufWriter::new(io::stdout());
    let result = match args {
        [flag] if flag == "-v" || flag == "--version" => {
            let version = env!("CARGO_PKG_VERSION");
            writeln!(out, "redis-check-rdb (rdbtool {version})").map(|()| true).map_err(Into::into)
        }
        [path] => check(Path::new(path), &mut out),
        _ => {
            let _ = writeln!(io::stderr(), "Usage: redis-check-rdb <rdb-file-name>");
            Ok(false)
        }
    };
    match result.and_then(|good| Ok(out.flush().map(|()| good)?)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(err) if is_closed_pipe(&err) => ExitCode::SUCCESS,
        Err(err) => {
            log.error(&err);
            ExitCode::FAILURE
        }
    }
}

fn check(path: &Path, out: &mut dyn Write) -> anyhow::Result<bool> {
    start(out, path)?;
    out.flush()?;
    // The original knows no `-`: that is a file's name to it.
    let input = Input::File(path.to_path_buf());
    let options = Options {
        jobs: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
        now_ms: Timestamp::now().as_millisecond(),
        ..Options::default()
    };
    let report = check_rdb(open(&input, |_| {})?, &input, &options)?;
    Ok(text(out, &report)?)
}
