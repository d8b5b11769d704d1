//! Lines that are not as they should be: each is refused with its place, and nothing is written.

use rdbtool::input::source::Input;
use rdbtool::job::convert::{Form, Given, Options, convert};
use rdbtool::limits::Limits;
use rdbtool::rdb::target::Target;

use crate::program::{rdbtool, rdbtool_reading, testdata};
use crate::{Buffer, options, source};

fn refused(text: &[u8], limits: Limits) -> String {
    let options = Options { limits, jobs: 2, ..options(Target::version(14).unwrap()) };
    let given = vec![Given::File(source(text), Input::Stdin)];
    match convert(given, &mut Buffer::default(), &options) {
        Ok(report) => format!("taken: {} keys, {:?}", report.counts.keys, report.damage),
        Err(err) => err.to_string(),
    }
}

/// The rest of a key's line, and what is said of it. A column is that of the last byte looked at; the rest
/// begins behind column 18.
#[test]
fn lines_that_are_none() {
    let cases: &[(&str, &str)] = &[
        // Not JSON, or no such object.
        (r#""type":"string","value":"x""#, "-:2:45: EOF"),
        (r#""type":"string","value":"x"}}"#, "-:2:47: trailing"),
        (r#""type":"string","value":"\ud800"}"#, "-:2:50: unexpected end of hex escape"),
        (r#""type":"string"}"#, "-:2:34: missing field `value`"),
        (r#""value":"x"}"#, "-:2:30: missing field `type`"),
        (r#""type":"string","value":"x","ttl":5}"#, "-:2:51: unknown field `ttl`"),
        (r#""type":"string","type":"string","value":"x"}"#, "-:2:40: duplicate field `type`"),
        (r#""type":"strin","value":"x"}"#, "-:2: expected string, list"),
        (
            r#""type":"string","encoding":"fast","value":"x"}"#,
            "-:2: expected a word of OBJECT ENCODING",
        ),
        // Numbers out of range, or none.
        (r#""type":"string","freq":300,"value":"x"}"#, "-:2:44: invalid value: integer `300`"),
        (r#""type":"string","idle_s":-1,"value":"x"}"#, "-:2:45: invalid value"),
        (r#""type":"string","expire_at_ms":1.5,"value":"x"}"#, "-:2:52: invalid type: floating"),
        (
            r#""type":"string","expire_at_ms":9223372036854775808,"value":"x"}"#,
            "-:2:68: invalid value",
        ),
        // Values of another type.
        (
            r#""type":"string","value":5}"#,
            "-:2:43: invalid type: integer `5`, expected a string or",
        ),
        (r#""type":"string","value":{"base64":"%"}}"#, "-:2:56: expected base64"),
        (r#""type":"string","value":{"base64":"AA==","x":1}}"#, "-:2:62: expected nothing more"),
        (r#""type":"string","value":{"hex":"00"}}"#, "-:2:48: expected \"base64\""),
        (r#""type":"list","value":["a",null]}"#, "-:2:49: invalid type: null"),
        (r#""type":"list","nodes":[1],"value":["a","b"]}"#, "-:2:61: expected as many items"),
        (r#""type":"list","nodes":[3],"value":["a","b"]}"#, "expected as many items"),
        (r#""type":"list","nodes":[0,2],"value":["a","b"]}"#, "expected as many items"),
        (r#""type":"list","nodes":["loose"],"value":["a"]}"#, "\"plain\""),
        (r#""type":"set","value":["a","b","a"]}"#, "-:2: dup-member"),
        (r#""type":"set","value":{"a":1}}"#, "-:2:40: invalid type: map, expected a list"),
        (r#""type":"hash","value":[["a","b"],["a","c"]]}"#, "-:2: dup-field"),
        (r#""type":"hash","value":[["a"]]}"#, "invalid length 1"),
        (r#""type":"hash","value":[["a","b",5,6]]}"#, "trailing characters"),
        (r#""type":"hash","value":[["a","b",0]]}"#, "expected an expire time of 1 to 2^48-1"),
        (r#""type":"hash","value":[["a","b",281474976710656]]}"#, "expected an expire time"),
        (r#""type":"zset","value":[["a","nan"]]}"#, "expected a number, \"inf\" or \"-inf\""),
        (r#""type":"zset","value":[["a",1e400]]}"#, "number out of range"),
        (r#""type":"zset","value":[["a",1],["a",2]]}"#, "-:2: dup-member"),
        (r#""type":"array","value":{"cells":[[5,"a"],[4,"b"]]}}"#, "-:2: array-invalid"),
        (r#""type":"array","value":{"cells":[[5,9223372036854775808]]}}"#, "a number of 64 bits"),
        (r#""type":"array","value":{"cells":[[5,{"double":"x"}]]}}"#, "invalid type: map"),
        // Streams that do not add up.
        (r#""type":"stream","value":{"entries":[],"last_id":"5"}}"#, "expected an id such as"),
        (
            r#""type":"stream","value":{"entries":[["1-0",["a"]]],"last_id":"5-0"}}"#,
            "a value for each field",
        ),
        (
            r#""type":"stream","value":{"entries":[["2-0",["a","b"]],["1-0",["a","b"]]],"last_id":"5-0"}}"#,
            "ascending order",
        ),
        (
            r#""type":"stream","value":{"entries":[],"last_id":"5-0","entries_added":5}}"#,
            "together, or none",
        ),
        (
            r#""type":"stream","value":{"entries":[],"last_id":"5-0","groups":[{"name":"g","last_id":"1-0","consumers":[{"name":"c","seen_at_ms":1,"pending":["1-0"]}]}]}}"#,
            "pel-unknown",
        ),
        (
            r#""type":"stream","value":{"entries":[],"last_id":"5-0","groups":[{"name":"g","last_id":"1-0","pending":[["1-0",1,1]]}]}}"#,
            "pel-orphan",
        ),
        (
            r#""type":"stream","value":{"entries":[],"last_id":"5-0","groups":[{"name":"g","last_id":"1-0"},{"name":"g","last_id":"1-0"}]}}"#,
            "group-dup",
        ),
        // Modules.
        (r#""type":"exampl-v1","value":{"encver":1,"data":"AgU="}}"#, "-:2: "),
        (r#""type":"vectorset","value":{"elements":[]}}"#, "expected \"data\""),
        (r#""type":"exampl-v1","value":{"encver":1024,"data":"AA=="}}"#, "an encver below 1024"),
        (r#""type":"exampl-v1","value":{"encver":-1,"data":"AA=="}}"#, "-:2:57: invalid value"),
        (r#""type":"string","meta":"AAA=","value":"x"}"#, "-:2: expected key-meta"),
    ];
    let mut wrong = Vec::new();
    for (rest, want) in cases {
        let text = format!("{{\"rdbtool_jsonl\":1}}\n{{\"db\":0,\"key\":\"a\",{rest}\n");
        let said = refused(text.as_bytes(), Limits::default());
        let placed = said.starts_with("-:2:");
        if !placed || !said.contains(want) {
            wrong.push(format!("{rest}\n  said {said}\n  want {want}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn whole_lines_that_are_none() {
    let good = r#"{"db":0,"key":"a","type":"string","value":"x"}"#;
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    let cases: &[(&str, &str)] = &[
        (r#"{"rdbtool_jsonl":2}"#, "-:1: expected version 1 of this form, found 2"),
        (r#"{"rdbtool_jsonl":1,"magic":"HELLO","rdb_version":9}"#, "-:1: no RDB begins with"),
        (r#"{"rdbtool_jsonl":1,"magic":"REDIS","rdb_version":10000}"#, "-:1: no RDB begins with"),
        (r#"{"rdbtool_jsonl":1,"magic":"VALKEY","rdb_version":1000}"#, "-:1: no RDB begins with"),
        (r#"{"rdbtool_jsonl":1,"magic":"REDIS","rdb_version":0}"#, "-:1: no RDB begins with"),
        (
            &format!("{good}\n{{\"module_aux\":\"scdtype00\",\"encver\":1024,\"data\":\"AgIA\"}}"),
            "expected an encver below 1024",
        ),
        (&format!("{good}\n{{\"rdbtool_jsonl\":1}}"), "-:2: expected the first line to be first"),
        (&format!("{good}\n[1]"), "-:2:1: invalid type: sequence, expected an object"),
        (&format!("{good}\n{{}}"), "-:2:2: expected one of key, aux"),
        (&format!("{good}\nhello"), "-:2:1: expected value"),
        (&format!("{good}\n{deep}"), "EOF while parsing a list"),
        (&format!("{good}\n\n{good}"), "-:3: expected each key once, found that of line 1 again"),
        (&format!("{good}\n{}", good.replace(":0,", ":2147483648,")), "-:2: expected a database"),
        (&format!("{good}\n{{\"aux\":\"a\"}}"), "missing field `value`"),
        (&format!("{good}\n{{\"function\":5}}"), "expected a string or"),
        (
            &format!("{good}\n{{\"slot_import\":\"j\",\"slots\":[]}}"),
            "no file of it has such a record",
        ),
        (&format!("{good}\n{{\"opaque\":255,\"data\":\"\"}}"), "no file of it has such a record"),
        (
            &format!("{good}\n{{\"module_aux\":\"short\",\"encver\":1,\"data\":\"\"}}"),
            "nine characters",
        ),
        (
            &format!("{good}\n{{\"module_aux\":\"scdtype00\",\"encver\":1,\"data\":\"Ag==\"}}"),
            "expected module-aux",
        ),
    ];
    let mut wrong = Vec::new();
    for (text, want) in cases {
        let said = refused(text.as_bytes(), Limits::default());
        if !said.starts_with("-:") || !said.contains(want) {
            wrong.push(format!("{:.100}\n  said {said}\n  want {want}", text));
        }
    }
    let said =
        refused(&[good.as_bytes(), b"\n{\"db\":0,\"key\":\"\xff\"}"].concat(), Limits::default());
    if !said.starts_with("-:2:16: expected UTF-8") {
        wrong.push(said);
    }
    let long = format!(
        "{good}\n{{\"db\":0,\"key\":\"b\",\"type\":\"string\",\"value\":\"{}\"}}",
        "x".repeat(9 << 20)
    );
    let said = refused(long.as_bytes(), Limits { record: 1 << 20, ..Limits::default() });
    if !said.starts_with("-:2: expected a line of at most 1048576 bytes") {
        wrong.push(said);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len() + 2, wrong.join("\n"));
}

/// Any byte may be another: what comes is a file or a place, never a panic.
#[test]
fn damaged_lines_do_no_harm() {
    let bytes = std::fs::read(testdata("dump.rdb")).unwrap();
    let lines = Options { form: Form::JsonLines, ..options(Target::version(14).unwrap()) };
    let (made, _) = crate::convert(&bytes, &lines);
    let mut random = fastrand::Rng::with_seed(5);
    let wide: Vec<&[u8]> = made.split_inclusive(|byte| *byte == b'\n').collect();
    let trials = if std::env::var_os("RDBTOOL_TEST_ALL_FILES").is_some() { 50_000 } else { 2_000 };
    let (mut taken, mut placed) = (0, 0);
    for _ in 0..trials {
        let mut text = wide[0].to_vec();
        text.extend_from_slice(wide[random.usize(1..wide.len())]);
        for _ in 0..random.usize(1..4) {
            let at = random.usize(wide[0].len()..text.len());
            text[at] = *random.choice(b"\"\\{}[]:,0-9.eE\x00\xff \n").unwrap();
        }
        let said = refused(&text, Limits::default());
        match said.starts_with("taken") {
            true => taken += 1,
            false => placed += u32::from(said.starts_with("-:")),
        }
    }
    println!("{taken} taken, {placed} refused");
    assert_eq!(taken + placed, trials, "an error without a place");
    assert!(placed > trials / 2 && taken > 0, "{taken} taken, {placed} refused");
}

#[test]
fn nothing_is_written_of_a_bad_file() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("keys.jsonl"), folder.path().join("out.rdb"));
    let good = r#"{"db":0,"key":"a","type":"string","value":"x"}"#;
    std::fs::write(&from, format!("{good}\n{{\"db\":0,\"key\":7}}\n")).unwrap();
    let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
    let place = format!("error: {from}:2:15: invalid type: integer `7`, expected a string or");
    for args in [
        &["convert", from, "-o", to, "--target", "redis-7.2"][..],
        &["convert", from, "-o", to, "--to", "jsonl"],
        &["convert", from, "-o", "-", "--to", "csv"],
        &["replay", from],
        &["digest", from],
        &["verify", from, from],
    ] {
        let ran = rdbtool(args.iter().copied());
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stdout);
        assert!(ran.stderr.contains(&place), "{args:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{args:?}: {}", ran.stdout);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{args:?}");
    }
}

#[test]
fn the_verbs_take_lines() {
    let folder = tempfile::tempdir().unwrap();
    let (dump, lines) = (testdata("dump.rdb"), folder.path().join("keys.jsonl"));
    let (dump, lines) = (dump.to_str().unwrap(), lines.to_str().unwrap());
    let ran = rdbtool(["convert", dump, "-o", lines, "--to", "jsonl"]);
    assert_eq!((ran.code, &ran.stderr[..]), (Some(0), ""), "{}", ran.stdout);
    assert!(ran.stdout.contains("CONVERTED — 1,825 keys"), "{}", ran.stdout);
    let ran = rdbtool(["verify", dump, lines]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let digest =
        |path: &str| rdbtool(["digest", path]).stdout.split(' ').next().unwrap().to_owned();
    assert_eq!(digest(dump), digest(lines));
    let ran =
        rdbtool(["convert", lines, "-o", "-", "--to", "jsonl", "--key", "session:1*", "--db", "0"]);
    assert!(
        ran.stdout
            .lines()
            .filter(|line| line.contains("\"key\""))
            .all(|line| { line.starts_with("{\"db\":0,\"key\":\"session:1") })
    );
    // Commands of lines are those of the RDB, and a line may come through a pipe.
    let resp = |path: &str, name: &str| {
        let out = folder.path().join(name);
        let to = out.to_str().unwrap();
        let ran = rdbtool(["convert", path, "-o", to, "--to", "resp", "--target", "redis-8.2"]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        std::fs::read(out).unwrap()
    };
    assert!(resp(dump, "dump.resp") == resp(lines, "lines.resp"));
    let ran = rdbtool_reading(
        &["convert", "-", "-o", "-", "--to", "json"],
        b"{\"db\":3,\"key\":\"k\",\"type\":\"hash\",\"value\":[[\"a\",\"b\"]]}",
    );
    assert_eq!(ran.stdout, "[{\"db\":3,\"keys\":{\n\"k\":{\"a\":\"b\"}\n}}]\n", "{}", ran.stderr);
    let ran = rdbtool(["convert", lines, "-o", "x"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("--target"), "{}", ran.stderr);
}

/// Names that a spreadsheet would run, and such as forge a row.
#[test]
fn a_table_is_safe_to_open() {
    let names: &[(&str, &str)] = &[
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2", "'-2"),
        ("a,b", "\"a,b\""),
        ("say \\\"hi\\\"", "\"say \"\"hi\"\"\""),
        ("a\\r\\n0,string,forged", "\"a\\r\\n0,string,forged\""),
        ("\\t=1", "\\t=1"),
        ("back\\\\slash", "back\\\\slash"),
        ("\\u001b[2J", "\\u{1b}[2J"),
    ];
    for (json, cell) in names {
        let line = format!("{{\"db\":0,\"key\":\"{json}\",\"type\":\"string\",\"value\":\"x\"}}");
        let ran = rdbtool_reading(&["convert", "-", "-o", "-", "--to", "csv"], line.as_bytes());
        let rows: Vec<_> = ran.stdout.split("\r\n").collect();
        let want = format!("0,string,{cell},embstr,1,1,");
        assert!(
            rows.len() == 3 && rows[1].starts_with(&want),
            "{rows:?}, not {want}{}",
            ran.stderr
        );
    }
}
