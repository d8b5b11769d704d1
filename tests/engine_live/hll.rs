//! HyperLogLogs. Their bytes are compared with every digest, sparse and dense.

use crate::dice::{Cmd, Compare, Dice, Kind};

pub(crate) const KIND: Kind = Kind { name: "hll", draw, chosen: CHOSEN };

fn draw(dice: &mut Dice) -> Cmd {
    let s = |word: &str| word.as_bytes().to_vec();
    let (key, key2) = (dice.key(b'p'), dice.key(b'p'));
    let argv = match dice.below(20) {
        0..=5 => {
            let mut argv = vec![s("PFADD"), key];
            argv.extend((0..dice.below(6)).map(|_| element(dice)));
            argv
        }
        6..=8 => {
            let (from, count) = (dice.below(100_000), dice.pick(&[10, 100, 300, 1000]));
            let mut argv = vec![s("PFADD"), key];
            argv.extend((from..from + count).map(|n| format!("e{n}").into_bytes()));
            argv
        }
        9..=11 => vec![s("PFCOUNT"), key],
        12 => vec![s("PFCOUNT"), key, key2],
        13 | 14 => {
            let mut argv = vec![s("PFMERGE"), key];
            argv.extend((0..dice.below(4)).map(|_| dice.key(b'p')));
            argv
        }
        15 => vec![s("DEL"), key],
        16 => vec![s("PFDEBUG"), dice.word(&["ENCODING", "DECODE", "GETREG", "X"]), key],
        17 if dice.once_in(3) => vec![s("PFDEBUG"), dice.word(&["TODENSE"]), key],
        18 => hostile(dice, key),
        _ => vec![s("STRLEN"), key],
    };
    Cmd { argv, compare: Compare::Exact }
}

fn element(dice: &mut Dice) -> Vec<u8> {
    if dice.once_in(3) { dice.value() } else { format!("e{}", dice.below(300)).into_bytes() }
}

/// A text with the right beginning and whatever comes then.
fn hostile(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut text = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80".to_vec();
    text.extend_from_slice(match dice.below(8) {
        0 => b"",
        1 => b"\x7f\xff",
        2 => b"\x80\x7f\xfe",
        3 => b"\x7f\xfe",
        4 => b"\x7f\xfe\x80\x80",
        5 => b"\x9f\x83\x83\x83\x7f\xef",
        6 => b"\x00\x80\x3f\x80\x7f\xbd",
        _ => b"\x7f\xff\x7f\xff",
    });
    let name = b"SET".to_vec();
    if dice.once_in(4) { vec![name, key, dice.value()] } else { vec![name, key, text] }
}

const CHOSEN: &[&str] = &[
    "PFADD",
    "PFADD p:1",
    "GET p:1",
    "PFADD p:1",
    "PFCOUNT p:1",
    "GET p:1",
    "PFCOUNT p:none",
    "EXISTS p:none",
    "PFCOUNT p:none p:1",
    "PFADD p:1 a b c a",
    "PFADD p:1 a b c a",
    "GET p:1",
    "PFDEBUG DECODE p:1",
    "PFCOUNT p:1",
    "PFCOUNT p:1 p:none",
    "PFMERGE p:2",
    "GET p:2",
    "PFMERGE p:2 p:1 p:none",
    "GET p:2",
    "PFMERGE",
    "PFDEBUG",
    "PFDEBUG ENCODING",
    "PFDEBUG ENCODING p:none",
    "PFDEBUG FOO p:none",
    "PFDEBUG FOO p:1",
    "PFDEBUG ENCODING p:1 x",
    "PFDEBUG DECODE p:1 x",
    "PFDEBUG TODENSE p:1 x",
    "PFDEBUG GETREG p:1 x",
    "PFDEBUG ENCODING p:1",
    "PFDEBUG TODENSE p:1",
    "PFDEBUG TODENSE p:1",
    "PFDEBUG ENCODING p:1",
    "PFDEBUG DECODE p:1",
    "PFCOUNT p:1",
    "PFADD p:5 a",
    "APPEND p:5 @",
    "PFDEBUG DECODE p:5",
    "PFCOUNT p:5",
    "PFMERGE p:3 p:2 p:1",
    "PFDEBUG ENCODING p:3",
    "PFDEBUG GETREG p:2",
    "PFDEBUG ENCODING p:2",
    "LPUSH l:1 a",
    "PFADD l:1 a",
    "PFCOUNT l:1",
    "PFCOUNT p:1 l:1",
    "PFMERGE l:1 p:1",
    "PFMERGE p:1 l:1",
    "PFDEBUG ENCODING l:1",
    "SET s:1 12345",
    "PFADD s:1 a",
    "PFCOUNT s:1",
    "PFCOUNT p:1 s:1",
    "PFMERGE p:1 s:1",
    "PFMERGE s:1 p:1",
    "PFDEBUG ENCODING s:1",
    "SET s:2 HYLL\\x02\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x7f\\xff",
    "PFADD s:2 a",
    "SET s:2 HYLL\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x7f\\xff",
    "PFADD s:2 a",
    "SET s:2 hYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x7f\\xff",
    "PFADD s:2 a",
    "SET s:2 HYLL\\x01\\x01\\x02\\x03\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xff",
    "PFADD s:2 a",
    "PFCOUNT s:2",
    "PFDEBUG TODENSE s:2",
    "SET s:3 HYLL\\x01\\x00\\x00\\x00\\x05\\x00\\x00\\x00\\x00\\x00\\x00\\x00",
    "PFCOUNT s:3",
    "PFADD s:3 a",
    "PFCOUNT s:3 p:1",
    "PFMERGE s:3 p:1",
    "PFDEBUG TODENSE s:3",
];
