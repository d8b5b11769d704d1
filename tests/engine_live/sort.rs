//! SORT.

use crate::dice::{Cmd, Compare, Dice, Kind};

pub(crate) const KIND: Kind = Kind { name: "sort", draw, chosen: CHOSEN };

fn draw(dice: &mut Dice) -> Cmd {
    let s = |word: &str| word.as_bytes().to_vec();
    let argv = match dice.below(10) {
        0 | 1 => {
            let mut argv = vec![dice.word(&["RPUSH", "LPUSH"]), dice.key(b'l')];
            argv.extend((0..=dice.below(6)).map(|_| element(dice)));
            argv
        }
        2 => {
            let mut argv = vec![s("SADD"), dice.key(b'e')];
            argv.extend((0..=dice.below(6)).map(|_| element(dice)));
            argv
        }
        3 => vec![s("SET"), weight_key(dice), number(dice)],
        4 => vec![s("DEL"), dice.key(b'l'), weight_key(dice)],
        5 => vec![s("LRANGE"), dice.key(b'l'), s("0"), s("-1")],
        _ => return sort(dice),
    };
    Cmd { argv, compare: Compare::Exact }
}

fn element(dice: &mut Dice) -> Vec<u8> {
    match dice.below(16) {
        0 => dice.pick(&["", "a", "b", "foo", "\u{e9}", "x y"]).into(),
        1 => number(dice),
        _ => dice.below(10).to_string().into_bytes(),
    }
}

/// A number, or nearly one. Nothing out of range: after such a one Redis 7.0 fails on others too, until
/// something else has set `errno`.
fn number(dice: &mut Dice) -> Vec<u8> {
    match dice.below(10) {
        0 => {
            dice.pick(&["", " 1", "1 ", "0x10", "inf", "-inf", "1e300", "+5", "-nan", "abc"]).into()
        }
        _ => dice.pick(&["1", "2", "3", "2.5", "-7", "10", "100", "1e2", "-0"]).into(),
    }
}

fn weight_key(dice: &mut Dice) -> Vec<u8> {
    format!("w:{}", dice.below(10)).into_bytes()
}

/// A SORT whose answer chance has no say in: no ties where BY and ALPHA leave them in any order, and no
/// part of a set that is in none.
fn sort(dice: &mut Dice) -> Cmd {
    let of_set = dice.once_in(3);
    let key = dice.key(if of_set { b'e' } else { b'l' });
    let of_set = key[0] != b'l';
    let mut argv = vec![dice.word(&["SORT", "SORT", "SORT", "SORT_RO"]), key];
    let (alpha, mut compare) = (dice.once_in(2), Compare::Exact);
    if alpha {
        argv.push(dice.word(&["ALPHA"]));
    }
    let by = match dice.below(4) {
        0 => Some(dice.pick(&["w:*", "w:*", "w:*", "s:*"])),
        1 => Some(dice.pick(&["nosort", "#", "w:1"])),
        _ => None,
    };
    by.into_iter().for_each(|by| argv.extend([dice.word(&["BY"]), by.into()]));
    let any_order = by.is_some_and(|by| if by.contains('*') { alpha } else { of_set });
    if any_order {
        compare = Compare::Unordered;
    } else if dice.once_in(3) {
        argv.extend([dice.word(&["LIMIT"]), dice.index(), dice.index()]);
    }
    for _ in 0..dice.below(3) {
        let pattern = dice.pick(&["#", "w:*", "w:*", "s:*", "nothing", "w:*->x", "*"]);
        argv.extend([dice.word(&["GET"]), pattern.into()]);
    }
    if dice.once_in(3) {
        argv.push(dice.word(&["DESC", "ASC", "FOO"]));
    }
    if dice.once_in(3) && !(any_order && by.is_some_and(|by| by.contains('*'))) {
        argv.extend([dice.word(&["STORE"]), dice.key(b'l')]);
    }
    Cmd { argv, compare }
}

const CHOSEN: &[&str] = &[
    "SORT l:none",
    "SORT l:none LIMIT x 1 FOO",
    "SORT l:none FOO LIMIT x 1",
    "SORT l:none LIMIT 1",
    "SORT l:none BY",
    "SORT l:none GET",
    "SORT l:none STORE",
    "SORT l:none STORE l:1",
    "SORT_RO l:none STORE l:1",
    "SORT_RO l:none STORE",
    "RPUSH l:1 3 1 2 10",
    "SORT l:1 STORE l:1",
    "LRANGE l:1 0 -1",
    "SORT l:1 LIMIT 1 2",
    "SORT l:1 LIMIT -5 2",
    "SORT l:1 LIMIT 1 -5",
    "SORT l:1 LIMIT 9 2",
    "SORT l:1 LIMIT 3 9223372036854775807",
    "SORT l:1 LIMIT -9223372036854775808 9223372036854775807",
    "SORT l:1 LIMIT 0 0",
    "SORT l:1 BY nosort LIMIT 1 2",
    "SORT l:1 BY nosort DESC LIMIT 1 2",
    "SORT l:1 BY nosort BY w:* DESC",
    "SORT l:1 BY w:* DESC BY nosort",
    "SORT l:1 BY w\\x00*",
    "SORT l:1 GET #\\x00",
    "SET w:1 x",
    "SORT l:1 GET w:* GET w:*->f GET w:*-> GET *->w",
    "SET w:1-> arrow",
    "SORT l:1 GET w:*->",
    "SET w:1\\x00z nul",
    "SORT l:1 GET w:*\\x00z",
    "SORT l:1 BY w:*",
    "SORT l:1 BY w:* STORE l:2",
    "EXISTS l:2",
    "SORT l:1 ALPHA DESC STORE l:2",
    "LRANGE l:2 0 -1",
    "SORT l:2 LIMIT 0 0 STORE l:2",
    "EXISTS l:2",
    "SORT w:1",
    "SORT w:1 LIMIT x 1",
    "SADD e:1 c b a",
    "SORT e:1",
    "SORT e:1 BY nosort STORE l:2",
    "LRANGE l:2 0 -1",
    "SORT e:1 BY nosort DESC STORE l:2",
    "LRANGE l:2 0 -1",
    "RPUSH l:3 a\\x00c a\\x00b a",
    "SORT l:3 ALPHA STORE l:4",
    "LRANGE l:4 0 -1",
    "RPUSH l:5 inf",
    "SORT l:5",
    "LSET l:5 0 nan",
    "SORT l:5",
    "LSET l:5 0 \"\"",
    "SORT l:5",
    "LSET l:5 0 1\\x00x",
    "SORT l:5",
    "LSET l:5 0 0x10",
    "SORT l:5",
    "LSET l:5 0 1e400",
    "SORT l:5",
    "LSET l:5 0 1e-400",
    "SORT l:5",
    "LSET l:5 0 1e-310",
    "SORT l:5",
];
