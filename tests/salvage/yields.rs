//! How much is had back: seven kinds of damage, many trials each, on a file whose checksum is switched off, so
//! that nothing can be healed. The goals are those of RELIABILITY 4, G3.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::process::Command;

use rdbtool::job::recovery::Recovery;
use rdbtool::job::repair_rdb::plan::Action;
use rdbtool::rdb::header::Header;

use crate::damage::{KINDS, Trials, Yield};
use crate::lab::{Key, census, is_full, keys, keys_at, old_offset, plan, repair, sample};
use crate::servers;

const KEYS: u64 = 3003;

type Random = fastrand::Rng;

/// Percent of the keys that must be kept, on average, in the order of the kinds.
const LEAST: [f64; 8] = [99.7, 99.7, 98.0, 99.0, 98.0, 98.0, 99.0, 98.0];

/// What is in a sound file.
struct Truth {
    size: usize,
    keys: BTreeMap<Key, Vec<u8>>,
    /// Where each key is, and of which database.
    spans: Vec<Range<usize>>,
    dbs: Vec<u64>,
}

impl Truth {
    fn of(sound: &[u8]) -> Truth {
        let all = keys_at(sound);
        let spans = all.iter().map(|(at, _, record)| *at..at + record.len()).collect();
        let dbs = all.iter().map(|(_, key, _)| key.0).collect();
        let keys = all.into_iter().map(|(_, key, record)| (key, record)).collect();
        Truth { size: sound.len(), keys, spans, dbs }
    }
}

fn judge(truth: &Truth, trial: &str, damaged: &[u8]) -> Yield {
    let plan = plan(damaged, Recovery::Salvage);
    let census = match &plan.action {
        Action::Rebuild(rebuild) => Some(&rebuild.census),
        _ => None,
    };
    let found =
        if census.is_some() { repair(damaged, Recovery::Salvage).1 } else { damaged.to_vec() };
    let found = keys_at(&found);
    let mut seen = Yield { suspect: census.map_or(0, |c| c.suspect.count), ..Yield::default() };
    let names: BTreeSet<&Key> = found.iter().map(|(_, key, _)| key).collect();
    let missing: Vec<_> = truth.keys.iter().filter(|(key, _)| !names.contains(key)).collect();
    for (at, key, record) in &found {
        let old = match census {
            Some(census) => old_offset(&census.pieces, (*at - Header::LEN) as u64),
            None => Some(*at as u64),
        };
        // Damage inside a name or a value, of which nothing tells: it is where it was, and as long.
        let is_in_place = || {
            let at = truth.spans.binary_search_by_key(&old, |span| Some(span.start as u64));
            let there = at.ok().map(|at| (truth.dbs[at], truth.spans[at].len()));
            damaged.len() == truth.size && there == Some((key.0, record.len()))
        };
        match truth.keys.get(key) {
            Some(true_record) => seen.kept += u64::from(record == true_record),
            None if is_in_place() => {}
            None if missing.iter().any(|(_, lost)| is_altered(lost, record)) => {}
            None => {
                seen.phantoms += 1;
                let is_labelled = census.is_some_and(|census| {
                    let named = census.suspect.named.iter();
                    let is_assumed =
                        old.is_some_and(|old| census.assumed.iter().any(|a| a.span.contains(&old)));
                    is_assumed || named.into_iter().any(|k| (k.db, &k.key) == (key.0, &key.1))
                });
                if !is_labelled {
                    seen.unlabelled += 1;
                    let place = truth.keys.keys().find(|true_key| true_key.1 == key.1);
                    println!(
                        "{trial}: unmarked: db {} {} at {old:?}, true place: {place:?}",
                        key.0,
                        key.1.escape_ascii()
                    );
                }
            }
        }
    }
    seen
}

/// Whether two records of one length differ in a byte only.
fn is_altered(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).filter(|(a, b)| a != b).count() == 1
}

/// Keys that redis-check-rdb reads before it stops, where it is installed: what every tool that does not go on
/// behind damage keeps.
fn before_damage(bytes: &[u8]) -> Option<u64> {
    let file = tempfile::NamedTempFile::new().ok()?;
    fs::write(file.path(), bytes).ok()?;
    let out = Command::new("redis-check-rdb").arg(file.path()).output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = text.lines().find(|line| line.contains("keys read"))?;
    line.split_whitespace().find_map(|word| word.parse().ok())
}

#[test]
fn what_is_had_back() {
    let whole = sample(KEYS, 7).end_with(0);
    let truth = Truth::of(&whole);
    assert_eq!(truth.keys.len() as u64, KEYS);
    let trials = Trials {
        what: "keys",
        all: KEYS,
        sound: &whole,
        spans: &truth.spans,
        count: crate::damage::trials(15),
        judge: &|trial, damaged| judge(&truth, trial, damaged),
        tool: "redis-check-rdb",
        kept_by_tool: before_damage,
    };
    trials.must_keep(LEAST);
}

/// A file that is cut anywhere keeps every key before the cut, and nothing else.
#[test]
fn what_a_cut_leaves() {
    let whole = sample(60, 8).end();
    let truth = keys(&whole);
    let step = if is_full() { 1 } else { 97 };
    let mut most = 0;
    for at in (120..whole.len() - 1).step_by(step) {
        let plan = plan(&whole[..at], Recovery::Tail);
        let Action::Rebuild(_) = plan.action else { panic!("cut at {at}: {:?}", plan.action) };
        if !plan.is_agreed() {
            assert_eq!(census(&plan).kept, 0, "cut at {at}: {:?}", plan.refusals);
            continue;
        }
        let found = keys(&repair(&whole[..at], Recovery::Tail).1);
        assert!(found.iter().all(|(key, record)| truth.get(key) == Some(record)), "cut at {at}");
        assert!(found.len() >= most, "cut at {at}: {} keys after {most}", found.len());
        most = found.len();
        let last = found.values().map(Vec::len).sum::<usize>();
        assert!(last <= at && census(&plan).suspect.count == 0);
    }
    assert!(most >= 59, "{most}");
}

/// A sound file that is put together anew is the same, byte for byte.
#[test]
fn nothing_changes_but_what_is_damaged() {
    let whole = sample(100, 10);
    let bytes = whole.end();
    // Damage that takes the end off: all records stay.
    let (_, found) = repair(&bytes[..bytes.len() - 9], Recovery::Tail);
    assert!(found == bytes);
    let (_, found) = repair(&[&bytes[..], b"garbage"].concat(), Recovery::Strict);
    assert!(found == bytes);
}

/// A server loads what was salvaged, and has exactly what is in it.
#[test]
fn a_server_has_what_was_salvaged() {
    let Some(server) = servers::named("redis-7.0.15") else { return };
    let whole = crate::lab::read("rdb/redis-7.0.15/one-set.rdb");
    for (number, kind) in KINDS.iter().enumerate().take(if is_full() { 7 } else { 3 }) {
        let mut damaged = whole.clone();
        let footer = damaged.len() - 8;
        damaged[footer..].fill(0);
        (kind.damage)(&mut damaged, &mut Random::with_seed(number as u64 + 40));
        let (plan, found) = repair(&damaged, Recovery::Salvage);
        let load = servers::loads(server, &found);
        assert!(load.up, "{}: {}", kind.name, load.log);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dump.rdb");
        fs::write(&path, &found).unwrap();
        let ours = crate::program::rdbtool(["digest", &path.to_string_lossy()]);
        let digest = load.digest.expect("it answers");
        assert!(
            ours.stdout.contains(&digest),
            "{}: {digest}\n{}\n{plan:?}",
            kind.name,
            ours.stdout
        );
    }
}
