//! Keys as commands: run by the engine they make what was there, and live servers load them as an AOF.

use rdbtool::encoding::resp::{Forms, Framer, write_command};
use rdbtool::engine::{Config, Engine, Reply, Session};
use rdbtool::job::convert::{Form, Options};
use rdbtool::job::payload::PAYLOADS;
use rdbtool::loss::Loss;
use rdbtool::rdb::target::Target;
use rdbtool::rdb::versions::{self, RELEASES, Release};
use rdbtool::value::PackedLimits;
use rdbtool::value::digest::{Style, of_value};

use crate::golden::goldens;
use crate::live::{engine_release, expected_of, has_foreign_modules, now_ms, target};
use crate::made::{Rdb, b, lp};
use crate::servers::{self, Load, Setup, loads_with};
use crate::{convert, load, options};

fn commands(bytes: &[u8], target: Target) -> (Vec<u8>, rdbtool::job::convert::Report) {
    let options = Options { form: Form::Commands, ..options(target) };
    convert(bytes, &options)
}

/// Runs commands in an engine; the first error.
fn run(made: &[u8], release: &'static versions::Release) -> Result<Engine, String> {
    // What 7.0 and later pack loses the sign of -0.
    let zset_entries = if release.has_redis(7, 0) { PackedLimits::DEFAULT.zset_entries } else { 0 };
    let packed = PackedLimits { zset_entries, ..PackedLimits::DEFAULT };
    let release = engine_release(release);
    let config = Config { release, packed, payloads: PAYLOADS, ..Config::default() };
    let mut engine = Engine::new(config);
    let mut session = Session::new();
    let mut framer = Framer::new(Forms::Tolerant, 512 << 20);
    let mut rest = made;
    while !rest.is_empty() {
        let mut args: Vec<&[u8]> = Vec::new();
        let len =
            framer.command(rest, |arg| args.push(arg)).map_err(|_| "no command".to_owned())?;
        if let Reply::Error(failure) = engine.execute(&mut session, &args) {
            return Err(format!("{}: {failure}", args[0].escape_ascii()));
        }
        rest = &rest[len..];
    }
    Ok(engine)
}

/// The digests of what the commands make are those of what the file holds, lost keys aside.
#[test]
fn commands_make_what_was_there() {
    let names = ["redis-3.2", "redis-6.2", "redis-7.0", "redis-8.2", "redis-8.8", "valkey-9.1"];
    let (mut count, mut bad) = (0, Vec::new());
    for path in goldens() {
        let bytes = std::fs::read(&path).unwrap();
        let before = load(&bytes);
        for release in RELEASES.iter().filter(|release| names.contains(&release.name)) {
            count += 1;
            let (made, report) = commands(&bytes, Target::of(release));
            let engine = match run(&made, release) {
                Ok(engine) => engine,
                Err(why) => {
                    bad.push(format!("{} for {}: {why}", path.display(), release.name));
                    continue;
                }
            };
            let whole = |db: u64, name: &[u8]| {
                let mut lost =
                    report.lost.iter().filter(|lost| lost.whole || lost.loss == Loss::FieldTtl);
                lost.any(|lost| lost.key.as_ref().is_some_and(|at| at.db == db && at.key == name))
            };
            for (db, key) in before.engine.iter().filter(|(db, key)| !whole(*db, key.key)) {
                let style = Style::default();
                let was = of_value(key.value, key.expire_at_ms.is_some(), style);
                let is = engine.digest_value(db, key.key, style);
                let minus_zero = matches!(key.value, rdbtool::value::Value::Zset(zset)
                    if zset.iter().any(|(_, score)| score == 0.0 && score.is_sign_negative()));
                if was != is && !minus_zero {
                    let name = key.key.escape_ascii();
                    bad.push(format!(
                        "{} for {}: db {db} \"{name}\"",
                        path.display(),
                        release.name
                    ));
                }
            }
        }
    }
    let shown = bad.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    assert!(bad.is_empty(), "{} in {count}:\n{shown}", bad.len());
}

#[test]
fn servers_load_them_as_an_aof() {
    let files: Vec<_> = goldens().into_iter().filter(|path| !has_foreign_modules(path)).collect();
    for binary in servers::all() {
        let (target, release) = target(binary);
        let mut bad = Vec::new();
        for path in &files {
            // Of an AOF a server deletes what has expired bit by bit, so nobody knows when it has.
            let form = Form::Commands;
            let options = Options { form, drop_expired: true, now_ms: now_ms(), ..options(target) };
            let (made, _) = convert(&std::fs::read(path).unwrap(), &options);
            let engine = match run(&made, target.release) {
                Ok(engine) => engine,
                Err(why) => panic!("{}: {why}", path.display()),
            };
            let (digest, keys) = expected_of(engine, release);
            let setup = Setup { lines: Vec::new(), files: vec![("appendonly.aof".into(), made)] };
            let Load { up, dbsize, digest: told, log } =
                loads_with(binary, &setup.line("appendonly yes"));
            if !up || told.as_deref() != Some(&digest) || dbsize != Some(keys) {
                let tail: Vec<_> = log.lines().rev().take(3).collect();
                bad.push(format!(
                    "{}: {told:?} and {dbsize:?} keys, not {digest} and {keys}\n{}",
                    path.display(),
                    tail.join("\n")
                ));
            }
        }
        println!("{}: {} files", binary.name, files.len());
        let shown = bad.iter().take(6).cloned().collect::<Vec<_>>().join("\n");
        assert!(bad.is_empty(), "{}: {} of {}:\n{shown}", binary.name, bad.len(), files.len());
    }
}

/// A message that was deleted while a consumer had it: no server makes it pending again, and that is told.
/// Who has nothing else is made by name, where there is a command for it.
#[test]
fn what_no_server_can_claim() {
    let mut log = Vec::new();
    for text in [
        "XADD s 1-1 f v",
        "XADD s 2-1 f v",
        "XGROUP CREATE s g 2-1",
        "XCLAIM s g both 0 1-1 TIME 1600000000000 RETRYCOUNT 1 FORCE JUSTID",
        "XADD s 3-1 f v",
        "XCLAIM s g both 0 3-1 TIME 1600000000000 RETRYCOUNT 1 FORCE JUSTID",
        "XCLAIM s g gone 0 2-1 TIME 1600000000000 RETRYCOUNT 1 FORCE JUSTID",
        "XDEL s 1-1 2-1",
    ] {
        log.extend(resp(text));
    }
    for (name, makes) in [
        ("redis-5.0", false),
        ("redis-6.0", false),
        ("redis-6.2", true),
        ("redis-7.0", true),
        ("redis-8.8", true),
        ("valkey-8.0", true),
    ] {
        let (made, report) = commands(&log, Target::of(Release::by_name(name).unwrap()));
        let has = |text: &str| memmem(&made, &resp(text));
        assert!(
            !has("XCLAIM s g both 0 1-1 TIME 1600000000000 RETRYCOUNT 1 JUSTID FORCE"),
            "{name}"
        );
        assert!(
            has("XCLAIM s g both 0 3-1 TIME 1600000000000 RETRYCOUNT 1 JUSTID FORCE"),
            "{name}"
        );
        assert_eq!(has("XGROUP CREATECONSUMER s g gone"), makes, "{name}");
        assert_eq!(report.losses.contains_key(&Loss::Consumer), !makes, "{name}");
        assert!(report.usual.contains(&Loss::PendingGone), "{name}");
        let told = report.lost.iter().find(|lost| lost.loss == Loss::PendingGone).unwrap();
        assert_eq!(told.key.as_ref().unwrap().key, b"s", "{name}");
    }
}

/// Servers pass over collections without elements in a file: commands make none, and none is counted.
#[test]
fn what_is_empty_is_no_key() {
    let none = || b().len(0);
    let file = Rdb::redis(11).db(0).string("text", "").expire_ms(4_000_000_000_000);
    let file = file.key(1, "list", none()).key(2, "set", none()).key(4, "hash", none());
    let file = file.key(5, "zset", none()).packed(17, "packed", lp(&[])).end();
    for form in [Form::Commands, Form::Restore] {
        let options =
            Options { form, ..options(Target::of(Release::by_name("redis-7.0").unwrap())) };
        let (made, report) = convert(&file, &options);
        let counts = report.counts;
        assert_eq!((counts.keys, counts.expires, counts.empty), (1, 0, 5), "{form:?}");
        assert!(report.losses.is_empty() && report.damage.is_empty(), "{form:?}");
        for binary in servers::all().iter().filter(|binary| binary.version >= (7, 0, 0)) {
            let files = vec![("appendonly.aof".into(), made.clone())];
            let setup = Setup { lines: Vec::new(), files };
            let load = loads_with(binary, &setup.line("appendonly yes"));
            assert_eq!((load.up, load.dbsize), (true, Some(1)), "{} {form:?}", binary.name);
        }
    }
}

/// A command, its words between blanks.
pub(crate) fn resp(text: &str) -> Vec<u8> {
    let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
    let mut out = Vec::new();
    write_command(words.into_iter(), &mut out);
    out
}

fn memmem(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
