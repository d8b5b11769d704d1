//! Vector sets, on servers that have them.

use crate::dice::{Cmd, Compare, Dice, Kind};

pub(crate) const KIND: Kind = Kind { name: "vectorset", draw, chosen: CHOSEN };

fn draw(dice: &mut Dice) -> Cmd {
    let key = dice.key(b'v');
    let s = |word: &str| word.as_bytes().to_vec();
    let argv = match dice.below(12) {
        0..=5 => vadd(dice, key),
        6 => vec![s("VREM"), key, element(dice)],
        7 => vec![s("VSETATTR"), key, element(dice), attributes(dice)],
        8 => vec![s("VGETATTR"), key, element(dice)],
        9 => vec![dice.word(&["VCARD", "VDIM"]), key],
        10 => vec![s("VISMEMBER"), key, element(dice)],
        _ => vec![dice.word(&["DEL", "TYPE", "EXISTS"]), key],
    };
    Cmd { argv, compare: Compare::Exact }
}

fn element(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&["a", "b", "c", "d", "e", "a longer name of an element", ""]).into()
}

fn attributes(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&["", "{\"year\":1999}", "not json", "{}"]).into()
}

/// Numbers whose squares add up without rounding, so that the order of adding does not count.
fn part(dice: &mut Dice) -> f32 {
    dice.below(255) as f32 - 127.0
}

fn vadd(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![b"VADD".to_vec(), key];
    let dimension = if dice.once_in(10) { 1 + dice.below(70) } else { 5 };
    if dice.once_in(2) {
        argv.extend([dice.word(&["VALUES"]), dimension.to_string().into_bytes()]);
        argv.extend((0..dimension).map(|_| part(dice).to_string().into_bytes()));
        if dice.once_in(20) {
            *argv.last_mut().unwrap() = dice.float_text();
        }
    } else {
        let blob = (0..dimension).flat_map(|_| part(dice).to_le_bytes()).collect();
        argv.extend([dice.word(&["FP32"]), blob]);
    }
    argv.push(element(dice));
    for _ in 0..dice.below(3) {
        let word = dice.word(&["NOQUANT", "Q8", "BIN", "CAS", "EF", "M", "SETATTR", "FOO"]);
        let value: Option<Vec<u8>> = match word.to_ascii_lowercase().as_slice() {
            b"ef" => Some(dice.pick(&["1", "200", "0", "x"]).into()),
            b"m" => Some(dice.pick(&["16", "4", "3", "x"]).into()),
            b"setattr" => Some(attributes(dice)),
            _ => None,
        };
        argv.push(word);
        argv.extend(value);
    }
    argv
}

const CHOSEN: &[&str] = &[
    "VADD v:1 VALUES 3 1 2 3 a",
    "VADD v:1 VALUES 3 1 2 3 a",
    "VADD v:1 VALUES 3 1 2 x b",
    "VADD v:1 VALUES 2 1 2 b",
    "VADD v:1 VALUES 3 1 2 3",
    "VADD v:1 VALUES 0 b c",
    "VADD v:1 VALUES -1 b c",
    "VADD v:1 VALUES 3 1 2 b",
    "VADD v:1 FP32 abcd b",
    "VADD v:1 FP32 abc b",
    "VADD v:1 VALUES 3 1 2 3 b NOQUANT",
    "VADD v:1 VALUES 3 1 2 3 b Q8",
    "VADD v:1 VALUES 3 1 2 3 c M 20",
    "VADD v:1 VALUES 3 1 2 3 c M 2",
    "VADD v:1 VALUES 3 1 2 3 c M 16",
    "VADD v:1 VALUES 3 1 2 3 c EF 0",
    "VADD v:1 VALUES 3 1 2 3 c FOO",
    "VADD v:1 VALUES 3 1 2 3 c SETATTR",
    "VADD v:1 VALUES 3 1 2 3 c SETATTR {x",
    "VGETATTR v:1 c",
    "VADD v:1 VALUES 3 1 2 3 c SETATTR \"\"",
    "VGETATTR v:1 c",
    "VSETATTR v:1 c foo",
    "VSETATTR v:1 none foo",
    "VSETATTR v:none c foo",
    "VCARD v:1",
    "VDIM v:1",
    "VDIM v:none",
    "VREM v:1 a",
    "VREM v:1 a",
    "VREM v:1 b",
    "VREM v:1 c",
    "EXISTS v:1",
    "VADD v:2 VALUES 2 0 0 a",
    "VADD v:2 VALUES 2 nan 1 b",
    "VADD v:2 VALUES 2 0x10 1 d",
    "VADD v:3 VALUES 65 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 a BIN",
    "VADD v:4 VALUES 3 1 -2 3 a NOQUANT",
    "SET v:5 x",
    "VADD v:5 VALUES 1 1 a",
    "VCARD v:5",
    "TYPE v:2",
    "OBJECT ENCODING v:2",
];
