//! `rdbtool aof log`: which commands are in an AOF, one a line?

use std::cell::RefCell;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;

use super::Exit;
use super::args::{Common, LimitArgs, place};
use super::help::{FAILED, Page};
use super::output::Output;
use super::session::{Format, Log, Opened, Session};
use crate::error::Result;
use crate::input::detect::FileKind;
use crate::input::source::{Input, Source};
use crate::job::filter::Filter;
use crate::job::follow::{POLL, follow_file, follow_set};
use crate::job::log::{Line, Options, Place, Seen, log_file, log_set};
use crate::job::subject::SetPath;
use crate::report::log::{self, Style};

/// Examples and exit status.
pub(crate) const PAGE: Page = Page {
    examples: &[
        ("rdbtool aof log appendonly.aof | less", "What was done, from the first command on?"),
        (
            "rdbtool aof log --key 'user:17:*' /var/lib/redis/appendonlydir",
            "What became of these keys?",
        ),
        (
            "rdbtool aof log --from 2026-11-22T14:00:00Z --command 'FLUSH*' --command DEL appendonlydir",
            "Who deleted something that afternoon?",
        ),
        (
            "rdbtool aof log --from 0x8a60 --full appendonly.aof | head -5",
            "What is at this offset?",
        ),
        ("rdbtool aof log --follow appendonlydir", "What is being done now?"),
        (
            "rdbtool aof log --json appendonly.aof | jq -r '.args[0]?' | sort | uniq -c",
            "For a program.",
        ),
    ],
    exit: &[
        ("0", "All that was asked for is there; there may be none."),
        ("1", "A file is damaged or cannot be read; what is before it and behind it was logged."),
        FAILED,
    ],
    json: &[log::FIELDS],
};

/// List the commands of an AOF, one a line
///
/// Each line has the offset of the command in the file, its database, its time where the file has
/// timestamps, and what it says. Commands between MULTI and EXEC are indented. Arguments that are no
/// plain words are in quotes, with escapes for what a terminal would not show; long ones are shortened.
///
/// The files of an AOF that a manifest names come in the order in which a server loads them. An RDB that
/// a file begins with has a line to itself.
#[derive(Debug, Args)]
#[command(after_help = PAGE.after_help())]
#[command(mut_arg("json", |arg| arg.help("One JSON object instead of each line")))]
pub(crate) struct AofLogArgs {
    /// AOFs, their manifests or folders, or - for standard input.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// From here on: an offset in the file, such as 35424 or 0x8a60, or a time, by the timestamps in the
    /// file: @ and Unix time in s, or RFC 3339.
    #[arg(long, value_name = "PLACE", value_parser = place)]
    from: Option<Place>,

    /// Up to here, and without what is there.
    #[arg(long, value_name = "PLACE", value_parser = place)]
    to: Option<Place>,

    /// Commands on this database. May be repeated.
    #[arg(long, value_name = "N")]
    db: Vec<u64>,

    /// Commands on a key whose name matches this glob, as KEYS and SCAN read it. May be repeated.
    #[arg(long, value_name = "GLOB")]
    key: Vec<String>,

    /// Not the commands all of whose keys match this glob. May be repeated.
    #[arg(long, value_name = "GLOB")]
    not_key: Vec<String>,

    /// Commands whose name matches this glob, in either case. May be repeated.
    #[arg(long, short, value_name = "GLOB")]
    command: Vec<String>,

    /// Go on where the file grows, and where a server that rewrites it goes on with another.
    #[arg(long, short, conflicts_with = "output")]
    follow: bool,

    /// Do not shorten arguments.
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    common: Common,
}

/// An input that is to be logged.
enum Subject {
    File(Source, Input),
    Set(SetPath),
    /// An RDB that lies beside AOFs: nothing to log.
    Dump,
}

impl AofLogArgs {
    /// Logs.
    pub(crate) fn run(self, log: &Log) -> anyhow::Result<Exit> {
        if self.follow && self.paths.len() > 1 {
            let why = "--follow takes one PATH";
            anyhow::bail!(crate::error::Error::Usage(why.to_owned()));
        }
        let options = self.options();
        let by_time = [options.from, options.to].iter().flatten().any(is_time);
        let several = self.paths.len() > 1;
        let mut session = Session::new(&self.common, log, &self.paths)?;
        let opened = |opened: Opened<'_>| {
            Ok(match opened {
                Opened::File(source, input) if !self.is_dump(&source, input) => {
                    Subject::File(source, input.clone())
                }
                Opened::File(..) => Subject::Dump,
                Opened::Set(set, _) => Subject::Set(set.clone()),
            })
        };
        session.each(Format::Aof, opened, |session, file, subject| {
            let style = Style { json: self.common.json, full: self.full, screen: &session.screen };
            let is_new = several && matches!(subject, Subject::File(..));
            let (out, path) = (&mut session.out, file.path.into());
            let lines = Lines { out, style, path, is_new, failed: None };
            let lines = RefCell::new(lines);
            let is_dump = matches!(subject, Subject::Dump);
            let seen = self.log(subject, &options, &lines);
            if let Some(err) = lines.into_inner().failed {
                return Err(err.into());
            }
            let seen = match seen {
                Ok(seen) => seen,
                Err(err) => {
                    log.error(&err.into());
                    return Ok(Exit::Failed);
                }
            };
            if by_time && !is_dump && !seen.has_timestamps && !self.common.quiet {
                log.note(&format!("{}: has no timestamps", file.path.display()));
            }
            Ok(if seen.is_damaged { Exit::Look } else { Exit::Clean })
        })?;
        session.close()
    }

    /// Whether a file that nobody named is an RDB and by its name no AOF that begins with one.
    fn is_dump(&self, source: &Source, input: &Input) -> bool {
        let name = input.path().file_name().unwrap_or_default().to_string_lossy();
        let is_named = self.paths.iter().any(|path| path == input.path());
        source.kind == FileKind::Rdb && !is_named && !name.contains(".aof")
    }

    fn options(&self) -> Options {
        let globs = |globs: &[String]| globs.iter().map(|glob| glob.clone().into_bytes()).collect();
        let filter = Filter {
            dbs: self.db.clone(),
            keys: globs(&self.key),
            not_keys: globs(&self.not_key),
            ..Filter::default()
        };
        Options {
            limits: self.limits.limits(),
            from: self.from,
            to: self.to,
            filter,
            commands: globs(&self.command),
        }
    }

    fn log(&self, subject: Subject, options: &Options, lines: &RefCell<Lines<'_>>) -> Result<Seen> {
        let each = |line: Line<'_>| lines.borrow_mut().write(&line);
        let mut wait = || {
            let more = lines.borrow_mut().flush();
            if more {
                std::thread::sleep(POLL);
            }
            more
        };
        match subject {
            Subject::File(_, Input::File(path)) if self.follow => {
                follow_file(&path, options, &mut wait, each)
            }
            Subject::Set(set) if self.follow => follow_set(&set, options, &mut wait, each),
            Subject::File(source, input) => log_file(source, &input, options, each),
            Subject::Set(set) => log_set(&set, options, each),
            Subject::Dump => Ok(Seen::default()),
        }
    }
}

fn is_time(place: &Place) -> bool {
    matches!(place, Place::Time(_))
}

/// Where lines go, as long as they can be written.
struct Lines<'l> {
    out: &'l mut Output,
    style: Style<'l>,
    /// The file that they are about.
    path: PathBuf,
    /// Nothing of it was told yet, nor its name.
    is_new: bool,
    failed: Option<io::Error>,
}

impl Lines<'_> {
    fn write(&mut self, line: &Line<'_>) -> ControlFlow<()> {
        if let Line::File(path) = line {
            // Its name is told when there is something of it.
            self.path = path.to_path_buf();
            self.is_new = true;
            return ControlFlow::Continue(());
        }
        let heading = match std::mem::take(&mut self.is_new) {
            true => log::line(self.out, &self.path, &Line::File(&self.path), &self.style),
            false => Ok(()),
        };
        match heading.and_then(|()| log::line(self.out, &self.path, line, &self.style)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(err) => {
                self.failed = Some(err);
                ControlFlow::Break(())
            }
        }
    }

    /// Shows what there is; whether somebody still reads it.
    fn flush(&mut self) -> bool {
        match self.out.flush() {
            Ok(()) => self.out.is_read(),
            Err(err) => {
                self.failed = Some(err);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        for (text, want) in [
            ("0", Place::Offset(0)),
            ("1795357326", Place::Offset(1_795_357_326)),
            ("0x8a60", Place::Offset(35_424)),
            ("@1795357326", Place::Time(1_795_357_326)),
            ("@-5", Place::Time(-5)),
            ("2026-11-22T14:22:06Z", Place::Time(1_795_357_326)),
            ("2026-11-22T15:22:06+01:00", Place::Time(1_795_357_326)),
        ] {
            assert_eq!(place(text), Ok(want), "{text}");
        }
        for text in ["", "-1", "0x", "@", "@x", "yesterday", "12:00", "2026-11-22"] {
            assert!(place(text).is_err(), "{text}");
        }
    }
}
