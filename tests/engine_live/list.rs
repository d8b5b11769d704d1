//! Lists.

use crate::dice::{Cmd, Compare, Dice, Kind};

pub(crate) const KIND: Kind = Kind { name: "list", draw, chosen: CHOSEN };

fn draw(dice: &mut Dice) -> Cmd {
    let (key, key2) = (dice.key(b'l'), dice.key(b'l'));
    let s = |word: &str| word.as_bytes().to_vec();
    let argv = match dice.below(40) {
        0..=7 => {
            let mut argv = vec![dice.word(&["LPUSH", "RPUSH"]), key];
            argv.extend((0..=dice.below(5)).map(|_| element(dice)));
            argv
        }
        8 => vec![dice.word(&["LPUSHX", "RPUSHX"]), key, element(dice), element(dice)],
        9 => vec![dice.word(&["LPOP", "RPOP"]), key],
        10 => vec![dice.word(&["LPOP", "RPOP"]), key, dice.index()],
        11 => vec![s("LLEN"), key],
        12 | 13 => vec![s("LRANGE"), key, dice.index(), dice.index()],
        14 => vec![s("LINDEX"), key, dice.index()],
        15 => lpos(dice, key),
        16..=20 => vec![s("LSET"), key, dice.index(), element(dice)],
        21..=27 => {
            let side = dice.word(&["BEFORE", "AFTER", "BEFORE", "AFTER", "BEFORE", "AFTER", "X"]);
            vec![s("LINSERT"), key, side, element(dice), element(dice)]
        }
        28..=30 => vec![s("LREM"), key, dice.index(), element(dice)],
        31 => vec![s("LTRIM"), key, dice.index(), dice.index()],
        32 => vec![s("RPOPLPUSH"), key, key2],
        33 | 34 => vec![s("LMOVE"), key, key2, end(dice), end(dice)],
        35 => lmpop(dice, key, key2),
        36 => vec![s("OBJECT"), s("ENCODING"), key],
        // Long lists, and lists of which little is left.
        37 => {
            let mut argv = vec![dice.word(&["LPUSH", "RPUSH"]), key];
            let (count, text) = (dice.below(700), dice.value());
            argv.extend((0..count.max(1)).map(|_| text.clone()));
            argv
        }
        38 => vec![s("LTRIM"), key, s("-3"), s("-1")],
        _ => vec![dice.word(&["LPOP", "RPOP"]), key, dice.int().to_string().into_bytes()],
    };
    Cmd { argv, compare: Compare::Exact }
}

/// An element: one of a few that come again, or one of a length where nodes are full.
fn element(dice: &mut Dice) -> Vec<u8> {
    match dice.below(10) {
        0 => dice.value(),
        1 | 2 => {
            let len = dice.pick(&[100, 900, 2000, 4000, 4095, 4096, 8100, 8150]);
            vec![b'L'; len + dice.below(30)]
        }
        3 if dice.once_in(2) => vec![b'M'; 8170 + dice.below(30)],
        _ => dice.pick(&["1", "2", "a", "b", "-129", "70000", "foo", "\u{e9}"]).into(),
    }
}

fn end(dice: &mut Dice) -> Vec<u8> {
    dice.word(&["LEFT", "RIGHT", "LEFT", "RIGHT", "LEFT", "RIGHT", "LEFT", "RIGHT", "UP"])
}

fn lpos(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![b"LPOS".to_vec(), key, element(dice)];
    for _ in 0..dice.below(4) {
        argv.push(dice.word(&["RANK", "COUNT", "MAXLEN", "RANK", "COUNT", "MAXLEN", "X"]));
        argv.push(dice.index());
    }
    argv
}

fn lmpop(dice: &mut Dice, key: Vec<u8>, key2: Vec<u8>) -> Vec<Vec<u8>> {
    let count = dice.word(&["2", "2", "2", "1", "0", "3", "-1", "x"]);
    let mut argv = vec![b"LMPOP".to_vec(), count, key, key2, end(dice)];
    if dice.once_in(2) {
        argv.extend([dice.word(&["COUNT", "COUNT", "COUNT", "X"]), dice.index()]);
    }
    argv
}

const CHOSEN: &[&str] = &[
    "LPUSH",
    "LPUSH l:1",
    "LPUSHX l:1 a",
    "RPUSH l:1 a b c a b c",
    "LPOP l:1 1 1",
    "LPOP l:1 x",
    "LPOP l:1 -1",
    "LPOP l:1 0",
    "LPOP l:none 0",
    "LPOP l:none 1",
    "LPOP l:none",
    "LPOS l:1 b RANK 0",
    "LPOS l:1 b RANK -9223372036854775808",
    "LPOS l:1 b RANK -9223372036854775807",
    "LPOS l:1 b RANK x",
    "LPOS l:1 b RANK",
    "LPOS l:1 b COUNT -1",
    "LPOS l:1 b COUNT x",
    "LPOS l:1 b COUNT 0",
    "LPOS l:1 b COUNT 0 RANK -1",
    "LPOS l:1 b COUNT 9223372036854775807 RANK -2",
    "LPOS l:1 b MAXLEN -1",
    "LPOS l:1 b MAXLEN 2 COUNT 0",
    "LPOS l:1 c MAXLEN 2",
    "LPOS l:1 c MAXLEN 2 COUNT 5",
    "LPOS l:none c COUNT 5",
    "LPOS l:none c",
    "LPOS l:1 c FOO 1",
    "LINDEX l:1 9223372036854775807",
    "LINDEX l:1 -9223372036854775808",
    "LINDEX l:1 x",
    "LINDEX l:none x",
    "LSET l:1 9223372036854775807 a",
    "LSET l:1 -9223372036854775808 a",
    "LSET l:1 -6 A",
    "LSET l:1 -7 A",
    "LSET l:1 6 A",
    "LSET l:none x A",
    "LSET l:1 x A",
    "LREM l:1 -9223372036854775808 a",
    "LREM l:1 -9223372036854775807 a",
    "LREM l:1 x a",
    "LREM l:none x a",
    "LREM l:none -9223372036854775808 a",
    "LTRIM l:1 x 1",
    "LTRIM l:none x 1",
    "LTRIM l:none 0 1",
    "LTRIM l:1 -9223372036854775808 9223372036854775807",
    "LRANGE l:1 -9223372036854775808 9223372036854775807",
    "LRANGE l:none x 1",
    "LINSERT l:none FOO a b",
    "LINSERT l:none BEFORE a b",
    "LINSERT l:1 before nothing b",
    "LMOVE l:none l:1 LEFT FOO",
    "LMOVE l:none l:1 LEFT LEFT",
    "LMOVE l:1 l:1 LEFT RIGHT",
    "RPOPLPUSH l:1 l:1",
    "SET s:1 v",
    "LMOVE l:none s:1 LEFT LEFT",
    "LMOVE l:1 s:1 LEFT LEFT",
    "LMOVE s:1 l:1 LEFT LEFT",
    "LPUSHX s:1 a",
    "LLEN s:1",
    "LINDEX s:1 x",
    "LSET s:1 x a",
    "LRANGE s:1 0 x",
    "LRANGE s:1 0 1",
    "LREM s:1 x a",
    "LREM s:1 0 a",
    "LPOP s:1 -1",
    "LPOP s:1 0",
    "LMPOP 0 l:1 LEFT",
    "LMPOP x l:1 LEFT",
    "LMPOP 1 l:1 FOO",
    "LMPOP 1 l:1",
    "LMPOP 9223372036854775807 l:1 LEFT",
    "LMPOP 1 l:1 LEFT COUNT",
    "LMPOP 1 l:1 LEFT COUNT 0",
    "LMPOP 1 l:1 LEFT COUNT x",
    "LMPOP 1 l:1 LEFT COUNT 1 COUNT 1",
    "LMPOP 2 l:none s:1 LEFT",
    "LMPOP 2 l:none l:none LEFT",
    "LMPOP 2 l:none l:1 RIGHT COUNT 9223372036854775807",
    "EXISTS l:1",
    "RPUSH l:1 a b c d",
    "MULTI",
    "BLPOP l:none 0",
    "BLPOP l:none l:1 0",
    "BRPOP l:1 0.5",
    "BLPOP l:none x",
    "BLPOP l:none -1",
    "BLPOP l:none -0.0001",
    "BLPOP l:none nan",
    "BLPOP s:1 0",
    "BRPOPLPUSH l:none l:1 0",
    "BRPOPLPUSH l:1 l:2 0",
    "BRPOPLPUSH l:1 l:2 x",
    "BLMOVE l:none l:1 LEFT LEFT 0",
    "BLMOVE l:1 l:2 LEFT LEFT 0",
    "BLMOVE l:1 l:2 LEFT FOO x",
    "BLMOVE l:1 l:2 LEFT LEFT x",
    "BLMPOP 0 1 l:2 LEFT COUNT 5",
    "BLMPOP 0 1 l:2 LEFT",
    "BLMPOP x 0 l:2 LEFT",
    "BLMPOP 0 0 l:2 LEFT",
    "EXEC",
    "BLPOP s:1 0",
    "BLPOP l:1 x",
    "BLMOVE l:1 s:1 LEFT LEFT -1",
];
