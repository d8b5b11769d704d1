//! AOFs as sources: what a log stands for is the same in every form and for every target, and servers
//! start from it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use rdbtool::element::ModuleId;
use rdbtool::engine::Config;
use rdbtool::finding::Severity;
use rdbtool::input::detect::FileKind;
use rdbtool::input::source::{Input, Source};
use rdbtool::job::compare::{Difference, Ignore, verify};
use rdbtool::job::convert::inputs::Inputs;
use rdbtool::job::convert::write::to_folder;
use rdbtool::job::convert::{Conversion, Form, Given, Options, Report};
use rdbtool::job::replay::{self, Expired};
use rdbtool::job::subject::{Subject, subjects};
use rdbtool::loss::Loss;
use rdbtool::persist::real::RealFs;
use rdbtool::rdb::target::Target;
use rdbtool::rdb::versions::{self, RELEASES};
use rdbtool::value::PackedLimits;

use crate::commands::resp;
use crate::every_target::own_release;
use crate::golden;
use crate::golden_set::{self, Golden, is_of_modules};
use crate::live::{engine_release, expected_of, target};
use crate::made;
use crate::servers::{self, Family, Server, ServerBinary, Setup};
use crate::{Buffer, options};

/// Logs that a server wrote, but for those with commands of modules.
pub(crate) fn logs() -> Vec<Golden> {
    let mut logs = golden_set::goldens();
    logs.retain(|golden| !golden.name().ends_with(".rdb") && !is_of_modules(golden));
    assert!(logs.len() >= 4);
    logs
}

/// Converts what was replayed.
pub(crate) fn made_of(replayed: &mut replay::Report, options: &Options) -> (Vec<u8>, Report) {
    let mut out = Buffer::default();
    let mut conversion = Conversion::new(&mut out, options, false);
    conversion.replayed(Path::new("log"), replayed).unwrap();
    let report = conversion.end().unwrap();
    (out.0, report)
}

/// What was made, replayed; nothing in it may fail.
fn replayed(bytes: &[u8], release: &'static versions::Release) -> replay::Report {
    // What 7.0 and later pack loses the sign of -0; that is not what is asked here.
    replayed_packing(bytes, release, 0)
}

/// The same with sorted sets packed up to so many members.
fn replayed_packing(
    bytes: &[u8],
    release: &'static versions::Release,
    zset_entries: usize,
) -> replay::Report {
    let kind = FileKind::of(&bytes[..bytes.len().min(16)]);
    let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let source = Source { reader, kind, compression: None, size: None };
    let packed = PackedLimits { zset_entries, ..PackedLimits::DEFAULT };
    let engine = Config { release: engine_release(release), packed, ..Config::default() };
    let options = replay::Options {
        engine,
        expired: Some(Expired::Keep),
        now_ms: golden::LONG_AFTER_MS,
        ..replay::Options::default()
    };
    let report = replay::replay(source, &Input::File("made.aof".into()), &options).unwrap();
    let bad = |finding: &&rdbtool::finding::Finding| finding.severity() == Severity::Error;
    let found = report.parts.iter().flat_map(|part| &part.findings).find(bad);
    assert!(found.is_none() && report.stop.is_none(), "{}", golden_set::told(&report));
    assert_eq!(report.left_out, 0);
    report
}

fn own(golden: &Golden) -> &'static versions::Release {
    let name = golden.name();
    own_release(&golden.path).unwrap_or_else(|| panic!("no release in the path of {name}"))
}

/// What is not the same, keys that were lost aside.
fn wrong(before: &mut replay::Report, form: Form, target: Target) -> Option<String> {
    let options = Options { form, tolerate_failed: true, jobs: 2, ..options(target) };
    let (made, report) = made_of(before, &options);
    if let Some(finding) = report.damage.first() {
        return Some(format!("damage: {finding:?}"));
    }
    let input = Path::new("made");
    let reader = Box::new(std::io::Cursor::new(made.clone()));
    if let Err(error) = rdbtool::job::convert::check::check(reader, input, &report, &options) {
        return Some(error.to_string());
    }
    let mut after = replayed(&made, target.release);
    let lost: BTreeSet<(u64, &[u8])> = report
        .lost
        .iter()
        .filter(|lost| !report.usual.contains(&lost.loss))
        .filter_map(|lost| lost.key.as_ref().map(|place| (place.db, &place.key[..])))
        .collect();
    let ignore = Ignore {
        access: form != Form::Rdb && form != Form::Restore,
        functions: report.losses.contains_key(&Loss::Function),
        gone: report.losses.contains_key(&Loss::PendingGone),
        // Before 7.0 streams had no counters; the engine counts all the same.
        groups: !target.release.has_redis(7, 0),
        ..Ignore::default()
    };
    let (a, b) = (before.store.look(), after.store.look());
    let compared = verify(&a, &b, ignore, 1000);
    let other = compared.differences.iter().find(|difference| match difference {
        Difference::Only { db, key, .. } | Difference::Key { db, key, .. } => {
            !lost.contains(&(*db, key))
        }
        Difference::Function { .. } => true,
    });
    other.map(|difference| format!("{difference:?}"))
}

/// Whether the server knows such a file.
fn exists(form: Form, release: &versions::Release) -> bool {
    match form {
        Form::Preamble => release.has_redis(4, 0),
        Form::Restore => release.has_redis(2, 6),
        _ => true,
    }
}

#[test]
fn what_a_log_stands_for_is_the_same_in_every_form() {
    let names = ["redis-3.2", "redis-6.2", "redis-7.0", "redis-8.2", "redis-8.8", "valkey-9.1"];
    let (mut count, mut bad) = (0, Vec::new());
    for golden in logs() {
        let mut options = golden.options(2);
        options.engine.packed.zset_entries = 0;
        let mut before = golden_set::replay(&golden.path, &options);
        let own = own(&golden);
        let others = RELEASES.iter().filter(|release| names.contains(&release.name));
        for release in others.chain([own]) {
            for form in [Form::Rdb, Form::Preamble, Form::Commands, Form::Restore] {
                if !exists(form, release) {
                    continue;
                }
                count += 1;
                if let Some(what) = wrong(&mut before, form, Target::of(release)) {
                    bad.push(format!("{} {form:?} for {}: {what}", golden.name(), release.name));
                }
            }
        }
    }
    let shown = bad.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    assert!(bad.is_empty(), "{} of {count}:\n{shown}", bad.len());
}

/// The order of keys, and so every byte, does not hang on the number of threads.
#[test]
fn the_same_for_every_number_of_threads() {
    for golden in logs().iter().step_by(7) {
        let of = |jobs: usize, form| {
            let mut before = golden_set::replay(&golden.path, &golden.options(jobs));
            let target = Target::of(own(golden));
            made_of(&mut before, &Options { form, jobs, ..options(target) }).0
        };
        for form in [Form::Rdb, Form::Commands] {
            let one = of(1, form);
            assert!(one == of(2, form) && one == of(5, form), "{} {form:?}", golden.name());
        }
    }
}

/// Its own log as an RDB loses nothing but graphs that nobody knows.
#[test]
fn for_its_own_server_nothing_is_lost() {
    for golden in logs() {
        let mut before = golden_set::replay(&golden.path, &golden.options(1));
        let target = Target::of(own(&golden));
        for form in [Form::Rdb, Form::Preamble, Form::Commands, Form::Restore] {
            if !exists(form, target.release) {
                continue;
            }
            let options = Options { form, tolerate_failed: true, ..options(target) };
            let (_, report) = made_of(&mut before, &options);
            let losses: Vec<_> =
                report.losses.keys().filter(|loss| !report.usual.contains(loss)).collect();
            // Times beyond 2038 fit no RDB of 2.4, projections of vector sets are not known, and before 6.2
            // no command makes a consumer that owns nothing.
            let allowed =
                [&Loss::VectorGraph, &Loss::PendingGone, &Loss::ExpireTime, &Loss::Consumer];
            let strange: Vec<_> = losses.iter().filter(|loss| !allowed.contains(loss)).collect();
            assert!(strange.is_empty(), "{} {form:?}: {losses:?}", golden.name());
        }
    }
}

fn given(path: &Path) -> Given {
    match subjects(path).unwrap().pop().unwrap() {
        Subject::Set(set) => Given::Set(set),
        Subject::File(input) => {
            Given::File(rdbtool::input::source::open(&input, |_| {}).unwrap(), input)
        }
    }
}

/// What a server with these files must answer.
fn expected(made: &[u8], target: Target) -> (String, u64) {
    let zset_entries = if target.release.has_redis(7, 0) { 128 } else { 0 };
    let report = replayed_packing(made, target.release, zset_entries);
    expected_of(report.store.into_engine(), engine_release(target.release))
}

/// Starts a server from the files; what is wrong.
fn wrong_answer(
    binary: &ServerBinary,
    files: Vec<(String, Vec<u8>)>,
    (digest, keys): &(String, u64),
) -> Option<String> {
    let setup = Setup { lines: Vec::new(), files }.line("appendonly yes");
    let told = servers::loads_with(binary, &setup);
    if told.digest.as_ref() == Some(digest) && told.dbsize == Some(*keys) {
        return None;
    }
    let tail: Vec<_> = told.log.lines().rev().take(3).collect();
    let (told_digest, told_keys) = (told.digest, told.dbsize);
    Some(format!("{told_digest:?} {told_keys:?}, not {digest} {keys}\n{}", tail.join("\n")))
}

/// Every log in every form: the folder of an AOF, or a single file for a server that knows no folders.
#[test]
fn servers_start_from_what_was_made() {
    for binary in servers::all() {
        let (target, _) = target(binary);
        let (mut count, mut bad) = (0, Vec::new());
        for golden in logs() {
            for form in [Form::Preamble, Form::Commands, Form::Restore] {
                count += 1;
                let options = Options { form, tolerate_failed: true, ..options(target) };
                let folder = tempfile::tempdir().unwrap();
                let name = format!("{} {form:?}", golden.name());
                if let Some(what) = start(binary, &golden, &options, folder.path()) {
                    bad.push(format!("{name}: {what}"));
                }
            }
        }
        println!("{}: {count} starts", binary.name);
        let shown = bad.iter().take(6).cloned().collect::<Vec<_>>().join("\n");
        assert!(bad.is_empty(), "{}: {} of {count}:\n{shown}", binary.name, bad.len());
    }
}

fn start(binary: &ServerBinary, golden: &Golden, options: &Options, at: &Path) -> Option<String> {
    if options.target.release.has_redis(7, 0) {
        let out = at.join("appendonlydir");
        let stem = b"appendonly.aof";
        let given = vec![given(&golden.path)];
        let mut inputs = Inputs::new(&RealFs, given, options, true).unwrap();
        let made = to_folder(&RealFs, &mut inputs, &out, stem).unwrap();
        assert!(!made.written.is_empty(), "{:?}", made.report.damage);
        let end = if options.form.is_commands() { "aof" } else { "rdb" };
        let base = out.join(format!("appendonly.aof.1.base.{end}"));
        let expected = expected(&std::fs::read(&base).unwrap(), options.target);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&out).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.push((format!("appendonlydir/{name}"), std::fs::read(path).unwrap()));
        }
        assert_eq!(files.len(), 3);
        let manifest = out.join("appendonly.aof.manifest");
        // Valkey's tool refuses every base that its own server writes (FORMATS C.1).
        if binary.family == Family::Redis || options.form.is_commands() {
            let tool = binary.check_aof(&[manifest.as_os_str()])?;
            if !tool.status.success() {
                return Some(String::from_utf8_lossy(&tool.stdout).into_owned());
            }
        }
        return wrong_answer(binary, files, &expected);
    }
    let mut before = golden_set::replay(&golden.path, &golden.options(1));
    let (made, _) = made_of(&mut before, options);
    let expected = expected(&made, options.target);
    wrong_answer(binary, vec![("appendonly.aof".into(), made)], &expected)
}

/// Through `redis-cli --pipe` a server gets what the log stands for.
#[test]
fn through_redis_cli() {
    if Command::new("redis-cli").arg("--version").output().is_err() {
        println!("SKIP: no redis-cli");
        return;
    }
    for binary in servers::all() {
        let (target, _) = target(binary);
        for golden in logs().iter().step_by(12) {
            for more in [&["--to", "resp"][..], &["--to", "resp", "--restore"]] {
                let mut server = Server::start(binary, &Setup::default()).unwrap();
                let ran = Command::new(env!("CARGO_BIN_EXE_rdbtool"))
                    .args(["convert", "-o", "-", "--lossy", "--tolerate", "failed", "--quiet"])
                    .args(["--target", target.release.name])
                    .args(more)
                    .arg(&golden.path)
                    .output()
                    .unwrap();
                let said = String::from_utf8_lossy(&ran.stderr);
                assert!(matches!(ran.status.code(), Some(0 | 1)), "{said}");
                let mut cli = Command::new("redis-cli")
                    .args(["-h", "127.0.0.1", "-p", &server.port.to_string(), "--pipe"])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap();
                cli.stdin.take().unwrap().write_all(&ran.stdout).unwrap();
                let told = cli.wait_with_output().unwrap();
                let told = String::from_utf8_lossy(&told.stdout).into_owned();
                let name = format!("{} {} {more:?}", binary.name, golden.name());
                assert!(told.contains("errors: 0"), "{name}: {told}");
                let (digest, keys) = expected(&ran.stdout, target);
                assert_eq!((server.digest(), server.dbsize()), (digest, keys), "{name}");
            }
        }
    }
}

/// Whether -0 is one is for the server that wrote a log to say: before 7.0 it was. Of one file nobody knows
/// that, so it stays; folders came with 7.0.
#[test]
fn minus_zero() {
    let folder = tempfile::tempdir().unwrap();
    let log = resp("ZADD k -0 m");
    let one = folder.path().join("one.aof");
    std::fs::write(&one, &log).unwrap();
    let all = folder.path().join("appendonlydir");
    std::fs::create_dir(&all).unwrap();
    std::fs::write(all.join("appendonly.aof.1.incr.aof"), &log).unwrap();
    let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
    std::fs::write(all.join("appendonly.aof.manifest"), manifest).unwrap();
    let told = |path: &Path, more: &[&str]| {
        let out = folder.path().join("out");
        let args = ["convert", path.to_str().unwrap(), "-o", out.to_str().unwrap()];
        let ran = crate::program::rdbtool(args.iter().chain(more));
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        let args = ["convert", out.to_str().unwrap(), "-o", "-", "--to", "jsonl", "--quiet"];
        let lines = crate::program::rdbtool(args).stdout;
        std::fs::remove_file(&out).unwrap();
        lines.contains("[\"m\",-0.0]")
    };
    assert!(told(&one, &["--to", "jsonl"]));
    assert!(told(&one, &["--to", "rdb", "--target", "redis-6.2"]));
    assert!(!told(&one, &["--to", "rdb", "--target", "redis-7.0"]), "it is what 7.0 makes of it");
    assert!(!told(&all, &["--to", "jsonl"]));
    for more in [&["--to-rdb"][..], &["--preamble", "no"], &["--preamble", "yes"]] {
        let out = folder.path().join("new");
        let args = ["rewrite", one.to_str().unwrap(), "-o", out.to_str().unwrap()];
        let ran = crate::program::rdbtool(args.iter().chain(more));
        assert_eq!(ran.code, Some(0), "{more:?}: {}{}", ran.stdout, ran.stderr);
        std::fs::remove_file(&out).unwrap();
    }
}

/// What a module keeps beside the keys is lost where it is, also of an RDB that a log begins with.
#[test]
fn where_data_of_modules_is() {
    let aux = made::b().u8(247).len(ModuleId::new(*b"scdtype00", 1).0).len(2).len(2).len(0);
    let start = made::Rdb::redis(11).aux("aof-base", "1");
    let at = start.cut().len() as u64;
    let rdb = made::Rdb::redis(11).aux("aof-base", "1").raw(aux.0).db(0).string("k", "v").end();
    let options = Options { form: Form::Commands, ..options(Target::of(RELEASES.last().unwrap())) };
    for name in ["made.rdb", "made.aof"] {
        let given = vec![Given::File(crate::source(&rdb), Input::File(name.into()))];
        let report =
            rdbtool::job::convert::convert(given, &mut crate::Buffer::default(), &options).unwrap();
        let lost: Vec<_> = report.lost.iter().map(|lost| (lost.loss, lost.offset)).collect();
        assert_eq!(lost, [(Loss::ModuleAux, at)], "{name}");
    }
}
