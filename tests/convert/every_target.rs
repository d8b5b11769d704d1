//! Every golden file for every target, and what is in it before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use rdbtool::element::{Element, Str, Visit};
use rdbtool::engine::KeyRef;
use rdbtool::finding::Severity;
use rdbtool::job::target::judge;
use rdbtool::loss::Loss;
use rdbtool::rdb::target::Target;
use rdbtool::rdb::versions::RELEASES;
use rdbtool::value::digest::{Style, of_value};

use crate::golden::goldens;
use crate::{checked, convert, load, options};

/// All that a value holds beyond its digest, in words: groups, pending lists, times.
#[derive(Default)]
struct Words(Vec<String>);

impl Visit for Words {
    fn element(&mut self, element: Element<'_>) {
        let text = |text: Str<'_>| text.bytes(&mut Vec::new()).unwrap().escape_ascii().to_string();
        self.0.push(match element {
            Element::Field { field, expire_at_ms: Some(at), .. } => format!("{} {at}", text(field)),
            Element::Group { name, last_id, entries_read } => {
                format!("group {} {last_id} {entries_read:?}", text(name))
            }
            Element::Consumer { name, seen_at_ms, active_at_ms } => {
                format!("consumer {} {seen_at_ms} {active_at_ms:?}", text(name))
            }
            Element::Stream(_)
            | Element::Pending { .. }
            | Element::Owned(_)
            | Element::Nacked(_)
            | Element::Idmp { .. }
            | Element::IdmpCounts { .. } => format!("{element:?}"),
            Element::Producer(name) => text(name),
            Element::ProducerId { iid, id } => format!("{} {id}", text(iid)),
            Element::Array { insert_index, .. } => format!("{insert_index:?}"),
            Element::Module { id, data } => format!("{id:?} {}", data.escape_ascii()),
            _ => return,
        });
    }
}

fn describe(key: &KeyRef<'_>) -> String {
    let mut words = Words::default();
    key.value.elements(&mut words);
    words.0.sort();
    let digest = of_value(key.value, key.expire_at_ms.is_some(), Style::default());
    let mut text = format!("{digest} {:?} {:?}", key.expire_at_ms, key.access);
    let _ = write!(text, " {}", words.0.join("; "));
    text
}

type Keys = BTreeMap<(u64, Vec<u8>), String>;

fn keys(bytes: &[u8]) -> Keys {
    let loaded = load(bytes);
    assert_eq!(loaded.left_out, 0);
    loaded.engine.iter().map(|(db, key)| ((db, key.key.to_vec()), describe(&key))).collect()
}

/// Converts for one target and compares; what is wrong.
fn wrong(before: &Keys, bytes: &[u8], target: Target, met: &mut BTreeSet<Loss>) -> Option<String> {
    let (made, report) = convert(bytes, &options(target));
    if !report.damage.is_empty() {
        return Some(format!("damage: {:?}", report.damage[0]));
    }
    met.extend(report.losses.keys());
    let check = checked(&made);
    if let Some(finding) = check.findings.iter().find(|f| f.severity() == Severity::Error) {
        return Some(format!("not sound: {finding:?}"));
    }
    if let Some(reason) = judge(&check, target.release).certain_reasons().next() {
        return Some(format!("not loaded: {reason}"));
    }
    let sizes = check.facts.databases.iter().map(|(db, count)| (*db, count.keys, count.expires));
    let hints = check.facts.once.iter().filter_map(|fact| match fact {
        rdbtool::job::rdb_facts::Fact::ResizeDb(db, keys, expires, _) => {
            Some((*db, *keys, *expires))
        }
        _ => None,
    });
    if target.version >= 7 && !sizes.eq(hints) {
        return Some("RESIZEDB states other counts".to_owned());
    }
    let after = keys(&made);
    let lost_of = |db: u64, name: &[u8]| {
        let of = report.lost.iter().filter_map(|lost| Some((lost, lost.key.as_ref()?)));
        of.filter(|(_, place)| place.db == db && place.key == name)
            .map(|(lost, _)| (lost.loss, lost.whole))
            .collect::<Vec<_>>()
    };
    if let Some(new) = after.keys().find(|key| !before.contains_key(*key)) {
        return Some(format!("{new:?} is new"));
    }
    for ((db, name), was) in before {
        let lost = lost_of(*db, name);
        let is = after.get(&(*db, name.clone()));
        let whole = lost.iter().any(|(_, whole)| *whole);
        match is {
            None if whole => {}
            Some(_) if !lost.is_empty() && !whole => {}
            Some(is) if lost.is_empty() && is == was => {}
            _ => {
                let name = name.escape_ascii();
                return Some(format!("db {db} \"{name}\", lost {lost:?}:\n  {was}\n  {is:?}"));
            }
        }
    }
    None
}

#[test]
fn what_a_target_holds_is_the_same() {
    let files = goldens();
    let targets: Vec<Target> = RELEASES.iter().map(Target::of).chain(older()).collect();
    let (mut met, mut bad) = (BTreeSet::new(), Vec::new());
    let run = |files: &[std::path::PathBuf]| {
        let (mut met, mut bad, mut count) = (BTreeSet::new(), Vec::new(), 0);
        for path in files {
            let bytes = std::fs::read(path).unwrap();
            let before = keys(&bytes);
            for target in &targets {
                count += 1;
                if let Some(what) = wrong(&before, &bytes, *target, &mut met) {
                    let (name, version) = (target.release.name, target.version);
                    bad.push(format!("{} for {name} ({version}): {what}", path.display()));
                }
            }
        }
        (met, bad, count)
    };
    let mut count = 0;
    let (left, right) = files.split_at(files.len() / 2);
    std::thread::scope(|scope| {
        let handle = scope.spawn(|| run(left));
        for (more_met, more_bad, more) in [run(right), handle.join().unwrap()] {
            met.extend(more_met);
            bad.extend(more_bad);
            count += more;
        }
    });
    println!("{count} conversions, losses met: {met:?}");
    let shown = bad.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(bad.is_empty(), "{} of {count}:\n{shown}", bad.len());
    for loss in [Loss::Type, Loss::FieldTtl, Loss::StreamCounters, Loss::ConsumerActive] {
        assert!(met.contains(&loss), "{loss} was never met");
    }
}

/// RDB versions that no known release writes any more.
fn older() -> impl Iterator<Item = Target> {
    (1..=5).filter_map(Target::version)
}

/// For the server that wrote it, nothing is lost and nothing is encoded anew.
#[test]
fn for_its_own_server_a_file_passes_through() {
    for path in goldens() {
        let bytes = std::fs::read(&path).unwrap();
        let Some(release) = own_release(&path) else { continue };
        let (made, report) = convert(&bytes, &options(Target::of(release)));
        assert!(report.losses.is_empty(), "{}: {:?}", path.display(), report.losses);
        assert_eq!(report.counts.encoded, 0, "{}", path.display());
        let (again, _) = convert(&made, &options(Target::of(release)));
        assert!(made == again, "{}", path.display());
    }
}

/// The release named by a folder such as `redis-7.2.6`.
pub(crate) fn own_release(path: &Path) -> Option<&'static rdbtool::rdb::versions::Release> {
    let folder = path.iter().rev().filter_map(|part| part.to_str());
    folder
        .filter_map(|part| {
            let (family, version) = part.split_once('-')?;
            let mut numbers = version.split('.');
            let (major, minor) = (numbers.next()?, numbers.next()?);
            let minor = minor.trim_end_matches("-dev");
            let name = format!("{family}-{major}.{minor}");
            // Valkey 9.1 takes the release that it names.
            rdbtool::rdb::versions::Release::by_name(&name)
        })
        .next()
}
