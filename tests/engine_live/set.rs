//! Sets.

use crate::dice::{Cmd, Compare, Dice, Kind};

pub(crate) const KIND: Kind = Kind { name: "set", draw, chosen: CHOSEN };

fn draw(dice: &mut Dice) -> Cmd {
    let (key, key2, key3) = (dice.key(b'e'), dice.key(b'e'), dice.key(b'e'));
    let s = |word: &str| word.as_bytes().to_vec();
    let mut compare = Compare::Exact;
    let argv = match dice.below(30) {
        0..=5 => {
            let mut argv = vec![s("SADD"), key];
            argv.extend((0..=dice.below(5)).map(|_| member(dice)));
            argv
        }
        // Many at once: integers only, or not.
        6 => {
            let (count, prefix) = (dice.below(600).max(1), dice.pick(&["", "", "m"]));
            let mut argv = vec![s("SADD"), key];
            let from = dice.below(1000);
            argv.extend((from..from + count).map(|n| format!("{prefix}{n}").into_bytes()));
            argv
        }
        7..=10 => vec![s("SREM"), key, member(dice), member(dice)],
        11 => vec![s("SCARD"), key],
        12 => vec![s("SISMEMBER"), key, member(dice)],
        13 => vec![s("SMISMEMBER"), key, member(dice), member(dice), member(dice)],
        14 => vec![s("SMEMBERS"), key],
        15 | 16 => vec![s("SMOVE"), key, key2, member(dice)],
        17 => vec![dice.word(&["SINTER", "SUNION", "SDIFF"]), key, key2, key3],
        18 => vec![dice.word(&["SINTER", "SUNION", "SDIFF"]), key, key2],
        19..=21 => {
            let name = dice.word(&["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]);
            let mut argv = vec![name, key];
            argv.extend((0..=dice.below(4)).map(|_| dice.key(b'e')));
            argv
        }
        22 => {
            let count = dice.word(&["2", "2", "2", "3", "0", "x"]);
            let mut argv = vec![s("SINTERCARD"), count, key, key2];
            for _ in 0..dice.below(2) {
                argv.extend([dice.word(&["LIMIT", "LIMIT", "X"]), dice.index()]);
            }
            argv
        }
        23 | 24 => vec![s("OBJECT"), s("ENCODING"), key],
        25 => {
            let mut argv = vec![s("SSCAN"), key, s("0"), s("COUNT"), s("1000000")];
            if dice.once_in(2) {
                argv.extend([s("MATCH"), dice.pick(&["*", "1*", "m?", "nothing"]).into()]);
            }
            argv
        }
        // What chance has no say in.
        26 => vec![s("SPOP"), key, dice.pick(&["0", "100000", "-1", "x"]).into()],
        27 if dice.once_in(3) => vec![s("SRANDMEMBER"), key, s("100000")],
        _ => vec![s("SADD"), key, member(dice)],
    };
    if matches!(&*argv[0].to_ascii_uppercase(), b"SMEMBERS" | b"SINTER" | b"SUNION" | b"SDIFF")
        || matches!(&*argv[0], b"SSCAN" | b"SPOP" | b"SRANDMEMBER")
    {
        compare = Compare::Unordered;
    }
    Cmd { argv, compare }
}

fn member(dice: &mut Dice) -> Vec<u8> {
    match dice.below(8) {
        0 => dice.value(),
        1 => dice.int_text(),
        2 | 3 => dice.below(50).to_string().into_bytes(),
        4 => dice.below(1600).to_string().into_bytes(),
        5 => format!("m{}", dice.below(1600)).into_bytes(),
        _ => dice.pick(&["a", "b", "c", "1", "2", "-5", "100000", "99999999999"]).into(),
    }
}

const CHOSEN: &[&str] = &[
    "SADD e:1",
    "SADD e:1 1 2 3 1",
    "SPOP e:1 1 1",
    "SPOP e:1 x",
    "SPOP e:1 -1",
    "SPOP e:none",
    "SPOP e:none 0",
    "SPOP e:none x",
    "SRANDMEMBER e:1 1 1",
    "SRANDMEMBER e:1 x",
    "SRANDMEMBER e:none",
    "SRANDMEMBER e:none 5",
    "SRANDMEMBER e:none -5",
    "SRANDMEMBER e:none -9223372036854775808",
    "SRANDMEMBER e:1 0",
    "SADD e:2 only",
    "SRANDMEMBER e:2",
    "SRANDMEMBER e:2 -3",
    "SPOP e:2",
    "EXISTS e:2",
    "SADD e:2 only",
    "SPOP e:2 1",
    "EXISTS e:2",
    "SET s:1 v",
    "SADD s:1 a",
    "SPOP s:1 x",
    "SPOP s:1 0",
    "SRANDMEMBER s:1 x",
    "SRANDMEMBER s:1 0",
    "SMISMEMBER s:1 a",
    "SMISMEMBER e:none a b",
    "SISMEMBER e:none a",
    "SMOVE e:none s:1 a",
    "SMOVE e:1 s:1 a",
    "SMOVE s:1 e:1 a",
    "SMOVE e:1 e:1 1",
    "SMOVE e:1 e:1 9",
    "SMOVE e:1 e:2 1",
    "SMOVE e:1 e:2 1",
    "SINTER e:1 s:1",
    "SINTER e:none s:1",
    "SUNION e:none s:1",
    "SDIFF e:none s:1",
    "SDIFF e:1 e:1",
    "SDIFF e:none e:1",
    "SINTERSTORE s:1 e:1 e:none",
    "EXISTS s:1",
    "SET s:1 v EX 100000",
    "SUNIONSTORE s:1 e:1 e:2",
    "TTL s:1",
    "SDIFFSTORE s:1 e:none",
    "EXISTS s:1",
    "SINTERCARD 0 e:1",
    "SINTERCARD x e:1",
    "SINTERCARD 2 e:1",
    "SINTERCARD 9223372036854775807 e:1",
    "SINTERCARD 1 e:1 LIMIT",
    "SINTERCARD 1 e:1 LIMIT -1",
    "SINTERCARD 1 e:1 LIMIT x",
    "SINTERCARD 1 e:1 LIMIT 1 LIMIT 2",
    "SINTERCARD 1 e:1 FOO 1",
    "SINTERCARD 1 e:1 LIMIT 0",
    "SSCAN e:1 x",
    "SSCAN e:none x",
    "SSCAN e:none 0 FOO",
    "SSCAN e:1 0 FOO",
    "SSCAN e:1 0 TYPE set",
    "SSCAN e:1 0 COUNT 0",
    "SSCAN e:1 5",
    "SSCAN e:1 0 COUNT 1",
    "SREM e:1 1 2 3",
    "EXISTS e:1",
];
