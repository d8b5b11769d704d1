//! What `inspect --json` says of an AOF.

use serde::Serialize;

use super::facts::File;
use super::inspect_json::{DamageJson, InspectJson, NameJson};
use super::json::Bytes;
use crate::job::inspect_aof::{BigCommand, CommandTally, Part, Report};
use crate::job::rate::Moment;

/// Steps of time.
const TIMES: i64 = 100;

/// Fields of the objects for AOFs, for the manual.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("format", "aof; aof-set for an AOF of several files, whose file is the manifest."),
    ("commands", "Of an AOF: how many there are, of those that were asked for."),
    ("command_bytes", "Of an AOF: their bytes."),
    ("transactions", "Of an AOF: pairs of MULTI and EXEC."),
    ("annotations", "Of an AOF: lines that begin with #."),
    ("keys_touched", "Of an AOF: different keys of commands, estimated within two percent."),
    ("command_databases", "Of an AOF: array of {db, count, bytes, biggest}."),
    (
        "names",
        "Of an AOF: array of {name, count, bytes, biggest}, commands by name, most bytes first.",
    ),
    ("other_names", "Of an AOF: {count, bytes, biggest} of those that are not listed."),
    (
        "busy_keys",
        "Of an AOF: array of {db, key, count, bytes, biggest}, most bytes of commands first. Of names \
         beyond 1024 bytes there is only the beginning.",
    ),
    (
        "biggest_commands",
        "Of an AOF: array of {db, name, key, args, bytes, offset, file}, most bytes first; without key \
         where there is none, file that of the offset.",
    ),
    ("first_time", "Of an AOF: its first timestamp, in Unix seconds, or null."),
    ("last_time", "Of an AOF: its last timestamp."),
    (
        "per_second",
        "Of an AOF: commands a second, on average from the first to the last timestamp.",
    ),
    ("busiest_second", "Of an AOF: {time, commands, bytes}."),
    (
        "over_time",
        "Of an AOF: {seconds, steps: array of {time, commands, bytes}}, steps of so many seconds, one \
         hundred at most.",
    ),
    (
        "dropped_estimate",
        "Of an AOF: the share of command_bytes, from 0 to 1, that a rewrite would drop: an estimate; \
         null where no command has a key.",
    ),
    (
        "preamble",
        "Of an AOF of one file: the RDB it begins with, as an object of its own, or null.",
    ),
    (
        "parts",
        "Of an AOF of several files: array of {file, kind, size, commands, preamble, damage}, those \
         that a server loads in its order.",
    ),
];

/// One object an AOF.
#[derive(Debug, Serialize)]
pub(crate) struct InspectAofJson<'a> {
    file: Bytes<'a>,
    format: &'static str,
    compression: Option<&'static str>,
    size: u64,
    commands: u64,
    command_bytes: u64,
    transactions: u64,
    annotations: u64,
    keys_touched: u64,
    command_databases: Vec<DbJson>,
    names: Vec<NamedJson<'a>>,
    other_names: TallyJson,
    busy_keys: Vec<BusyJson<'a>>,
    biggest_commands: Vec<BigJson<'a>>,
    first_time: Option<i64>,
    last_time: Option<i64>,
    per_second: Option<f64>,
    busiest_second: Option<MomentJson>,
    over_time: Option<TimesJson>,
    dropped_estimate: Option<f64>,
    #[serde(flatten)]
    of: Of<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Of<'a> {
    One { preamble: Option<Box<InspectJson<'a>>>, damage: Option<DamageJson> },
    Set { parts: Vec<PartJson<'a>> },
}

impl<'a> InspectAofJson<'a> {
    /// Of a report; `top` busy keys are listed.
    pub(crate) fn new(file: &File<'a>, report: &'a Report, top: usize) -> Self {
        let set: Vec<_> =
            report.parts.iter().filter_map(|part| PartJson::new(file, part, top)).collect();
        let (format, of) = match (report.parts.as_slice(), set.is_empty()) {
            ([one], true) => {
                let preamble = one.preamble.as_ref();
                let preamble = preamble.map(|rdb| Box::new(InspectJson::new(file, rdb, top)));
                ("aof", Of::One { preamble, damage: damage(one) })
            }
            _ => ("aof-set", Of::Set { parts: set }),
        };
        let names = report.names.sorted();
        let mut other_names = TallyJson::new(&report.names.others);
        for (_, tally) in names.iter().skip(NAMES) {
            other_names.add(tally);
        }
        let named = |(name, tally): &(&'a [u8], CommandTally)| NamedJson {
            name: Bytes(name),
            tally: TallyJson::new(tally),
        };
        let busy = |(db, key, tally): (u64, &'a [u8], CommandTally)| BusyJson {
            db,
            key: Bytes(key),
            tally: TallyJson::new(&tally),
        };
        let span = report.rate.span();
        InspectAofJson {
            file: Bytes(file.path.as_os_str().as_encoded_bytes()),
            format,
            compression: file.compression.map(|compression| compression.as_str()),
            size: report.size(),
            commands: report.commands.count,
            command_bytes: report.commands.bytes,
            transactions: report.transactions,
            annotations: report.annotations,
            keys_touched: report.keys,
            command_databases: databases(report),
            names: names.iter().take(NAMES).map(named).collect(),
            other_names,
            busy_keys: report.busy_keys(top).into_iter().map(busy).collect(),
            biggest_commands: report
                .biggest
                .iter()
                .map(|c| BigJson::new(file, report, c))
                .collect(),
            first_time: span.map(|(first, _)| first),
            last_time: span.map(|(_, last)| last),
            per_second: span.map(|_| report.rate.average()),
            busiest_second: span.map(|_| MomentJson::new(&report.rate.busiest())),
            over_time: span.map(|_| TimesJson::new(report)),
            dropped_estimate: report.dropped,
            of,
        }
    }
}

/// Names of commands that are listed.
const NAMES: usize = 1000;

fn databases(report: &Report) -> Vec<DbJson> {
    let row = |(&db, tally): (&u64, &CommandTally)| DbJson { db, tally: TallyJson::new(tally) };
    report.databases.iter().map(row).collect()
}

fn damage(part: &Part) -> Option<DamageJson> {
    let damage = part.outcome.as_ref()?.damage.as_ref()?;
    Some(DamageJson::new(&damage.finding))
}

#[derive(Debug, Serialize)]
struct PartJson<'a> {
    file: Bytes<'a>,
    kind: &'static str,
    size: u64,
    commands: u64,
    preamble: Option<InspectJson<'a>>,
    damage: Option<DamageJson>,
}

impl<'a> PartJson<'a> {
    fn new(file: &File<'a>, part: &'a Part, top: usize) -> Option<Self> {
        let (name, kind) = part.entry.as_ref()?;
        let file = File { path: name.as_ref(), ..*file };
        Some(PartJson {
            file: Bytes(name.as_encoded_bytes()),
            kind: kind.as_str(),
            size: part.size,
            commands: part.commands.count,
            preamble: part.preamble.as_ref().map(|rdb| InspectJson::new(&file, rdb, top)),
            damage: damage(part),
        })
    }
}

#[derive(Debug, Serialize)]
struct TallyJson {
    count: u64,
    bytes: u64,
    biggest: u64,
}

impl TallyJson {
    fn new(tally: &CommandTally) -> Self {
        TallyJson { count: tally.count, bytes: tally.bytes, biggest: tally.biggest }
    }

    fn add(&mut self, tally: &CommandTally) {
        self.count += tally.count;
        self.bytes += tally.bytes;
        self.biggest = self.biggest.max(tally.biggest);
    }
}

#[derive(Debug, Serialize)]
struct DbJson {
    db: u64,
    #[serde(flatten)]
    tally: TallyJson,
}

#[derive(Debug, Serialize)]
struct NamedJson<'a> {
    name: Bytes<'a>,
    #[serde(flatten)]
    tally: TallyJson,
}

#[derive(Debug, Serialize)]
struct BusyJson<'a> {
    db: u64,
    key: Bytes<'a>,
    #[serde(flatten)]
    tally: TallyJson,
}

#[derive(Debug, Serialize)]
struct BigJson<'a> {
    db: u64,
    name: Bytes<'a>,
    #[serde(flatten)]
    key: Option<NameJson<'a>>,
    args: u64,
    bytes: u64,
    offset: u64,
    file: Bytes<'a>,
}

impl<'a> BigJson<'a> {
    fn new(file: &File<'a>, report: &'a Report, command: &'a BigCommand) -> Self {
        let entry = report.parts.get(command.part).and_then(|part| part.entry.as_ref());
        let path = file.path.as_os_str().as_encoded_bytes();
        BigJson {
            db: command.db,
            name: Bytes(&command.name.bytes),
            key: command.key.as_ref().map(NameJson::new),
            args: command.args,
            bytes: command.bytes,
            offset: command.offset,
            file: Bytes(entry.map_or(path, |(name, _)| name.as_encoded_bytes())),
        }
    }
}

#[derive(Debug, Serialize)]
struct MomentJson {
    time: i64,
    commands: u64,
    bytes: u64,
}

impl MomentJson {
    fn new(moment: &Moment) -> Self {
        MomentJson { time: moment.seconds, commands: moment.commands, bytes: moment.bytes }
    }
}

#[derive(Debug, Serialize)]
struct TimesJson {
    seconds: i64,
    steps: Vec<MomentJson>,
}

impl TimesJson {
    fn new(report: &Report) -> Self {
        let (seconds, moments) = report.rate.over(TIMES);
        TimesJson { seconds, steps: moments.iter().map(MomentJson::new).collect() }
    }
}
