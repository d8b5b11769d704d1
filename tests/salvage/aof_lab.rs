//! What the tests of AOFs share: a log with known contents, damage with seeds, and a judge that reads what came
//! out with a reader of its own.

use std::collections::HashMap;
use std::path::Path;

use rdbtool::input::detect::FileKind;
use rdbtool::input::source::{Input, Source};
use rdbtool::job::check;
use rdbtool::job::check_aof;
use rdbtool::job::repair_aof::found::Depth;
use rdbtool::job::repair_aof::plan::{Consent, Fate, Part, Plan};
use rdbtool::job::repair_aof::run::{Done, Writing, run};
use rdbtool::job::repair_aof::salvage::Salvage;
use rdbtool::job::repair_aof::{Options, Set, plan};
use rdbtool::persist::sim::MemFs;

use crate::damage::Yield;
use crate::lab::{self, text};
use crate::resp::command;

pub(crate) const AOF: &str = "/data/appendonly.aof";

pub(crate) fn options(depth: Depth) -> Options {
    let rdb = check::Options { jobs: 1, ..check::Options::default() };
    let check = check_aof::Options { rdb, ..check_aof::Options::default() };
    let consent = Consent::default();
    Options { check, until: None, consent, depth: Some(depth), unknown_dbs: Vec::new() }
}

/// Some bytes repaired, and the plan for it. Bytes that need none come back as they are.
pub(crate) fn repair(bytes: &[u8], depth: Depth) -> (Plan, Vec<u8>) {
    let (plan, _, fs) = repair_with(bytes, depth, &Writing::default());
    (plan, fs.get(Path::new(AOF)).unwrap())
}

pub(crate) fn repair_with(bytes: &[u8], depth: Depth, writing: &Writing) -> (Plan, Done, MemFs) {
    let fs = MemFs::new(1);
    fs.put(Path::new(AOF), bytes, 0o600);
    let (set, options) = (Set::file(Path::new(AOF)), options(depth));
    let plan = plan(&fs, &set, &options).unwrap();
    assert!(plan.is_agreed(), "{:?}", plan.refusals);
    let done = run(&fs, &set, &plan, &options, writing).unwrap();
    (plan, done, fs)
}

/// What a check says of some bytes.
pub(crate) fn checked(bytes: &[u8]) -> check_aof::Report {
    let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let source = Source { reader, kind: FileKind::Aof, compression: None, size: None };
    check_aof::check_aof(source, &Input::Stdin, &check_aof::Options::default()).unwrap()
}

/// The plan for some bytes.
pub(crate) fn planned(bytes: &[u8], depth: Depth) -> Plan {
    let fs = MemFs::new(1);
    fs.put(Path::new(AOF), bytes, 0o600);
    plan(&fs, &Set::file(Path::new(AOF)), &options(depth)).unwrap()
}

pub(crate) fn part(plan: &Plan) -> &Part {
    &plan.parts[0].part
}

pub(crate) fn salvage(plan: &Plan) -> &Salvage {
    assert_eq!(plan.parts[0].fate, Fate::IsSalvaged, "{:?}", part(plan));
    part(plan).salvage.as_ref().unwrap()
}

/// The record at the start as servers read it: nobody looks at the two bytes behind an argument.
fn record(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, &[u8])> {
    let line = |mark: u8, at: &[u8]| {
        let end = at.iter().position(|byte| *byte == b'\n')?;
        let digits = at.get(1..end)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&at[1..=digits]).ok()?.parse::<usize>().ok();
        (at[0] == mark).then_some((number, end + 1))
    };
    if bytes.first() == Some(&b'#') {
        let (_, len) = line(b'#', bytes)?;
        return Some((Vec::new(), &bytes[len..]));
    }
    let (argc, len) = line(b'*', bytes)?;
    let mut rest = &bytes[len..];
    let mut args = Vec::new();
    for _ in 0..argc? {
        let (len, start) = line(b'$', rest)?;
        let end = start + len?;
        args.push(rest.get(start..end)?.to_vec());
        rest = rest.get(end + 2..)?;
    }
    (!args.is_empty()).then_some((args, rest))
}

/// Words of a command, and the database that it is run on.
pub(crate) type Told = (u64, Vec<Vec<u8>>);

/// Every command with its offset, SELECTs left out: the database tells of them.
pub(crate) fn commands(bytes: &[u8]) -> Vec<(usize, Told)> {
    let (mut rest, mut db, mut all) = (bytes, 0, Vec::new());
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let (args, behind) = record(rest).unwrap_or_else(|| {
            panic!("no record at {at}: {}", rest[..rest.len().min(200)].escape_ascii())
        });
        rest = behind;
        match args.as_slice() {
            [] => {}
            [name, number] if name.eq_ignore_ascii_case(b"select") => {
                db = String::from_utf8_lossy(number).parse().unwrap();
            }
            // They are on no database.
            [name] if [&b"MULTI"[..], b"EXEC"].iter().any(|is| name.eq_ignore_ascii_case(is)) => {
                all.push((at, (0, args)));
            }
            _ => all.push((at, (db, args))),
        }
    }
    all
}

/// Compares what came out of damage with the truth.
pub(crate) fn judge(truth: &[u8], trial: &str, damaged: &[u8]) -> Yield {
    let (plan, found) = repair(damaged, Depth::Salvage);
    let mut left: HashMap<Told, u64> = HashMap::new();
    for (_, told) in commands(truth) {
        *left.entry(told).or_default() += 1;
    }
    let mut seen = Yield { suspect: plan.suspects(), ..Yield::default() };
    let mut others = Vec::new();
    for (at, told) in commands(&found) {
        match left.get_mut(&told).filter(|count| **count > 0) {
            Some(count) => {
                *count -= 1;
                seen.kept += 1;
            }
            None => others.push((at, told)),
        }
    }
    let missing: Vec<&Told> = left.iter().filter(|(_, n)| **n > 0).map(|(told, _)| told).collect();
    for (at, told) in others {
        // Damage inside an argument, of which nothing tells.
        if missing.iter().any(|lost| is_altered(lost, &told)) {
            continue;
        }
        seen.phantoms += 1;
        if !is_labelled(&plan, at as u64) {
            seen.unlabelled += 1;
            println!(
                "{trial}: unmarked at {at} (was {:?}) db {} {}",
                old_offset(&plan, at as u64),
                told.0,
                told.1
                    .iter()
                    .map(|w| w[..w.len().min(20)].escape_ascii().to_string())
                    .collect::<Vec<_>>()
                    .join(" ")
            );
        }
    }
    if seen.phantoms > 20 {
        println!(
            "{trial}: {:?}",
            part(&plan).salvage.as_ref().map(|salvage| &salvage.kept.assumed)
        );
    }
    seen
}

/// Whether two commands have words of the same lengths.
fn is_altered(a: &Told, b: &Told) -> bool {
    let lens = |told: &Told| told.1.iter().map(Vec::len).collect::<Vec<_>>();
    a.0 == b.0 && lens(a) == lens(b)
}

/// Whether the plan says of a command of the new file that it is suspect, changed, or on a database that is not
/// certain.
fn is_labelled(plan: &Plan, at: u64) -> bool {
    let part = part(plan);
    let Some(old) = old_offset(plan, at) else { return false };
    let mends = part.mends.iter().map(|mend| mend.command.offset);
    let Some(salvage) = &part.salvage else { return mends.into_iter().any(|at| at == old) };
    let suspects = salvage.kept.named.iter().map(|suspect| suspect.offset);
    let is_assumed = salvage.kept.assumed.iter().any(|assumed| assumed.span.contains(&old));
    mends.chain(suspects).any(|at| at == old) || is_assumed
}

/// Where a byte of the new file was in the damaged one.
fn old_offset(plan: &Plan, at: u64) -> Option<u64> {
    match &part(plan).salvage {
        Some(salvage) => lab::old_offset(&salvage.kept.pieces, at),
        None => Some(at),
    }
}

/// A log of so many writes of all usual kinds, on three databases and with transactions, as a server would
/// write it: a SELECT only for another database, a DEL only of what is there. Timestamps too.
pub(crate) fn log(writes: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = command(&["SELECT", "0"]);
    let mut time = 1_764_201_600;
    let mut in_transaction = 0;
    let mut db = 0;
    // The strings of each database.
    let mut there: [Vec<String>; DATABASES.len()] = Default::default();
    for n in 0..writes {
        if n % 50 == 0 {
            time += random.u64(1..9);
            bytes.extend(format!("#TS:{time}\r\n").bytes());
        }
        if in_transaction == 0 && random.usize(..200) == 0 {
            let next = random.usize(..DATABASES.len());
            if next != db {
                bytes.extend(command(&["SELECT", DATABASES[next]]));
            }
            db = next;
        }
        if in_transaction == 0 && random.usize(..25) == 0 {
            bytes.extend(command(&["MULTI"]));
            in_transaction = random.usize(1..7);
        }
        bytes.extend(write(&mut random, n, &mut there[db]));
        if in_transaction > 0 {
            in_transaction -= 1;
            if in_transaction == 0 {
                bytes.extend(command(&["EXEC"]));
            }
        }
    }
    if in_transaction > 0 {
        bytes.extend(command(&["EXEC"]));
    }
    bytes
}

const DATABASES: [&str; 3] = ["0", "3", "12"];

/// A write to a database that has these strings.
fn write(random: &mut fastrand::Rng, n: usize, there: &mut Vec<String>) -> Vec<u8> {
    let key = format!("{}:{}", ["user", "s", "order:line", "k"][random.usize(..4)], n % 700);
    let (field, value) = (format!("field{}", n % 9), text(random, 400));
    let (small, number) = (text(random, 30), random.u32(..).to_string());
    let at = format!("{}-{}", 1_764_201_600_000u64 + n as u64, n % 3);
    let kind = random.usize(..14);
    if matches!(kind, 0..=5 | 9) && !there.contains(&key) {
        there.push(key.clone());
    }
    match kind {
        0..=4 => command(&["SET", &key, &value]),
        5 => command(&["SET", &key, &value, "PXAT", &format!("18{:011}", random.u32(..))]),
        6 => command(&["HSET", &format!("h:{key}"), &field, &value, "n", &number]),
        7 => command(&["RPUSH", &format!("l:{key}"), &small, &number, &value]),
        8 => command(&["INCRBY", &format!("c:{key}"), &number]),
        9 => command(&["APPEND", &key, &small]),
        10 => command(&["ZADD", &format!("z:{key}"), &number, &small]),
        11 => command(&["XADD", &format!("x:{key}"), &at, "name", &small, "text", &value]),
        13 if !there.is_empty() => {
            let key = there.swap_remove(random.usize(..there.len()));
            command(&["DEL", &key])
        }
        _ => command(&["SADD", &format!("S:{key}"), &small, &number]),
    }
}
