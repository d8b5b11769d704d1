//! Hashes, sorted sets and places in the engine: what it logs, how fields expire, what old files hold.
//! How commands answer is compared with live servers (tests/engine_live).

#![allow(clippy::unwrap_used, clippy::panic)]

use rdbtool::engine::{Config, Engine, Mode, Release, Reply, Session};

fn run(engine: &mut Engine, session: &mut Session, line: &str) -> Reply {
    let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    engine.execute(session, &argv)
}

/// What is logged for a command at the time 1000, when there are `h` (f v, g w, t x; the last expires),
/// `z` (a 1, b 2, c 3) and `g` (P).
fn logged(release: Release, command: &str) -> String {
    let mut engine = Engine::new(Config { release, ..Config::default() });
    let mut session = Session::new();
    for line in [
        "HSET h f v g w t x",
        "HPEXPIREAT h 50000 FIELDS 1 t",
        "ZADD z 1 a 2 b 3 c",
        "GEOADD g 13.361389 38.115556 P",
    ] {
        assert!(!run(&mut engine, &mut session, line).is_error(), "{line}");
    }
    engine.set_mode(Mode::Serving);
    engine.set_clock(1000);
    engine.keep_effects(true);
    let reply = run(&mut engine, &mut session, command);
    assert!(!reply.is_error(), "{command}: {reply:?}");
    let effects = engine.take_effects();
    let lines = effects.iter().map(|effect| {
        assert_eq!(effect.db, 0);
        String::from_utf8_lossy(&effect.argv.join(&b' ')).into_owned()
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// From the records of Redis 8.0.6, 8.6.3 and Valkey 9.1.2; where one text stands, both log the same.
#[test]
fn effects_are_what_a_server_logs() {
    const CASES: &[(&str, &str, &str)] = &[
        ("HSET h f v q w", "HSET h f v q w", ""),
        ("HMSET h f v", "HMSET h f v", ""),
        ("HSETNX h f v", "-", ""),
        ("HSETNX h q v", "HSETNX h q v", "HSET h q v"),
        ("HDEL h f q", "HDEL h f q", ""),
        ("HDEL h q", "-", ""),
        ("HINCRBY n f 5", "HINCRBY n f 5", ""),
        ("HINCRBY h q 5", "HINCRBY h q 5", "HSET h q 5"),
        ("HINCRBYFLOAT n f 1.5", "HSETEX n KEEPTTL FIELDS 1 f 1.5", "HSET n f 1.5"),
        ("HGETDEL h FIELDS 1 f", "HDEL h f", "HGETDEL h FIELDS 1 f"),
        ("HGETDEL h FIELDS 2 f no", "HDEL h f no", "HGETDEL h FIELDS 2 f no"),
        ("HGETDEL h FIELDS 1 no", "-", ""),
        ("HEXPIRE h 100 FIELDS 1 f", "HPEXPIREAT h 101000 FIELDS 1 f", ""),
        ("HPEXPIRE h 100000 NX FIELDS 2 f g", "HPEXPIREAT h 101000 NX FIELDS 2 f g", ""),
        ("HEXPIREAT h 1795356687 FIELDS 1 f", "HPEXPIREAT h 1795356687000 FIELDS 1 f", ""),
        ("HPEXPIREAT h 99999 FIELDS 1 f", "HPEXPIREAT h 99999 FIELDS 1 f", ""),
        ("HEXPIRE h 0 FIELDS 1 f", "HDEL h f", ""),
        ("HPEXPIREAT h 1 FIELDS 2 f g", "HDEL h f; HDEL h g", "HDEL h f g"),
        (
            "HEXPIRE h 100 FIELDS 2 f no",
            "HPEXPIREAT h 101000 FIELDS 1 f",
            "HPEXPIREAT h 101000 FIELDS 2 f no",
        ),
        (
            "HEXPIRE h 100 GT FIELDS 2 t g",
            "HPEXPIREAT h 101000 GT FIELDS 1 t",
            "HPEXPIREAT h 101000 GT FIELDS 2 t g",
        ),
        ("HEXPIRE h 100 GT FIELDS 1 f", "-", ""),
        ("HPERSIST h FIELDS 1 t", "HPERSIST h FIELDS 1 t", ""),
        ("HPERSIST h FIELDS 1 f", "-", ""),
        ("HSETEX h EX 100 FIELDS 1 f v", "HSETEX h PXAT 101000 FIELDS 1 f v", ""),
        ("HSETEX h FIELDS 1 f v", "HSETEX h FIELDS 1 f v", ""),
        (
            "HSETEX h FNX PX 100000 FIELDS 2 i v j w",
            "HSETEX h FNX PXAT 101000 FIELDS 2 i v j w",
            "HSETEX h PXAT 101000 FIELDS 2 i v j w",
        ),
        ("HSETEX h FNX FIELDS 1 f v", "-", ""),
        ("HSETEX h KEEPTTL FIELDS 1 f v", "HSETEX h KEEPTTL FIELDS 1 f v", ""),
        ("HSETEX h PXAT 1 FIELDS 1 f v", "HDEL h f", ""),
        ("HSETEX h PXAT 1 FIELDS 1 no v", "HDEL h no", "-"),
        ("HSETEX h PXAT 99999 FIELDS 1 f v", "HSETEX h PXAT 99999 FIELDS 1 f v", ""),
        ("HGETEX h EX 100 FIELDS 1 f", "HPEXPIREAT h 101000 FIELDS 1 f", ""),
        ("HGETEX h PERSIST FIELDS 1 t", "HPERSIST h FIELDS 1 t", ""),
        ("HGETEX h PXAT 1 FIELDS 1 f", "HDEL h f", ""),
        ("HGETEX h FIELDS 1 f", "-", ""),
        ("HINCRBYFLOAT m f 1", "HSETEX m KEEPTTL FIELDS 1 f 1", "HSET m f 1"),
        ("ZADD z NX CH 1 q", "ZADD z NX CH 1 q", ""),
        ("ZADD z GT 1 a", "-", ""),
        ("ZADD z INCR 1.5 a", "ZADD z INCR 1.5 a", ""),
        ("ZINCRBY z 0 a", "-", ""),
        ("ZINCRBY z 1.5 a", "ZINCRBY z 1.5 a", ""),
        ("ZREM z a", "ZREM z a", ""),
        ("ZREM z q", "-", ""),
        ("ZPOPMIN z", "ZPOPMIN z", ""),
        ("ZPOPMAX z 2", "ZPOPMAX z 2", ""),
        ("BZPOPMIN z 0", "ZPOPMIN z", ""),
        ("BZPOPMIN no 0", "-", ""),
        ("ZMPOP 1 z MIN COUNT 2", "ZPOPMIN z 2", ""),
        ("ZMPOP 1 z MIN COUNT 9", "ZPOPMIN z 3", ""),
        ("BZMPOP 0 2 no z MAX", "ZPOPMAX z 1", ""),
        ("ZREMRANGEBYSCORE z -inf (2", "ZREMRANGEBYSCORE z -inf (2", ""),
        ("ZREMRANGEBYLEX z [x [y", "-", ""),
        ("ZRANGESTORE d z 0 -1", "ZRANGESTORE d z 0 -1", ""),
        ("ZRANGESTORE d no 0 -1", "-", ""),
        ("ZUNIONSTORE d 2 z y AGGREGATE MAX", "ZUNIONSTORE d 2 z y AGGREGATE MAX", ""),
        ("ZINTERSTORE d 2 z y", "-", ""),
        (
            "GEOADD g 13.361389 38.115556 Q",
            "zadd g 3479099956230698 Q",
            "ZADD g 3479099956230698 Q",
        ),
        (
            "GEOADD g NX CH 13.361389 38.115556 Q",
            "zadd g NX CH 3479099956230698 Q",
            "ZADD g NX CH 3479099956230698 Q",
        ),
        ("GEOADD g 13.361389 38.115556 P", "-", ""),
        ("GEORADIUS g 15 37 200 km STORE d", "GEORADIUS g 15 37 200 km STORE d", ""),
        ("GEORADIUS g 15 37 200 km", "-", ""),
    ];
    let nothing = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
    for (command, redis, valkey) in CASES {
        let valkey = if valkey.is_empty() { redis } else { valkey };
        assert_eq!(logged(Release::redis(8, 6), command), nothing(redis), "{command}");
        assert_eq!(logged(Release::valkey(9, 1), command), nothing(valkey), "{command}");
    }
}

/// While loading, fields past their time are set and kept; when serving, they are gone as soon as the
/// hash is asked for, and the hash with the last of them. Packed and unfolded.
#[test]
fn fields_expire_on_the_clock_when_serving() {
    for filler in [0, 600] {
        for (release, removals) in [
            (Release::redis(8, 6), ["HDEL h a; HDEL h b", "HDEL h c"]),
            (Release::valkey(9, 1), ["HDEL h a b", "HDEL h c; UNLINK h"]),
        ] {
            let mut engine = Engine::new(Config { release, ..Config::default() });
            let mut session = Session::new();
            engine.set_clock(1_000_000);
            engine.keep_effects(true);
            for n in 0..filler {
                run(&mut engine, &mut session, &format!("HSET h filler:{n} {n}"));
                run(&mut engine, &mut session, &format!("HPEXPIREAT h 3 FIELDS 1 filler:{n}"));
            }
            let mut ask = |engine: &mut Engine, line: &str| {
                let reply = run(engine, &mut session, line);
                String::from_utf8(reply.to_resp2()).unwrap().replace("\r\n", " ")
            };
            assert_eq!(ask(&mut engine, "HSET h a 1 b 2 c 3 d 4"), ":4 ");
            for line in ["HPEXPIREAT h 2 FIELDS 1 b", "HPEXPIREAT h 1 FIELDS 1 a"] {
                assert_eq!(ask(&mut engine, line), "*1 :1 ", "{line}");
            }
            assert_eq!(ask(&mut engine, "HPEXPIREAT h 2000000 FIELDS 2 c d"), "*2 :1 :1 ");
            assert_eq!(ask(&mut engine, "HMGET h a b c"), "*3 $1 1 $1 2 $1 3 ");
            assert_eq!(ask(&mut engine, "HLEN h"), format!(":{} ", 4 + filler));
            engine.take_effects();

            engine.set_mode(Mode::Serving);
            if filler == 0 {
                assert_eq!(ask(&mut engine, "HLEN h"), ":2 ");
                assert_eq!(effects(&mut engine), removals[0]);
            }
            assert_eq!(ask(&mut engine, "HMGET h a b c filler:1"), "*4 $-1 $-1 $1 3 $-1 ");
            assert_eq!(ask(&mut engine, "HSET h a new"), ":1 ");
            assert_eq!(ask(&mut engine, "HPERSIST h FIELDS 2 d a"), "*2 :1 :-1 ");
            assert_eq!(ask(&mut engine, "HDEL h d a"), ":2 ");
            engine.take_effects();
            assert_eq!(engine.stats().expired_fields, 2 + filler);

            // At its very time a field is still there.
            engine.set_clock(2_000_000);
            assert_eq!(ask(&mut engine, "HGET h c"), "$1 3 ");
            engine.set_clock(2_000_001);
            assert_eq!(ask(&mut engine, "EXISTS h"), ":0 ");
            assert_eq!(effects(&mut engine), removals[1]);
            assert_eq!(engine.stats().expired_fields, 3 + filler);
        }
    }
}

fn effects(engine: &mut Engine) -> String {
    let effects = engine.take_effects();
    let lines = effects.iter().map(|effect| String::from_utf8(effect.argv.join(&b' ')).unwrap());
    lines.collect::<Vec<_>>().join("; ")
}

/// Without anybody asking, [`Engine::remove_expired`] does it.
#[test]
fn expired_fields_are_removed_by_and_by() {
    let mut engine = Engine::new(Config::default());
    let mut session = Session::new();
    for line in ["HSET h a 1", "HSET i a 1 b 2", "HSET j a 1", "HPEXPIREAT h 5 FIELDS 1 a"] {
        run(&mut engine, &mut session, line);
    }
    run(&mut engine, &mut session, "HPEXPIREAT i 5 FIELDS 1 b");
    engine.set_mode(Mode::Serving);
    engine.set_clock(5);
    assert_eq!(engine.remove_expired(), 0);
    engine.set_clock(6);
    assert_eq!(engine.remove_expired(), 1);
    assert_eq!(engine.stats().expired_fields, 2);
    assert_eq!(engine.keyspace(0).unwrap().len(), 2);
}

/// Words that commands may stumble over, in any order behind any name: an error or an answer, never a
/// panic, and never more than a little memory.
#[test]
fn any_arguments_do_no_harm() {
    const WORDS: &[&str] = &[
        "h",
        "z",
        "g",
        "s",
        "none",
        "FIELDS",
        "0",
        "1",
        "2",
        "-1",
        "3",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "1e308",
        "-1e308",
        "inf",
        "-inf",
        "nan",
        "(",
        "[",
        "-",
        "+",
        "[a",
        "(a",
        "(1",
        "EX",
        "PX",
        "EXAT",
        "PXAT",
        "KEEPTTL",
        "PERSIST",
        "NX",
        "XX",
        "GT",
        "LT",
        "CH",
        "INCR",
        "FNX",
        "FXX",
        "WITHSCORES",
        "WITHVALUES",
        "LIMIT",
        "BYSCORE",
        "BYLEX",
        "REV",
        "WEIGHTS",
        "AGGREGATE",
        "MAX",
        "MIN",
        "COUNT",
        "MATCH",
        "*",
        "a",
        "b",
        "",
        "m",
        "km",
        "BYBOX",
        "BYRADIUS",
        "BYPOLYGON",
        "FROMLONLAT",
        "FROMMEMBER",
        "ANY",
        "ASC",
        "WITHDIST",
        "WITHHASH",
        "WITHCOORD",
        "STORE",
        "STOREDIST",
        "180",
        "-180",
        "85.05112878",
        "-90",
        "20000",
    ];
    let names: Vec<&str> = rdbtool::engine::command::all()
        .map(|command| command.name)
        .filter(|name| ["h", "z", "bz", "geo"].iter().any(|part| name.starts_with(part)))
        .collect();
    assert!(names.len() > 70, "{}", names.len());
    for release in [Release::redis(7, 0), Release::redis(8, 8), Release::valkey(9, 1)] {
        let mut engine = Engine::new(Config { release, ..Config::default() });
        let mut session = Session::new();
        let mut rng = fastrand::Rng::with_seed(6);
        let mut answered = std::collections::BTreeSet::new();
        for round in 0..120_000 {
            if round % 2000 == 0 {
                let mode = if rng.bool() { Mode::Serving } else { Mode::Loading };
                engine.set_mode(mode);
                engine.set_clock(rng.i64(..) >> rng.u32(..63));
                for line in
                    ["DEL h z g s", "SET s 1", "HSET h a 1 b 2", "ZADD z 1 a 2 b inf c -inf d"]
                {
                    run(&mut engine, &mut session, line);
                }
                run(&mut engine, &mut session, "GEOADD g 13 38 a 180 85 b");
            }
            let name = names[rng.usize(..names.len())];
            let mut argv = vec![name.as_bytes()];
            // Every second time a key comes first: most commands get no further without one.
            if rng.bool() {
                argv.push(WORDS[rng.usize(..5)].as_bytes());
            }
            argv.extend((0..rng.usize(1..10)).map(|_| WORDS[rng.usize(..WORDS.len())].as_bytes()));
            if !engine.execute(&mut session, &argv).is_error() {
                answered.insert(name);
            }
            assert!(engine.memory() < 1 << 20);
        }
        assert!(answered.len() > 45, "{}", answered.len());
    }
}
