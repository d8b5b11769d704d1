//! Keys of any type, databases, transactions, the connection.

use crate::dice::{Cmd, Compare, Dice, Kind};

pub(crate) const KIND: Kind = Kind { name: "generic", draw, chosen: CHOSEN };

fn draw(dice: &mut Dice) -> Cmd {
    let (key, key2) = (dice.any_key(), dice.any_key());
    let s = |word: &str| word.as_bytes().to_vec();
    let mut compare = Compare::Exact;
    let argv = match dice.below(33) {
        0..=4 => vec![s("SET"), key, dice.value()],
        5 => vec![dice.word(&["DEL", "UNLINK"]), key, key2],
        6 => vec![dice.word(&["EXISTS", "TOUCH"]), key.clone(), key2, key],
        7 => vec![s("TYPE"), key],
        8 => vec![s("RENAME"), key, key2],
        9 => vec![s("RENAMENX"), key, key2],
        10 => vec![s("MOVE"), key, db(dice)],
        11 | 12 => copy(dice, key, key2),
        13..=16 => expire(dice, key),
        17 => vec![s("PERSIST"), key],
        18 => {
            compare = Compare::Near(2000);
            vec![dice.word(&["PTTL", "PEXPIRETIME"]), key]
        }
        19 => {
            compare = Compare::Near(2);
            vec![dice.word(&["TTL", "EXPIRETIME"]), key]
        }
        20 => vec![s("DBSIZE")],
        21 => {
            compare = Compare::Unordered;
            vec![s("KEYS"), pattern(dice)]
        }
        22 => {
            compare = Compare::Unordered;
            let mut argv = vec![s("SCAN"), s("0"), s("COUNT"), s("100000")];
            if dice.once_in(2) {
                argv.extend([s("match"), pattern(dice)]);
            }
            if dice.once_in(3) {
                argv.extend([s("TYPE"), dice.word(&["STRING", "HASH", "LIST", "STREAM"])]);
            }
            argv
        }
        23 => vec![s("SELECT"), db(dice)],
        24 if dice.once_in(3) => vec![s("SWAPDB"), db(dice), db(dice)],
        25 if dice.once_in(20) => {
            vec![dice.word(&["FLUSHDB", "FLUSHALL"]), dice.word(&["ASYNC", "SYNC", "FOO"])]
        }
        26 => {
            // Where a string becomes raw differs from release to release.
            compare = if dice.is_70() { Compare::Exact } else { Compare::Any };
            vec![s("OBJECT"), dice.word(&["ENCODING", "FREQ", "FOO"]), key]
        }
        27 => vec![dice.word(&["MULTI", "EXEC", "EXEC", "EXEC", "DISCARD"])],
        28 => match dice.below(4) {
            0 => vec![s("UNWATCH")],
            _ => vec![s("WATCH"), key, key2],
        },
        29 => match dice.below(4) {
            0 => vec![s("PING")],
            1 => vec![s("ECHO"), dice.value()],
            2 => vec![s("NOSUCH"), dice.value(), dice.value()],
            _ => vec![dice.word(&["GET", "SET", "OBJECT", "MOVE"])],
        },
        30 => return crate::payload::draw(dice, key),
        31 => {
            // The bytes are compared where they are determined: `compare_payloads`.
            compare = Compare::Any;
            vec![s("DUMP"), key]
        }
        _ => vec![s("GET"), key],
    };
    Cmd { argv, compare }
}

fn db(dice: &mut Dice) -> Vec<u8> {
    match dice.below(20) {
        0 => dice.int_text(),
        1 => dice.pick(&["16", "-1", "99999999999"]).into(),
        _ => dice.pick(&["0", "0", "1", "2"]).into(),
    }
}

fn copy(dice: &mut Dice, from: Vec<u8>, to: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![b"COPY".to_vec(), from, to];
    if dice.once_in(2) {
        argv.extend([b"DB".to_vec(), db(dice)]);
    }
    if dice.once_in(2) {
        argv.push(dice.word(&["REPLACE", "REPLACE", "REPLACE", "DB"]));
    }
    argv
}

fn expire(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let (name, time) = match dice.below(4) {
        0 => ("EXPIRE", dice.ttl(1000)),
        1 => ("PEXPIRE", dice.ttl(1)),
        2 => ("EXPIREAT", dice.time(1000)),
        _ => ("PEXPIREAT", dice.time(1)),
    };
    let mut argv = vec![name.as_bytes().to_vec(), key, time];
    for _ in 0..dice.below(3) {
        argv.push(dice.word(&["NX", "XX", "GT", "LT", "GT", "LT", "FOO"]));
    }
    argv
}

fn pattern(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&[
        "*",
        "s:*",
        "?:1",
        "[a-s]:[0-4]",
        "[^s]:*",
        "*:\\1",
        "nothing",
        "s:[13]*",
        "**3",
        "s",
    ])
    .into()
}

const CHOSEN: &[&str] = &[
    "NOSUCH",
    "NOSUCH a\\x0db c",
    "OBJECT",
    "OBJECT NOSUCH s:1",
    "OBJECT ENCODING",
    "OBJECT ENCODING s:none",
    "OBJECT FREQ s:none",
    "EXPIRE s:1",
    "EXPIRE s:1 x",
    "EXPIRE s:1 10 FOO",
    "EXPIRE s:1 x FOO",
    "EXPIRE s:1 10 NX XX",
    "EXPIRE s:1 10 GT LT",
    "EXPIRE s:1 10 NX GT LT",
    "EXPIRE s:1 9223372036854775807",
    "EXPIRE s:1 9223372036854775",
    "PEXPIRE s:1 9223372036854775807",
    "EXPIRE s:1 -9223372036854775808",
    "SET s:1 a",
    "PEXPIREAT s:1 9223372036854775807",
    "PEXPIRETIME s:1",
    "EXPIRETIME s:1",
    "EXPIRE s:1 -1",
    "EXISTS s:1",
    "SELECT 16",
    "SELECT -1",
    "SELECT x",
    "SELECT 99999999999",
    "MOVE s:1 0",
    "MOVE s:1 x",
    "MOVE s:1 16",
    "MOVE s:1 99999999999",
    "SWAPDB x 0",
    "SWAPDB 0 x",
    "SWAPDB 0 16",
    "SWAPDB 0 0",
    "COPY s:1 s:1",
    "COPY s:1 s:2 DB",
    "COPY s:1 s:2 DB 99",
    "COPY s:1 s:2 FOO",
    "RENAME s:none s:none",
    "RENAMENX s:none s:1",
    "SCAN x",
    "SCAN 0 COUNT 0",
    "SCAN 0 COUNT x",
    "SCAN 0 MATCH",
    "SCAN 0 FOO",
    "FLUSHALL FOO",
    "FLUSHALL SYNC SYNC",
    "PING a b",
    "PING a",
    "EXEC",
    "DISCARD",
    "MULTI",
    "MULTI",
    "SET s:1 1",
    "WATCH s:1",
    "EXEC",
    "MULTI",
    "NOSUCH",
    "EXEC",
    "MULTI",
    "SET",
    "DISCARD",
    "WATCH s:1",
    "SET s:1 2",
    "MULTI",
    "GET s:1",
    "EXEC",
    "WATCH s:1",
    "FLUSHALL",
    "MULTI",
    "EXEC",
    "WATCH s:1",
    "FLUSHALL",
    "MULTI",
    "EXEC",
    "DUMP",
    "DUMP s:none",
    "SET s:1 abc",
    "DUMP s:1",
    "RESTORE s:2 0",
    "RESTORE s:2 0 x",
    "RESTORE s:1 0 x",
    "RESTORE s:2 x x",
    "RESTORE s:2 -1 x",
    "RESTORE s:2 0 x FOO",
    "RESTORE s:2 0 x IDLETIME",
    "RESTORE s:2 0 x IDLETIME x",
    "RESTORE s:2 0 x IDLETIME -1",
    "RESTORE s:2 0 x FREQ 256",
    "RESTORE s:2 0 x FREQ 1 IDLETIME 1",
    "RESTORE s:2 0 \\x00\\xc0\\x0a\\x09\\x00\\xbemn\\x86jd2\\x1f",
    "GET s:2",
    "RESTORE s:2 0 \\x02\\x00\\x0a\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00 REPLACE",
    "SET s:1 1 PXAT 1",
    "DBSIZE",
    "KEYS *",
    "DBSIZE",
    "SCAN 0",
    "DBSIZE",
];
