//! The engine's own rules, where no server is needed to know them; tests/engine_live has the rest.

use super::*;
use crate::value::Str;

fn run(engine: &mut Engine, session: &mut Session, line: &str) -> Reply {
    let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    engine.execute(session, &argv)
}

/// What a server logs for a command on an otherwise empty store where `s` is a string, `t` one that
/// expires, and the time is 1000. From the records of Redis 7.0.15 and Valkey 9.1.2.
#[test]
fn effects_are_what_a_server_logs() {
    let cases: &[(&str, &str)] = &[
        ("SET k v", "SET k v"),
        ("SET k v EX 100", "SET k v PXAT 101000"),
        ("SET k v PX 100000", "SET k v PXAT 101000"),
        ("SET k v EXAT 1795357249", "SET k v PXAT 1795357249000"),
        ("SET k v NX EX 100", "SET k v PXAT 101000"),
        ("SET k v GET", "SET k v"),
        ("SET s v XX GET KEEPTTL", "SET s v XX KEEPTTL"),
        ("SET s v NX", ""),
        ("SETNX k v", "SETNX k v"),
        ("SETEX k 100 v", "SET k v PXAT 101000"),
        ("PSETEX k 100000 v", "SET k v PXAT 101000"),
        ("GETSET k v", "SET k v"),
        ("GETDEL s", "DEL s"),
        ("GETDEL none", ""),
        ("GETEX s EX 100", "PEXPIREAT s 101000"),
        ("GETEX t PERSIST", "PERSIST t"),
        ("GETEX s PERSIST", ""),
        ("GETEX s PXAT 1", "DEL s"),
        ("GETEX s", ""),
        ("INCRBYFLOAT k 1.5", "SET k 1.5 KEEPTTL"),
        ("MSETNX a 1 s 2", ""),
        ("MSETEX 2 a 1 b 2 NX PX 100000", "MSETEX 2 a 1 b 2 NX PXAT 101000"),
        ("MSETEX 1 a 1 KEEPTTL", "MSETEX 1 a 1 KEEPTTL"),
        ("DELEX s IFEQ v", "DEL s"),
        ("DELIFEQ s v", "DEL s"),
        ("DEL a b s", "DEL a b s"),
        ("DEL none", ""),
        ("EXPIRE s 100 NX", "PEXPIREAT s 101000 NX"),
        ("EXPIRE s -1", "DEL s"),
        ("PERSIST s", ""),
        ("RENAME s x", "RENAME s x"),
        ("COPY s x DB 2 REPLACE", "COPY s x DB 2 REPLACE"),
        ("FLUSHDB", "FLUSHDB"),
        ("SELECT 3", ""),
        ("GET s", ""),
        ("GET dead", "DEL dead"),
        ("SET dead v", "DEL dead; SET dead v"),
    ];
    for (command, want) in cases {
        let mut engine = Engine::new(Config::default());
        let mut session = Session::new();
        for line in ["SET s v", "SET t v PXAT 9999999999999", "SET dead v PXAT 1"] {
            assert_eq!(run(&mut engine, &mut session, line), Reply::OK);
        }
        engine.set_mode(Mode::Serving);
        engine.set_clock(1000);
        engine.keep_effects(true);
        run(&mut engine, &mut session, command);
        let effects = engine.take_effects().into_iter().map(|effect| {
            assert_eq!(effect.db, 0);
            String::from_utf8_lossy(&effect.argv.join(&b' ')).into_owned()
        });
        assert_eq!(effects.collect::<Vec<_>>().join("; "), *want, "{command}");
    }
}

#[test]
fn nothing_expires_while_loading() {
    let mut engine = Engine::new(Config::default());
    let mut session = Session::new();
    engine.set_clock(1_000_000);
    for (line, want) in [
        ("SET k v PXAT 1", Reply::OK),
        ("PEXPIREAT k 2", Reply::Int(1)),
        ("GET k", Reply::bulk("v")),
        ("EXPIRE k -5", Reply::Int(1)),
        ("DBSIZE", Reply::Int(1)),
    ] {
        assert_eq!(run(&mut engine, &mut session, line), want, "{line}");
    }
    engine.set_mode(Mode::Serving);
    assert_eq!(run(&mut engine, &mut session, "DBSIZE"), Reply::Int(1));
    assert_eq!(run(&mut engine, &mut session, "EXISTS k"), Reply::Int(0));
    assert_eq!(run(&mut engine, &mut session, "DBSIZE"), Reply::Int(0));
}

/// Between MULTI and EXEC a loader queues everything, and each file is a session of its own.
#[test]
fn a_loader_queues_all_but_exec() {
    let mut engine = Engine::new(Config::default());
    let mut session = Session::new();
    for line in ["MULTI", "SET a 1", "MULTI", "SELECT 2", "SET b 2", "NOSUCH"] {
        run(&mut engine, &mut session, line);
    }
    assert!(session.in_multi());
    assert_eq!(engine.memory(), 0, "nothing is done before EXEC");
    let mut other = Session::new();
    assert_eq!(run(&mut engine, &mut other, "SET c 3"), Reply::OK);
    // The unknown command spoils it, as for a client; a loader stops there anyway.
    assert_eq!(run(&mut engine, &mut session, "EXEC"), Reply::Error(Failure::EXEC_ABORT));

    for line in ["MULTI", "SET a 1", "MULTI", "SELECT 2", "SET b 2"] {
        run(&mut engine, &mut session, line);
    }
    let nested = Reply::Error(Failure::NESTED_MULTI);
    let want = Reply::Array(vec![Reply::OK, nested, Reply::OK, Reply::OK]);
    assert_eq!(run(&mut engine, &mut session, "EXEC"), want);
    assert_eq!((session.db(), session.in_multi()), (2, false));
    assert_eq!(engine.value(2, b"b").map(Value::len), Some(1));
}

#[test]
fn memory_is_counted_and_limited() {
    let mut engine = Engine::new(Config { max_memory: Some(1 << 20), ..Config::default() });
    let mut session = Session::new();
    let big = vec![b'x'; 100_000];
    let mut replies =
        (0..20).map(|n| engine.execute(&mut session, &[b"SET", format!("k{n}").as_bytes(), &big]));
    assert_eq!(replies.by_ref().take(10).filter(|reply| *reply == Reply::OK).count(), 10);
    assert_eq!(replies.last(), Some(Reply::Error(Failure::OUT_OF_MEMORY)));
    let full = engine.memory();
    assert!((1 << 20..(1 << 20) + 200_000).contains(&full), "{full}");
    // A few bytes that would become many are refused before they do.
    assert_eq!(run(&mut engine, &mut session, "DEL k0 k1"), Reply::Int(2));
    let reply = run(&mut engine, &mut session, "SETRANGE k2 500000000 x");
    assert_eq!(reply, Reply::Error(Failure::OUT_OF_MEMORY));
    // What is put in and taken out leaves nothing behind in the count.
    let before = engine.memory();
    for _ in 0..100 {
        run(&mut engine, &mut session, "APPEND k2 abc");
        run(&mut engine, &mut session, "SETRANGE new 1000 x");
        run(&mut engine, &mut session, "DEL new");
    }
    let grown = engine.memory() - before;
    assert!(grown < 150_000, "only the buffer of k2 may have grown: {grown}");
    run(&mut engine, &mut session, "FLUSHALL");
    assert_eq!(engine.memory(), 0);
}

#[test]
fn put_take_and_walk() {
    let mut engine = Engine::new(Config::default());
    let item =
        Item { expire_at_ms: Some(5), access: Some(Access::Freq(7)), ..Item::new(Str::new(b"12")) };
    assert_eq!(engine.put(900, b"k", item), Ok(()));
    assert_eq!(engine.put(0, b"k", Item::new(Str::new(b"x"))), Ok(()));
    let all: Vec<_> =
        engine.iter().map(|(db, key)| (db, key.key.to_vec(), key.expire_at_ms)).collect();
    assert_eq!(all, [(0, b"k".to_vec(), None), (900, b"k".to_vec(), Some(5))]);
    let taken = engine.take(900, b"k").map(|item| (item.expire_at_ms, item.access));
    assert_eq!(taken, Some((Some(5), Some(Access::Freq(7)))));
    assert_eq!(engine.put(900, b"k", Item::new(Str::new(b"x"))), Ok(()));
    assert_eq!(engine.keyspace(900).map(Keyspace::expires_len), Some(0), "nothing remained of it");
}

/// Any command with any arguments: an answer, never a panic.
#[test]
fn any_arguments_are_answered() {
    let mut rng = fastrand::Rng::with_seed(6);
    let mut engine = Engine::new(Config { max_memory: Some(1 << 26), ..Config::default() });
    let commands: Vec<&Command> =
        command::all().flat_map(|c| [c].into_iter().chain(c.subcommands)).collect();
    let words: &[&str] = &[
        "k",
        "k2",
        "",
        "0",
        "1",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1.5",
        "nan",
        "inf",
        "1e5000",
        "18446744073709551615",
        "2147483648",
        "536870912",
        "count",
        "match",
        "ex",
        "px",
        "pxat",
        "nx",
        "xx",
        "gt",
        "lt",
        "get",
        "keepttl",
        "db",
        "replace",
        "len",
        "idx",
        "fields",
        "limit",
        "withscores",
        "type",
        "*",
        "[a-",
        "\\",
    ];
    for mode in [Mode::Loading, Mode::Serving] {
        engine.set_mode(mode);
        let mut session = Session::new();
        for round in 0..60_000 {
            let command = commands[rng.usize(..commands.len())];
            let mut argv: Vec<&[u8]> = command.name.split('|').map(str::as_bytes).collect();
            argv.extend((0..rng.usize(..7)).map(|_| words[rng.usize(..words.len())].as_bytes()));
            engine.set_clock(if rng.u8(..20) == 0 { rng.i64(..) } else { round });
            let reply = engine.execute(&mut session, &argv);
            reply.to_resp2();
            if rng.u8(..50) == 0 {
                session = Session::new();
                engine.execute(&mut session, &[b"FLUSHALL"]);
            }
        }
    }
}

/// A script that uses up what it may ends with an error, and the next one runs as ever.
#[test]
fn scripts_have_budgets() {
    let mut engine = Engine::new(Config::default());
    let mut session = Session::new();
    let mut eval = |code: &str| engine.execute(&mut session, &[b"EVAL", code.as_bytes(), b"0"]);
    let cases = [
        ("while true do end", "takes so long"),
        ("local ok = pcall(function() while true do end end) return 'caught'", "takes so long"),
        ("return ('x'):rep(200):find(('a*'):rep(60)..'b')", "takes so long"),
        ("local t = {} for i = 1, 1e9 do t[i] = {i, i, i, i} end", "memory"),
        ("local s = ('x'):rep(1e9)", "memory"),
        (
            "local s, t = ('x'):rep(1e7), {} for i = 1, 99 do t[i] = s end return t",
            "long an answer",
        ),
        (
            "local s, t = ('x'):rep(1e7), {} for i = 1, 99 do t[i] = s end return cjson.encode(t)",
            "long",
        ),
        (
            "local s, t = ('x'):rep(1e7), {} for i = 1, 99 do t[i] = s end return cmsgpack.pack(t)",
            "large",
        ),
        (
            "local s = ('x'):rep(1e7) return struct.pack(('s'):rep(60), unpack((function() local t = {} \
          for i = 1, 60 do t[i] = s end return t end)()))",
            "large",
        ),
        ("local t = {} t[1] = t return t", "stack"),
        ("return cmsgpack.unpack(('\\145'):rep(100000))", "stack"),
        ("return cjson.decode(('['):rep(100000))", "nested"),
        ("local function f() return f() + 1 end return f()", "stack"),
    ];
    for (code, why) in cases {
        let reply = eval(code);
        assert!(reply.is_error() && format!("{reply:?}").contains(why), "{code}: {reply:?}");
        assert_eq!(eval("return 7"), Reply::Int(7), "after {code}");
    }
}
