//! What servers from 2.6 to 8.8 and Valkey 9.1 put into their AOFs for lists, sets, SORT, bits and
//! HyperLogLogs (seen by running each client command on each of them): every form replays, and changes
//! something.

#![allow(clippy::unwrap_used)]

use rdbtool::engine::{Config, Engine, Reply, Session};

/// What is there before.
const BEFORE: &[&str] = &[
    "RPUSH l a b c a",
    "SADD s a b c",
    "SADD t c d",
    "SET k abcdef",
    "SET a foo",
    "SET b bar",
    "PFADD h x y",
    "PFADD g z",
    "SET d old",
];

const LOGGED: &[&str] = &[
    "BITFIELD k SET u8 0 255 INCRBY i5 100 1",
    "BITOP AND d a b",
    "BITOP DIFF d a b",
    "BITOP ONE d a b",
    "BITOP NOT d a",
    "SETBIT k 5 1",
    "BRPOPLPUSH l m 0",
    "LINSERT l BEFORE b x",
    "LMOVE l m LEFT LEFT",
    "LMOVE l m LEFT RIGHT",
    "LMOVE l m left right",
    "LPOP l",
    "LPOP l 1",
    "LPOP l 3",
    "LPUSH l a b c",
    "LPUSH m a",
    "LPUSHX l a b",
    "LREM l 0 a",
    "LSET l 0 z",
    "LTRIM l 1 2",
    "LTRIM l 5 1",
    "RPOP l",
    "RPOP l 10",
    "RPOPLPUSH l m",
    "RPUSH l a b c",
    "RPUSHX l a",
    "SADD s x y",
    "SREM s a q",
    "SMOVE s t a",
    "SINTERSTORE d s t",
    "SUNIONSTORE d s t",
    "SDIFFSTORE d s t",
    "SDIFFSTORE d none",
    "SPOP s 100",
    "SORT l ALPHA STORE d",
    "SORT nolist STORE d",
    "PFADD h a b",
    "PFADD new",
    "PFCOUNT h",
    "PFMERGE new h g",
    "PFDEBUG TODENSE h",
];

fn run(engine: &mut Engine, session: &mut Session, line: &str) -> Reply {
    let argv: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    engine.execute(session, &argv)
}

#[test]
fn every_form_replays() {
    for line in LOGGED {
        let (mut engine, mut session) = (Engine::new(Config::default()), Session::new());
        for line in BEFORE {
            assert!(!run(&mut engine, &mut session, line).is_error(), "{line}");
        }
        let dirty = engine.dirty();
        let reply = run(&mut engine, &mut session, line);
        assert!(!reply.is_error(), "{line}: {reply:?}");
        assert!(engine.dirty() > dirty, "{line} changed nothing");
        assert_eq!(engine.stats().guessed, 0, "{line} was left to chance");
    }
}

/// LTRIM that keeps everything, as 2.6 logs it, and BITOP of nothing.
#[test]
fn forms_that_change_nothing() {
    for line in ["LTRIM l 0 -1", "BITOP AND none x y", "SDIFFSTORE none x", "LREM l 0 q"] {
        let (mut engine, mut session) = (Engine::new(Config::default()), Session::new());
        for line in BEFORE {
            run(&mut engine, &mut session, line);
        }
        let dirty = engine.dirty();
        assert!(!run(&mut engine, &mut session, line).is_error());
        assert_eq!(engine.dirty(), dirty, "{line}");
    }
}
