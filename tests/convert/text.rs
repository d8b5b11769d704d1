//! Text of every golden RDB: JSON Lines lose nothing and come back the same, byte for byte; what stands in
//! them is what the server told of its keys. JSON and CSV are sound, for somebody else's reader too.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdbtool::engine::Release;
use rdbtool::job::compare::{Ignore, verify};
use rdbtool::job::convert::{Form, Options, Report};
use rdbtool::job::look::Row;
use rdbtool::rdb::target::Target;
use rdbtool::rdb::versions::RELEASES;
use serde_json::Value;

use crate::every_target::own_release;
use crate::golden::goldens;
use crate::golden_set;
use crate::logs::{logs, made_of};
use crate::made::Rdb;
use crate::{checked, convert, options, program, replayed};

fn newest() -> Target {
    Target::of(RELEASES.iter().rfind(|release| release.name.starts_with("redis")).unwrap())
}

fn text(bytes: &[u8], form: Form) -> (String, Report) {
    let (made, report) = convert(bytes, &Options { form, ..options(newest()) });
    assert!(report.damage.is_empty() && report.losses.is_empty(), "{:?}", report.damage);
    (String::from_utf8(made).unwrap(), report)
}

/// The server that wrote a file, or the newest that reads it.
fn own_target(path: &Path, bytes: &[u8]) -> Target {
    let digits = std::str::from_utf8(&bytes[5..9]).unwrap();
    let version = digits.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    own_release(path).map(Target::of).or(Target::version(version)).unwrap()
}

/// Lines without the AUX fields of these names.
fn without_aux(lines: &str, names: &[Vec<u8>]) -> String {
    let begins = names.iter().map(|name| format!("{{\"aux\":\"{}\"", name.escape_ascii()));
    let begins: Vec<_> = begins.collect();
    let stays = |line: &&str| !begins.iter().any(|begin| line.starts_with(begin));
    lines.split_inclusive('\n').filter(stays).collect()
}

#[test]
fn lines_come_back_the_same() {
    let (mut files, mut bad) = (0, Vec::new());
    for path in goldens() {
        let bytes = std::fs::read(&path).unwrap();
        let name = path.display();
        let (lines, _) = text(&bytes, Form::JsonLines);
        let (again, _) = text(lines.as_bytes(), Form::JsonLines);
        if again != lines {
            bad.push(format!("{name}: lines to lines: {}", first_difference(&lines, &again)));
            continue;
        }
        let target = own_target(&path, &bytes);
        let (rdb, report) = convert(lines.as_bytes(), &options(target));
        if !report.damage.is_empty() || !report.losses.is_empty() {
            bad.push(format!("{name}: {:?} {:?}", report.damage, report.losses));
            continue;
        }
        let (mut before, mut after) = (replayed(&bytes), replayed(&rdb));
        let differences = verify(&before.store.look(), &after.store.look(), Ignore::default(), 3);
        if !differences.counts.is_same() {
            bad.push(format!("{name}: {:?}", differences.differences));
        }
        let left_out: Vec<_> = report.aux_left_out.into_iter().collect();
        let (second, _) = text(&rdb, Form::JsonLines);
        let first = without_aux(&lines, &left_out);
        if first != second {
            bad.push(format!("{name}: through an RDB: {}", first_difference(&first, &second)));
        }
        files += 1;
    }
    println!("{files} files");
    let shown = bad.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(bad.is_empty(), "{} of {files}:\n{shown}", bad.len());
}

/// What a log stands for, as lines: the data is the same, and goes through an RDB.
#[test]
fn lines_of_logs() {
    let mut files = 0;
    for golden in logs() {
        let mut before = golden_set::replay(&golden.path, &golden.options(1));
        let lines = Options { form: Form::JsonLines, tolerate_failed: true, ..options(newest()) };
        let (made, report) = made_of(&mut before, &lines);
        assert!(report.damage.is_empty() && report.losses.is_empty(), "{}", golden.name());
        let text = String::from_utf8(made).unwrap();
        assert!(text.starts_with("{\"rdbtool_jsonl\":1}\n"), "{:.100}", text);
        // A vector set that commands built has no data that could be read back.
        let built =
            |line: &&str| line.contains("\"type\":\"vectorset\"") && !line.contains("\"data\":");
        let sets = text.lines().filter(built).count() as u64;
        let text: String = text.split_inclusive('\n').filter(|line| !built(line)).collect();
        let mut after = replayed(text.as_bytes());
        let same = verify(&before.store.look(), &after.store.look(), Ignore::default(), 3);
        let counts = (same.counts.only, same.counts.differ, same.counts.functions);
        assert_eq!(counts, ((sets, 0), 0, 0), "{}: {:?}", golden.name(), same.differences);
        let (rdb, _) = convert(text.as_bytes(), &options(newest()));
        let (again, _) = self::text(&rdb, Form::JsonLines);
        let keys = |text: &str| -> String {
            // What is a string of its own in memory is so in memory only.
            let text = text.replace("\"encoding\":\"raw\"", "\"encoding\":\"embstr\"");
            text.split_inclusive('\n').filter(|line| line.starts_with("{\"db\"")).collect()
        };
        let (first, second) = (keys(&text), keys(&again));
        assert!(first == second, "{}: {}", golden.name(), first_difference(&first, &second));
        files += 1;
    }
    println!("{files} logs");
}

fn first_difference(a: &str, b: &str) -> String {
    let short = |line: Option<&str>| line.map(|line| line.chars().take(300).collect::<String>());
    let mut lines = a.lines().zip(b.lines()).filter(|(a, b)| a != b);
    match lines.next() {
        Some((a, b)) => format!("\n  {:?}\n  {:?}", short(Some(a)), short(Some(b))),
        None => format!("{} and {} lines", a.lines().count(), b.lines().count()),
    }
}

fn bytes_of(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Number(number) => number.to_string().into_bytes(),
        other => STANDARD.decode(other["base64"].as_str().unwrap()).unwrap(),
    }
}

/// The value of a line, in the rows of the server's list.
fn rows(line: &Value) -> Option<Vec<Row>> {
    let list = |value: &Value| value.as_array().unwrap().clone();
    let texts = |value: &Value| list(value).iter().map(bytes_of).collect::<Row>();
    let value = &line["value"];
    Some(match line["type"].as_str().unwrap() {
        "string" => vec![vec![bytes_of(value)]],
        "list" | "set" => list(value).iter().map(|item| vec![bytes_of(item)]).collect(),
        "hash" | "zset" => list(value).iter().map(texts).collect(),
        "stream" => {
            let entry = |entry: &Value| [vec![bytes_of(&entry[0])], texts(&entry[1])].concat();
            list(&value["entries"]).iter().map(entry).collect()
        }
        _ => return None,
    })
}

#[test]
fn lines_say_what_the_server_said() {
    let (mut compared, mut bad) = (0, Vec::new());
    for golden in golden_set::goldens().into_iter().filter(|golden| golden.path.is_file()) {
        let is_rdb = golden.path.extension().is_some_and(|ext| ext == "rdb");
        let Some(told) = golden.keys().filter(|_| is_rdb) else { continue };
        let (lines, _) = text(&std::fs::read(&golden.path).unwrap(), Form::JsonLines);
        let keys = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let key = |line: &Value, name: &Value| (line["db"].as_u64().unwrap(), bytes_of_told(name));
        let keys: BTreeMap<_, _> = keys
            .filter(|line| line.get("key").is_some())
            .map(|line| ((line["db"].as_u64().unwrap(), bytes_of(&line["key"])), line))
            .collect();
        for row in told {
            let place = key(&row, &row["key"]);
            let Some(line) = keys.get(&place) else { continue };
            let is = |name: &str| (line[name].clone(), row[name].clone());
            let (kind, told_kind) = is("type");
            let release = golden.release();
            // The list has -1 for never, and before PEXPIRETIME for every key.
            let expires = line["expire_at_ms"].as_i64().unwrap_or(-1);
            let has_times = release.version >= (7, 0);
            let told_expires =
                row["expire_at_ms"].as_i64().filter(|_| has_times).unwrap_or(expires);
            // What is a string of its own in memory is seen in memory only; 2.2 packed nothing in files.
            let (encoding, told_encoding) = is("encoding");
            let by_content = encoding == "embstr" || encoding == "raw";
            let is_told = told_encoding.as_str().is_some_and(|word| word != "unknown")
                && release.version >= (2, 4);
            if encoding != told_encoding && !by_content && is_told {
                bad.push(format!("{}: {place:?}: {encoding}, not {told_encoding}", golden.name()));
            }
            if kind != told_kind || expires != told_expires {
                bad.push(format!(
                    "{}: {place:?}: {kind} {expires}, not {told_kind} {told_expires}",
                    golden.name()
                ));
                continue;
            }
            let Some(want) = golden_set::rows(&row, release) else { continue };
            let Some(got) = rows(line) else { continue };
            let got = golden_set::comparable(got, kind.as_str().unwrap(), Release::NEWEST);
            compared += 1;
            if got != want {
                bad.push(format!("{}: {place:?}: value", golden.name()));
            }
        }
    }
    println!("{compared} values compared");
    assert!(compared > 100, "{compared}");
    let shown = bad.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(bad.is_empty(), "{} of {compared}:\n{shown}", bad.len());
}

fn bytes_of_told(value: &Value) -> Vec<u8> {
    golden_set::bytes_of(value)
}

/// Keys of the JSON document and rows of the table, as many as there are keys; read by python, which knows
/// nothing of how they were written.
#[test]
fn python_reads_them() {
    let python = std::process::Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|ran| ran.status.success()) {
        println!("SKIP: no python3 here");
        return;
    }
    const READ: &str = "
import csv, json, sys
for name in sys.argv[1:]:
    lines = [json.loads(line) for line in open(name + '.jsonl', encoding='utf-8', newline='\\n')]
    keys = [line for line in lines if 'key' in line]
    document = json.load(open(name + '.json', encoding='utf-8'))
    rows = list(csv.DictReader(open(name + '.csv', encoding='utf-8', newline='')))
    assert all(None not in row and None not in row.values() for row in rows)
    print(len(keys), sum(len(db['keys']) for db in document), len(rows))
    for line, row in zip(keys, rows):
        assert str(line['db']) == row['db'] and line['type'] == row['type'], (line, row)
        assert line['encoding'] == row['encoding']
        value = line['value']
        if isinstance(value, list): assert len(value) == int(row['elements']), (line, row)
";
    let folder = tempfile::tempdir().unwrap();
    let (mut names, mut counts) = (Vec::new(), Vec::new());
    for (at, path) in goldens().into_iter().enumerate() {
        let bytes = std::fs::read(&path).unwrap();
        let name = folder.path().join(at.to_string());
        for (form, ext) in [(Form::JsonLines, "jsonl"), (Form::Json, "json"), (Form::Csv, "csv")] {
            let (made, report) = text(&bytes, form);
            std::fs::write(name.with_extension(ext), made).unwrap();
            if form == Form::Csv {
                let keys = report.counts.keys;
                counts.push((path.clone(), format!("{keys} {keys} {keys}")));
            }
        }
        names.push(name);
    }
    let ran =
        std::process::Command::new("python3").args(["-c", READ]).args(names).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let err = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.lines().count() == counts.len(), "{said}{err}");
    for (said, (path, counts)) in said.lines().zip(counts) {
        assert_eq!(said, counts, "{}", path.display());
    }
}

#[test]
fn the_same_for_every_number_of_jobs() {
    let path = program::testdata("dump.rdb");
    let bytes = std::fs::read(path).unwrap();
    // Several chunks: the same keys in many databases.
    let (lines, _) = text(&bytes, Form::JsonLines);
    let keys: Vec<_> = lines.lines().filter(|line| line.starts_with("{\"db\":0")).collect();
    let mut many = String::new();
    for db in 0..8 {
        for line in &keys {
            many.push_str(&line.replacen("\"db\":0", &format!("\"db\":{db}"), 1));
            many.push('\n');
        }
    }
    assert!(many.len() > 3 << 20, "{}", many.len());
    let (rdb, _) = convert(many.as_bytes(), &options(newest()));
    for form in [Form::JsonLines, Form::Json, Form::Csv, Form::Rdb] {
        let made =
            |source: &[u8], jobs| convert(source, &Options { form, jobs, ..options(newest()) }).0;
        assert!(made(&rdb, 1) == made(&rdb, 3), "{form:?} of an RDB");
        assert!(made(many.as_bytes(), 1) == made(many.as_bytes(), 3), "{form:?} of lines");
    }
}

/// A version of a release to come is kept as it is stated; what there is of it that is known can be read.
#[test]
fn versions_beyond_what_is_known() {
    for (magic, stated) in
        [("REDIS9999", "\"rdb_version\":9999"), ("VALKEY999", "\"rdb_version\":999")]
    {
        let file = Rdb::magic(magic).db(0).string("k", "v").end();
        let options = options(Target::version(11).unwrap());
        let (lines, report) = convert(&file, &Options { form: Form::JsonLines, ..options.clone() });
        assert_eq!((report.counts.keys, report.damage.is_empty()), (1, true), "{magic}");
        let first = lines.split(|byte| *byte == b'\n').next().unwrap();
        assert!(String::from_utf8_lossy(first).contains(stated), "{}", first.escape_ascii());
        let (again, _) = convert(&lines, &Options { form: Form::JsonLines, ..options.clone() });
        assert!(again == lines, "{magic}");
        for source in [&file, &lines] {
            let (made, _) = convert(source, &options);
            assert!(made.starts_with(b"REDIS0011") && checked(&made).facts.keys().keys == 1);
        }
    }
}
