//! Bits of strings.

use crate::dice::{Cmd, Compare, Dice, Kind};
use rdbtool::engine::Family;

pub(crate) const KIND: Kind = Kind { name: "bits", draw, chosen: CHOSEN };

fn draw(dice: &mut Dice) -> Cmd {
    let key = dice.key(b's');
    let s = |word: &str| word.as_bytes().to_vec();
    let argv = match dice.below(14) {
        0 | 1 => vec![s("SET"), key, dice.value()],
        2 | 3 => vec![s("SETBIT"), key, offset(dice), dice.pick(&["0", "1", "1", "2", "x"]).into()],
        4 => vec![s("GETBIT"), key, offset(dice)],
        5 | 6 => part(dice, vec![s("BITCOUNT"), key]),
        7 => {
            let bit = dice.pick(&["0", "1", "1", "2"]);
            part(dice, vec![s("BITPOS"), key, bit.into()])
        }
        8 => bitop(dice),
        9 => vec![s("DEL"), key],
        10 => bitfield(dice, "BITFIELD_RO", key),
        _ => bitfield(dice, "BITFIELD", key),
    };
    Cmd { argv, compare: Compare::Exact }
}

fn offset(dice: &mut Dice) -> Vec<u8> {
    let text = match dice.below(20) {
        0 => dice.int_text(),
        1 => dice.pick(&["4294967296", "-1", "100000"]).into(),
        _ => dice.below(300).to_string().into_bytes(),
    };
    // A bit far out would make a long string, again and again.
    let number = String::from_utf8_lossy(&text).parse();
    if number.is_ok_and(|n: u64| (100_001..1 << 32).contains(&n)) { b"7".into() } else { text }
}

fn part(dice: &mut Dice, mut argv: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let least = if argv[0].eq_ignore_ascii_case(b"BITPOS") { 1 } else { 2 };
    match dice.below(4) {
        0 => {}
        1 => argv.extend((0..least).map(|_| bound(dice))),
        2 => argv.extend([bound(dice), bound(dice)]),
        _ => argv.extend([bound(dice), bound(dice), dice.word(&["BIT", "BYTE", "BIT"])]),
    }
    argv
}

fn bound(dice: &mut Dice) -> Vec<u8> {
    if dice.once_in(3) {
        (dice.below(400) as i64 - 200).to_string().into_bytes()
    } else {
        dice.index()
    }
}

fn bitop(dice: &mut Dice) -> Vec<Vec<u8>> {
    let newer = dice.release.family == Family::Redis && dice.release.version >= (8, 2);
    let name = match newer && dice.once_in(2) {
        true => dice.word(&["DIFF", "DIFF1", "ANDOR", "ONE"]),
        false => dice.word(&["AND", "OR", "XOR", "NOT"]),
    };
    let not = name.eq_ignore_ascii_case(b"NOT");
    let mut argv = vec![b"BITOP".to_vec(), name, dice.key(b's')];
    let count = if not && !dice.once_in(4) { 1 } else { 1 + dice.below(4) };
    argv.extend((0..count).map(|_| dice.key(b's')));
    argv
}

fn bitfield(dice: &mut Dice, name: &str, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![name.as_bytes().to_vec(), key];
    for _ in 0..=dice.below(4) {
        if dice.once_in(2) {
            argv.extend([dice.word(&["OVERFLOW"]), dice.word(&["WRAP", "SAT", "FAIL", "SAT"])]);
        }
        let name = dice.word(&["GET", "SET", "INCRBY"]);
        let get = name.eq_ignore_ascii_case(b"GET");
        let sign = dice.pick(&["i", "u"]);
        let bits = match dice.below(4) {
            0 => dice.pick(&[1, 7, 8, 9, 16, 31, 32, 33, 62, 63, 64, 65, 0]),
            _ => 1 + dice.below(64),
        };
        let hash = if dice.once_in(3) { "#" } else { "" };
        let offset = format!("{hash}{}", dice.below(if hash.is_empty() { 300 } else { 9 }));
        argv.extend([name, format!("{sign}{bits}").into_bytes(), offset.into_bytes()]);
        if !get {
            argv.push(dice.int().to_string().into_bytes());
        }
    }
    argv
}

const CHOSEN: &[&str] = &[
    "SET s:1 abc",
    "LPUSH l:1 a",
    "BITCOUNT s:1",
    "BITCOUNT s:1 0 -1 FOO",
    "BITCOUNT s:1 a -1",
    "BITCOUNT s:1 0 -1 BIT BIT",
    "BITCOUNT s:1 -1 -2",
    "BITCOUNT s:1 -100 -200",
    "BITCOUNT s:1 -200 -100",
    "BITCOUNT s:1 0 -200",
    "BITCOUNT s:1 5 30 BIT",
    "BITCOUNT s:1 -9223372036854775808 9223372036854775807 BIT",
    "BITCOUNT s:1 0 -9223372036854775808 BIT",
    "BITCOUNT s:none",
    "BITCOUNT l:1",
    "BITPOS s:1 2",
    "BITPOS s:1 a",
    "BITPOS s:none a",
    "BITPOS s:none 2",
    "BITPOS s:none 0",
    "BITPOS s:none 1",
    "BITPOS s:1 0 0 0 FOO",
    "BITPOS s:1 0 a 0",
    "BITPOS s:1 0 0 0 BIT BIT",
    "BITPOS s:1 0 -1 -2",
    "BITPOS s:1 1 5",
    "BITPOS s:1 0 5",
    "BITPOS l:1 a",
    "BITPOS l:1 1",
    "SET s:2 \\xff\\xff",
    "BITPOS s:2 0",
    "BITPOS s:2 0 0",
    "BITPOS s:2 0 0 -1",
    "BITPOS s:2 0 1 15 BIT",
    "BITPOS s:2 1 1 15 BIT",
    "BITPOS s:2 1 16 20 BIT",
    "SET s:3 \"\"",
    "BITPOS s:3 0",
    "BITPOS s:3 1",
    "BITCOUNT s:3",
    "BITOP FOO s:4 s:1",
    "BITOP NOT s:4 s:1 s:1",
    "BITOP NOT s:4 l:1",
    "BITOP NOT s:4",
    "BITOP AND s:4 l:1",
    "BITOP AND s:4 s:none",
    "SET s:4 x EX 100000",
    "BITOP OR s:4 s:1",
    "TTL s:4",
    "BITOP OR s:4 s:3",
    "EXISTS s:4",
    "BITOP NOT s:4 s:none",
    "SETBIT s:1 0 2",
    "SETBIT s:1 a 2",
    "SETBIT s:1 4294967296 1",
    "SETBIT s:1 -1 1",
    "SETBIT l:1 a 1",
    "SETBIT l:1 0 1",
    "GETBIT l:1 a",
    "GETBIT l:1 0",
    "GETBIT s:1 4294967295",
    "GETBIT s:1 4294967296",
    "GETBIT s:none x",
    "BITFIELD s:1",
    "BITFIELD s:none",
    "EXISTS s:none",
    "BITFIELD l:1",
    "BITFIELD l:1 GET u8 0",
    "BITFIELD l:1 SET u8 0 1",
    "BITFIELD s:1 GET u64 0",
    "BITFIELD s:1 GET i64 0",
    "BITFIELD s:1 GET i65 0",
    "BITFIELD s:1 GET u0 0",
    "BITFIELD s:1 GET I8 0",
    "BITFIELD s:1 GET i08 0",
    "BITFIELD s:1 GET i8\\x00x 0",
    "BITFIELD s:1 GET i 0",
    "BITFIELD s:1 GET \"\" 0",
    "BITFIELD s:1 GET u8 #1",
    "BITFIELD s:1 GET u8 #",
    "BITFIELD s:1 GET u8 -1",
    "BITFIELD s:1 GET u8 #-1",
    "BITFIELD s:1 GET u8 4294967295",
    "BITFIELD s:1 GET u8 4294967296",
    "BITFIELD s:1 GET u8 #2305843009213693952",
    "BITFIELD s:1 GET u8 #1152921504606846976",
    "BITFIELD s:1 SET u8 0 a",
    "BITFIELD s:1 SET u8 0",
    "BITFIELD s:1 GET u8",
    "BITFIELD s:1 OVERFLOW FOO",
    "BITFIELD s:1 OVERFLOW",
    "BITFIELD s:1 OVERFLOW WRAP",
    "BITFIELD s:1 OVERFLOW sat SET u8 0 -1",
    "BITFIELD s:1 OVERFLOW sat SET u8 0 256",
    "BITFIELD s:1 OVERFLOW sat SET i8 0 -300",
    "BITFIELD s:1 OVERFLOW sat INCRBY i64 0 9223372036854775807 INCRBY i64 0 9223372036854775807",
    "BITFIELD s:1 OVERFLOW fail INCRBY u63 0 9223372036854775807 INCRBY u63 0 1",
    "BITFIELD s:1 INCRBY u63 0 9223372036854775807 INCRBY i1 64 1 INCRBY i1 64 1 INCRBY u1 64 -5",
    "BITFIELD s:1 SET u63 0 -1 SET i64 1 -9223372036854775808 INCRBY i64 1 -1",
    "BITFIELD s:1 OVERFLOW sat SET i64 0 -10 GET i64 0 SET i63 0 -9223372036854775808 GET i63 0",
    "BITFIELD s:5 OVERFLOW fail SET u8 0 256",
    "STRLEN s:5",
    "BITFIELD_RO s:1 SET u8 0 1",
    "BITFIELD_RO s:1 GET u8 0",
    "BITFIELD_RO s:1 OVERFLOW WRAP GET u8 0",
    "BITFIELD_RO l:1 SET u8 0 1",
    "BITFIELD s:1 FOO u8 0",
    "SET s:6 12345",
    "SETBIT s:6 6 1",
    "GET s:6",
    "OBJECT ENCODING s:6",
    "SET s:6 12345",
    "BITFIELD s:6 SET i5 4294967293 -3",
    "STRLEN s:6",
    "DEL s:6",
];
