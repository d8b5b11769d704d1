//! Hashes, with expire times of fields where the server has them.

use crate::dice::{Cmd, Compare, Dice, Kind};

pub(crate) const KIND: Kind = Kind { name: "hash", draw, chosen: CHOSEN };

/// A field: few, so that they meet; sometimes any of six hundred, so that hashes grow large.
fn field(dice: &mut Dice) -> Vec<u8> {
    match dice.below(20) {
        0 => dice.value(),
        1 => dice.below(600).to_string().into_bytes(),
        _ => dice.pick(&["a", "b", "c", "d", "e", "f", "1", "2", "-3", "fields"]).into(),
    }
}

fn draw(dice: &mut Dice) -> Cmd {
    let (key, name) = (dice.key(b'h'), field(dice));
    let s = |word: &str| word.as_bytes().to_vec();
    let mut compare = Compare::Exact;
    let argv = match dice.below(40) {
        0..=4 => pairs(dice, s("HSET"), key),
        5 => pairs(dice, s("HMSET"), key),
        6 => vec![s("HSETNX"), key, name, dice.value()],
        7 => vec![s("HGET"), key, name],
        8 => vec![s("HMGET"), key, name, field(dice), field(dice)],
        9 | 10 => {
            compare = Compare::Unordered;
            vec![dice.word(&["HGETALL", "HKEYS", "HVALS"]), key]
        }
        11 => vec![dice.word(&["HEXISTS", "HSTRLEN"]), key, name],
        12 => vec![s("HLEN"), key],
        13 | 14 => vec![s("HDEL"), key, name, field(dice)],
        15 | 16 => vec![s("HINCRBY"), key, name, dice.int_text()],
        17 => vec![s("HINCRBYFLOAT"), key, name, dice.float_text()],
        18 => {
            // Only what is no matter of luck: all fields, or none.
            compare = Compare::Unordered;
            let count = dice.pick(&["0", "5000", "x", "-9223372036854775808"]);
            let mut argv = vec![s("HRANDFIELD"), key, count.into()];
            argv.extend(dice.once_in(2).then(|| dice.word(&["WITHVALUES", "WITHVALUES", "FOO"])));
            argv
        }
        19 => {
            compare = Compare::Unordered;
            let mut argv = vec![s("HSCAN"), key, s("0"), s("COUNT"), s("100000")];
            argv.extend(dice.once_in(3).then(|| [s("MATCH"), s("?")]).into_iter().flatten());
            let newer = dice.release.has_redis(7, 4) || dice.release.has_valkey(8, 0);
            argv.extend((newer && dice.once_in(3)).then(|| dice.word(&["NOVALUES"])));
            argv
        }
        20 => vec![s("OBJECT"), s("ENCODING"), key],
        21 if dice.once_in(4) => {
            // More than a listpack may have.
            let mut argv = vec![s("HSET"), key];
            let count = dice.pick(&[300, 513, 600]);
            (0..count).for_each(|n: i32| argv.extend([n.to_string().into(), dice.value()]));
            argv
        }
        22 if dice.once_in(3) => vec![s("DEL"), key],
        23..=27 => expire(dice, key),
        28 | 29 => {
            let word = dice.word(&["HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME"]);
            compare = Compare::Near(if word[1] & 0x5f == b'P' { 2000 } else { 2 });
            fields(dice, vec![word, key], 1)
        }
        30 | 31 => fields(dice, vec![s("HPERSIST"), key], 1),
        32..=34 => {
            let mut argv = vec![s("HSETEX"), key];
            for _ in 0..dice.below(3) {
                match dice.below(4) {
                    0 => argv.push(dice.word(&["FNX", "FXX", "FNX", "FXX", "NX", "XX", "FOO"])),
                    _ => ttl(dice, "KEEPTTL", &mut argv),
                }
            }
            fields(dice, argv, 2)
        }
        35 | 36 => {
            let mut argv = vec![s("HGETEX"), key];
            (0..dice.below(2)).for_each(|_| ttl(dice, "PERSIST", &mut argv));
            fields(dice, argv, 1)
        }
        37 => fields(dice, vec![s("HGETDEL"), key], 1),
        _ => vec![s("HSET"), key, name, dice.int_text()],
    };
    Cmd { argv, compare }
}

fn pairs(dice: &mut Dice, name: Vec<u8>, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![name, key];
    for _ in 0..=dice.below(4) {
        argv.extend([field(dice), dice.value()]);
    }
    if dice.once_in(20) {
        argv.pop();
    }
    argv
}

fn expire(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let (name, time) = match dice.below(4) {
        0 => ("HEXPIRE", dice.ttl(1000)),
        1 => ("HPEXPIRE", dice.ttl(1)),
        2 => ("HEXPIREAT", dice.time(1000)),
        _ => ("HPEXPIREAT", dice.time(1)),
    };
    let mut argv = vec![name.as_bytes().to_vec(), key, time];
    for _ in 0..[0, 0, 0, 1, 1, 2][dice.below(6)] {
        argv.push(dice.word(&["NX", "XX", "GT", "LT", "GT", "LT", "FOO"]));
    }
    fields(dice, argv, 1)
}

fn ttl(dice: &mut Dice, plain: &str, argv: &mut Vec<Vec<u8>>) {
    let word = dice.word(&["EX", "PX", "EXAT", "PXAT", plain]);
    let value = match word.to_ascii_lowercase().as_slice() {
        b"ex" => Some(dice.ttl(1000)),
        b"px" => Some(dice.ttl(1)),
        b"exat" => Some(dice.time(1000)),
        b"pxat" => Some(dice.time(1)),
        _ => None,
    };
    argv.push(word);
    argv.extend(value);
}

/// FIELDS count field …, each with `each` arguments; rarely not quite right.
fn fields(dice: &mut Dice, mut argv: Vec<Vec<u8>>, each: usize) -> Vec<Vec<u8>> {
    let (count, first) = (1 + dice.below(4), argv.len());
    argv.push(dice.word(&["FIELDS"]));
    argv.push(count.to_string().into_bytes());
    for _ in 0..count {
        argv.push(field(dice));
        (1..each).for_each(|_| argv.push(dice.value()));
    }
    if dice.once_in(12) {
        let at = first + dice.below(argv.len() - first);
        match dice.below(3) {
            0 => argv[at] = dice.index(),
            1 => drop(argv.remove(at)),
            _ => argv.insert(at, dice.word(&["FIELDS", "2", "EX"])),
        }
    }
    argv
}

const CHOSEN: &[&str] = &[
    "HSET h:1 a",
    "HSET h:1 a 1 b",
    "HMSET h:1 a",
    "HSET h:1 a 1",
    "HRANDFIELD h:1",
    "HRANDFIELD h:1 1",
    "HRANDFIELD h:1 -3",
    "HRANDFIELD h:1 -3 WITHVALUES",
    "HRANDFIELD h:1 5000000000000000000 WITHVALUES",
    "HRANDFIELD h:1 1 FOO",
    "HRANDFIELD h:none",
    "HRANDFIELD h:none -5",
    "HINCRBYFLOAT h:1 a inf",
    "HINCRBYFLOAT h:1 a 1e4932",
    "HINCRBYFLOAT h:1 a 0.1",
    "HINCRBY h:1 a 1",
    "HSCAN h:none 0 FOO",
    "HSCAN h:1 0 FOO",
    "HSCAN h:1 x",
    "HSET h:1 a 1 b 2 c 3",
    "HEXPIRE h:1 100000 FIELDS 1 none",
    "OBJECT ENCODING h:1",
    "HEXPIRE h:1 100000 XX FIELDS 1 a",
    "HEXPIRE h:1 100000 GT FIELDS 1 a",
    "HEXPIRE h:1 100000 LT FIELDS 1 a",
    "HEXPIRE h:1 200000 LT FIELDS 1 a",
    "HEXPIRE h:1 200000 GT FIELDS 2 a a",
    "HEXPIRE h:1 0 NX FIELDS 2 a b",
    "OBJECT ENCODING h:1",
    "HPEXPIREAT h:1 70368744177663 FIELDS 1 c",
    "HPEXPIREAT h:1 70368744177664 FIELDS 1 c",
    "HPEXPIREAT h:1 9223372036854775807 FIELDS 1 c",
    "HPEXPIRE h:1 9223372036854775807 FIELDS 1 c",
    "HEXPIRE h:1 -1 FIELDS 1 c",
    "HINCRBY h:1 c 1",
    "HPEXPIRETIME h:1 FIELDS 1 c",
    "HSET h:1 c 5",
    "HPEXPIRETIME h:1 FIELDS 1 c",
    "HTTL h:1 FOO x a",
    "HTTL h:none FIELDS 2 a b",
    "HPERSIST h:1 FOO x a",
    "HSETEX h:2 EX 0 FIELDS 1 a 1",
    "EXISTS h:2",
    "HSETEX h:2 FNX KEEPTTL FIELDS 2 a 1 a 2",
    "HSETEX h:2 FXX EXAT 9999999999 FIELDS 1 a 3",
    "HSETEX h:2 KEEPTTL FIELDS 1 a 4",
    "HPEXPIRETIME h:2 FIELDS 1 a",
    "HGETEX h:2 EX 100 FOO",
    "HGETEX h:2 EX x FOO",
    "HGETEX h:2 PERSIST FIELDS 2 a b",
    "HGETEX h:2 PXAT 1 FIELDS 1 a",
    "EXISTS h:2",
    "HGETDEL h:1 FIELDS 3 a c a",
    "HGETDEL h:none FIELDS 1 a",
    "HGETDEL h:none FOO 1 a",
    "SET s:1 x",
    "HGET s:1 a",
    "HSET s:1 a 1",
    "HEXPIRE s:1 x FIELDS 2 a",
    "HTTL s:1 FIELDS 2 a",
    "HGETEX s:1 EX x FIELDS 2 a",
    "HSETEX s:1 EX x FIELDS 2 a",
    "HGETDEL s:1 FOO 2 a",
    "HSETEX fields FIELDS 1 a 1",
    "HGETEX fields FIELDS 1 a",
    "HEXPIRE fields 0 FIELDS 1 a",
];
