//! Strings.

use rdbtool::engine::Family;

use crate::dice::{Cmd, Compare, Dice, Kind};

pub(crate) const KIND: Kind = Kind { name: "string", draw, chosen: CHOSEN };

fn draw(dice: &mut Dice) -> Cmd {
    let key = dice.key(b's');
    let key2 = dice.key(b's');
    let value = dice.value();
    let (s, k) = (|word: &str| word.as_bytes().to_vec(), key.clone());
    let argv = match dice.below(32) {
        0..=3 => set(dice),
        4 => vec![s("SETNX"), k, value],
        5 => vec![s("SETEX"), k, dice.ttl(1000), value],
        6 => vec![s("PSETEX"), k, dice.ttl(1), value],
        7 => vec![s("GET"), k],
        8 => vec![s("GETSET"), k, value],
        9 => vec![s("GETDEL"), k],
        10 => {
            let mut argv = vec![s("GETEX"), k];
            ttl_option(dice, "PERSIST", &mut argv);
            argv
        }
        11 => vec![s("MGET"), k, key2],
        12 => vec![s("MSET"), k, value, key2, dice.value()],
        13 => vec![s("MSETNX"), k, value, key2, dice.value()],
        14 | 15 => vec![s("APPEND"), k, value],
        16 | 17 => vec![s("SETRANGE"), k, dice.index(), value],
        18 => vec![dice.word(&["GETRANGE", "SUBSTR"]), k, dice.index(), dice.index()],
        19 => vec![s("STRLEN"), k],
        20 => vec![dice.word(&["INCR", "DECR"]), k],
        21 | 22 => vec![dice.word(&["INCRBY", "DECRBY"]), k, dice.int_text()],
        23 | 24 => vec![s("INCRBYFLOAT"), k, dice.float_text()],
        25 if dice.is_70() => vec![s("OBJECT"), s("ENCODING"), k],
        26 => lcs(dice),
        27 => vec![s("DELIFEQ"), k, value],
        28 | 29 => msetex(dice),
        _ => vec![s("SET"), k, if dice.once_in(2) { dice.int_text() } else { dice.float_text() }],
    };
    // An offset far out would make a long string, again and again.
    if argv[0] == b"SETRANGE" && argv[2].len() > 4 {
        return Cmd::new(&[&b"SETRANGE"[..], &key, b"536870911", b"ab"]);
    }
    Cmd { argv, compare: Compare::Exact }
}

fn msetex(dice: &mut Dice) -> Vec<Vec<u8>> {
    let count = 1 + dice.below(2);
    let said = if dice.once_in(10) { dice.index() } else { count.to_string().into_bytes() };
    let mut argv = vec![b"MSETEX".to_vec(), said];
    for _ in 0..count {
        argv.extend([dice.key(b's'), dice.value()]);
    }
    for _ in 0..dice.below(3) {
        match dice.below(2) {
            0 => argv.push(dice.word(&["NX", "XX"])),
            _ => ttl_option(dice, "KEEPTTL", &mut argv),
        }
    }
    argv
}

fn set(dice: &mut Dice) -> Vec<Vec<u8>> {
    let mut argv = vec![dice.word(&["SET"]), dice.key(b's'), dice.value()];
    for _ in 0..dice.below(4) {
        match dice.below(3) {
            0 => argv.push(dice.word(&["NX", "XX", "GET"])),
            1 => ttl_option(dice, "KEEPTTL", &mut argv),
            _ if dice.release.family == Family::Valkey && dice.once_in(2) => {
                argv.extend([dice.word(&["IFEQ"]), dice.value()]);
            }
            _ if dice.once_in(5) => argv.push(dice.word(&["EX", "PXAT", "PERSIST", "FOO", ""])),
            _ => {}
        }
    }
    argv
}

fn ttl_option(dice: &mut Dice, plain: &str, argv: &mut Vec<Vec<u8>>) {
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

fn lcs(dice: &mut Dice) -> Vec<Vec<u8>> {
    let mut argv = vec![b"LCS".to_vec(), dice.key(b's'), dice.key(b's')];
    for _ in 0..dice.below(4) {
        let word = dice.word(&["LEN", "IDX", "WITHMATCHLEN", "MINMATCHLEN"]);
        let has_value = word.eq_ignore_ascii_case(b"MINMATCHLEN");
        argv.push(word);
        if has_value {
            argv.push(dice.index());
        }
    }
    argv
}

const CHOSEN: &[&str] = &[
    "SET",
    "GET s:1 s:2",
    "MSET s:1",
    "MSET s:1 a s:2",
    "MSETNX s:1 a s:2",
    "SET s:1 v EX",
    "SET s:1 v EX 10 PX 10",
    "SET s:1 v EX 10 EX 20 EX 30000",
    "SET s:1 v KEEPTTL EX 10",
    "SET s:1 v NX XX",
    "SET s:1 v XX GET",
    "SET s:1 v EX 0",
    "SET s:1 v PX 9223372036854775807",
    "SET s:1 v EX 9223372036854775807",
    "SETEX s:1 0 v",
    "PSETEX s:1 -1 v",
    "GETEX s:1 EX 0",
    "GETEX s:none EX 0",
    "GETEX s:none EX x",
    "GETEX s:1 PERSIST EX 10",
    "SET s:1 10",
    "INCRBYFLOAT s:1 1.5",
    "INCRBYFLOAT s:1 -11.5",
    "OBJECT ENCODING s:1",
    "INCRBYFLOAT s:1 inf",
    "INCRBYFLOAT s:1 1e4932",
    "INCRBYFLOAT s:1 1.7976931348623157e308",
    "INCRBYFLOAT s:1 0.00000000000000001",
    "DEL s:1",
    "INCRBYFLOAT s:1 0.000000000000000005",
    "INCRBYFLOAT s:1 0.000000000000000006",
    "INCRBYFLOAT s:1 -0.00000000000000002",
    "SET s:1 0.1",
    "INCRBYFLOAT s:1 0.2",
    "SET s:1 9007199254740993",
    "INCRBYFLOAT s:1 0.5",
    "SET s:1 9223372036854775807",
    "INCRBYFLOAT s:1 1",
    "INCRBYFLOAT s:1 0.4",
    "SET s:1 3.0e3",
    "INCRBYFLOAT s:1 200",
    "SET s:1 0x1.8p3",
    "INCRBYFLOAT s:1 0x.1p-3",
    "SET s:1 -0",
    "INCRBYFLOAT s:1 -0",
    "SET s:1 1e-4950",
    "INCRBYFLOAT s:1 1e-4951",
    "INCRBYFLOAT s:1 1e-4952",
    "SET s:1 1e4932",
    "INCRBYFLOAT s:1 1e4931",
    "INCRBYFLOAT s:1 1e4932",
    "SET s:1 1e20",
    "INCRBYFLOAT s:1 1",
    "INCRBYFLOAT s:1 5",
    "SET s:1 5.0e3",
    "INCRBYFLOAT s:1 2.0e2",
    "SET s:1 10.50",
    "INCRBYFLOAT s:1 0.1",
    "SET s:1 infinity",
    "INCRBYFLOAT s:1 1",
    "SET s:1 1\\x00",
    "INCRBYFLOAT s:1 1",
    "INCR s:1",
    "SET s:1 9223372036854775807",
    "INCR s:1",
    "DECRBY s:1 -9223372036854775808",
    "SET s:1 -9223372036854775808",
    "DECR s:1",
    "SETRANGE s:none 0 \"\"",
    "SETRANGE s:none -1 a",
    "SETRANGE s:none 536870912 a",
    "SETRANGE s:none 9223372036854775807 a",
    "EXISTS s:none",
    "SET s:1 Hello",
    "GETRANGE s:1 -1 -5",
    "GETRANGE s:1 -5 -10",
    "GETRANGE s:1 -9 -8",
    "GETRANGE s:1 0 -9",
    "GETRANGE s:1 0 -5",
    "GETRANGE s:1 2 -100",
    "GETRANGE s:1 5 5",
    "GETRANGE s:1 -9223372036854775808 9223372036854775807",
    "APPEND s:new 12",
    "OBJECT ENCODING s:new",
    "APPEND s:new 3",
    "OBJECT ENCODING s:new",
    "INCR s:new",
    "OBJECT ENCODING s:new",
    "SET s:a ohmytext",
    "SET s:b mynewtext",
    "LCS s:a s:b",
    "LCS s:a s:b IDX",
    "LCS s:a s:b IDX MINMATCHLEN 4 WITHMATCHLEN",
    "LCS s:a s:b IDX LEN",
    "LCS s:a s:b MINMATCHLEN",
    "LCS s:a s:b FOO",
];
