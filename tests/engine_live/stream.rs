//! Streams and their groups.

use crate::dice::{Cmd, Compare, Dice, Kind};
use crate::servers::Reply;

pub(crate) const KIND: Kind = Kind { name: "stream", draw, chosen: CHOSEN };

fn draw(dice: &mut Dice) -> Cmd {
    let key = dice.key(b'x');
    let s = |word: &str| word.as_bytes().to_vec();
    let mut compare = Compare::Exact;
    let argv = match dice.below(40) {
        0..=13 => xadd(dice, key),
        14 => xtrim(dice, key),
        15 => [vec![s("XDEL"), key], ids(dice)].concat(),
        16 => vec![s("XLEN"), key],
        17 => {
            let mut argv = vec![s("XRANGE"), key, bound(dice, "-"), bound(dice, "+")];
            count(dice, &mut argv);
            argv
        }
        18 => {
            let mut argv = vec![s("XREVRANGE"), key, bound(dice, "+"), bound(dice, "-")];
            count(dice, &mut argv);
            argv
        }
        19 => xread(dice, key),
        20..=22 => xgroup(dice, key),
        23..=26 => xreadgroup(dice, key),
        27 => [vec![s("XACK"), key, group(dice)], ids(dice)].concat(),
        28 | 29 => {
            compare = Compare::With(same_but_times);
            xclaim(dice, key)
        }
        30 => {
            compare = Compare::With(same_but_times);
            xautoclaim(dice, key)
        }
        31 | 32 => {
            compare = Compare::With(same_but_times);
            xpending(dice, key)
        }
        33 | 34 => {
            compare = Compare::With(same_but_times);
            xinfo(dice, key)
        }
        35 => xsetid(dice, key),
        36 | 37 if dice.release.has((8, 2), (255, 0)) => deletion(dice, key),
        38 => vec![dice.word(&["DEL", "TYPE", "EXISTS"]), key],
        _ => vec![s("COPY"), key, dice.key(b'x'), s("REPLACE")],
    };
    Cmd { argv, compare }
}

/// An id that may be there.
fn id(dice: &mut Dice) -> Vec<u8> {
    let ms = dice.recent(60);
    match dice.below(30) {
        0 => {
            dice.pick(&["", "-", "+", "x", "5-x", "0", "0-0", "1-1-1", "(5", "$", ">", "*"]).into()
        }
        1 => dice
            .pick(&["18446744073709551615-18446744073709551615", "99999999999999999999", "007-+1"])
            .into(),
        2..=6 => ms.to_string().into_bytes(),
        7..=9 => format!("{ms}-{}", dice.below(3)).into_bytes(),
        _ => format!("{ms}-0").into_bytes(),
    }
}

fn ids(dice: &mut Dice) -> Vec<Vec<u8>> {
    (0..=dice.below(4)).map(|_| id(dice)).collect()
}

fn bound(dice: &mut Dice, end: &str) -> Vec<u8> {
    match dice.below(4) {
        0 | 1 => end.into(),
        2 => id(dice),
        _ => [&b"("[..], &id(dice)].concat(),
    }
}

fn count(dice: &mut Dice, argv: &mut Vec<Vec<u8>>) {
    if dice.once_in(2) {
        argv.push(dice.word(&["COUNT", "COUNT", "COUNT", "FOO"]));
        argv.push(dice.index());
    }
}

fn group(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&["g1", "g1", "g1", "g2", "", "none"]).into()
}

fn consumer(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&["alice", "bob", "carol", "a consumer of a longer name", ""]).into()
}

fn xadd(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![b"XADD".to_vec(), key];
    if dice.once_in(12) {
        argv.push(dice.word(&["NOMKSTREAM"]));
    }
    if dice.once_in(8) {
        threshold(dice, &mut argv);
    }
    let tick = dice.tick();
    argv.push(match dice.below(20) {
        // What `*` gives depends on the clock.
        0 => Some(id(dice)).filter(|id| id != b"*").unwrap_or(b"FOO".to_vec()),
        1 | 2 => format!("{tick}-*").into_bytes(),
        3 => format!("{}-*", tick.saturating_sub(1)).into_bytes(),
        4 => tick.to_string().into_bytes(),
        _ => format!("{tick}-0").into_bytes(),
    });
    let pairs = 1 + dice.below(3);
    for n in 0..pairs {
        argv.push(if dice.once_in(8) { dice.value() } else { vec![b'a' + n as u8] });
        argv.push(dice.value());
    }
    if dice.once_in(60) {
        argv.pop();
    }
    argv
}

fn threshold(dice: &mut Dice, argv: &mut Vec<Vec<u8>>) {
    argv.push(dice.word(&["MAXLEN", "MAXLEN", "MINID"]));
    let by_len = argv.last().unwrap().eq_ignore_ascii_case(b"maxlen");
    match dice.below(3) {
        0 => argv.push(b"=".to_vec()),
        1 => argv.push(b"~".to_vec()),
        _ => {}
    }
    argv.push(match (by_len, dice.below(20)) {
        (_, 0) => dice.int_text(),
        (true, 1..=3) => dice.below(10).to_string().into_bytes(),
        (true, _) => dice.below(300).to_string().into_bytes(),
        (false, 1..=6) => id(dice),
        (false, _) => dice.recent(2000).to_string().into_bytes(),
    });
    if dice.once_in(5) {
        argv.extend([
            dice.word(&["LIMIT"]),
            dice.pick(&["0", "50", "100", "150", "-1", "x"]).into(),
        ]);
    }
    if dice.release.has((8, 2), (255, 0)) && dice.once_in(3) {
        argv.push(dice.word(&["KEEPREF", "DELREF", "ACKED"]));
    }
}

fn xtrim(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![b"XTRIM".to_vec(), key];
    threshold(dice, &mut argv);
    if dice.once_in(20) {
        argv.push(dice.word(&["FOO", "NOMKSTREAM", "LIMIT", "MAXLEN"]));
    }
    argv
}

fn xread(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![b"XREAD".to_vec()];
    count(dice, &mut argv);
    if dice.once_in(30) {
        argv.push(dice.word(&["NOACK", "GROUP", "FOO"]));
    }
    argv.push(dice.word(&["STREAMS"]));
    let one = |dice: &mut Dice| if dice.once_in(5) { b"$".to_vec() } else { id(dice) };
    match dice.below(4) {
        0 => {
            let key2 = dice.key(b'x');
            argv.extend([key, key2, one(dice), one(dice)]);
        }
        _ => argv.extend([key, one(dice)]),
    }
    if dice.once_in(30) {
        argv.pop();
    }
    argv
}

fn xgroup(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let (group, s) = (group(dice), |word: &str| word.as_bytes().to_vec());
    let at = |dice: &mut Dice| match dice.below(3) {
        0 => b"$".to_vec(),
        1 => b"0".to_vec(),
        _ => id(dice),
    };
    let mut argv = vec![s("XGROUP")];
    match dice.below(12) {
        0..=5 => {
            argv.extend([dice.word(&["CREATE"]), key, group, at(dice)]);
            if dice.once_in(2) {
                argv.push(dice.word(&["MKSTREAM"]));
            }
        }
        6..=8 => argv.extend([dice.word(&["SETID"]), key, group, at(dice)]),
        9 => return vec![s("XGROUP"), dice.word(&["CREATECONSUMER"]), key, group, consumer(dice)],
        10 => return vec![s("XGROUP"), dice.word(&["DELCONSUMER"]), key, group, consumer(dice)],
        _ if dice.once_in(4) => return vec![s("XGROUP"), dice.word(&["DESTROY"]), key, group],
        _ => return vec![s("XGROUP"), dice.word(&["FOO", "CREATE"]), key],
    }
    if dice.once_in(4) {
        argv.extend([dice.word(&["ENTRIESREAD"]), dice.index()]);
    }
    if dice.once_in(30) {
        argv.push(s("FOO"));
    }
    argv
}

fn xreadgroup(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![b"XREADGROUP".to_vec(), b"GROUP".to_vec(), group(dice), consumer(dice)];
    count(dice, &mut argv);
    if dice.once_in(5) {
        argv.push(dice.word(&["NOACK"]));
    }
    argv.push(b"STREAMS".to_vec());
    let one = |dice: &mut Dice| if dice.once_in(4) { id(dice) } else { b">".to_vec() };
    match dice.below(6) {
        0 => {
            let key2 = dice.key(b'x');
            argv.extend([key, key2, one(dice), one(dice)]);
        }
        _ => argv.extend([key, one(dice)]),
    }
    argv
}

/// Idle times so far apart that the time between the two servers does not count.
fn idle(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&["0", "0", "0", "50000000", "150000000", "-1", "x"]).into()
}

fn xclaim(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![b"XCLAIM".to_vec(), key, group(dice), consumer(dice), idle(dice)];
    argv.extend(ids(dice));
    for _ in 0..dice.below(4) {
        let word = dice.word(&["IDLE", "TIME", "RETRYCOUNT", "FORCE", "JUSTID", "LASTID", "FOO"]);
        let value: Option<Vec<u8>> = match word.to_ascii_lowercase().as_slice() {
            b"idle" => Some(dice.pick(&["100000000", "200000000", "-5", "x"]).into()),
            b"time" => Some(dice.pick(&["0", "1000", "-1", "99999999999999", "x"]).into()),
            b"retrycount" => Some(dice.index()),
            b"lastid" => Some(id(dice)),
            _ => None,
        };
        argv.push(word);
        argv.extend(value);
    }
    argv
}

fn xautoclaim(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let start = bound(dice, "-");
    let mut argv =
        vec![b"XAUTOCLAIM".to_vec(), key, group(dice), consumer(dice), idle(dice), start];
    if dice.once_in(2) {
        argv.extend([dice.word(&["COUNT"]), dice.index()]);
    }
    if dice.once_in(3) {
        argv.push(dice.word(&["JUSTID", "JUSTID", "JUSTID", "FOO"]));
    }
    // An enormous count asks for an enormous allocation.
    if argv.iter().any(|arg| arg.len() > 8 && arg.iter().all(u8::is_ascii_digit)) {
        argv.truncate(6);
    }
    argv
}

fn xpending(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![b"XPENDING".to_vec(), key, group(dice)];
    if dice.once_in(3) {
        return argv;
    }
    if dice.once_in(3) {
        argv.extend([b"IDLE".to_vec(), idle(dice)]);
    }
    argv.extend([bound(dice, "-"), bound(dice, "+"), dice.index()]);
    if dice.once_in(2) {
        argv.push(consumer(dice));
    }
    argv
}

fn xinfo(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let s = |word: &str| word.as_bytes().to_vec();
    match dice.below(8) {
        0 => vec![s("XINFO"), dice.word(&["GROUPS"]), key],
        1 => vec![s("XINFO"), dice.word(&["CONSUMERS"]), key, group(dice)],
        2 => vec![s("XINFO"), dice.word(&["FOO", "STREAM", "GROUPS", "CONSUMERS"]), key, s("FOO")],
        3 | 4 => vec![s("XINFO"), s("STREAM"), key],
        5 => vec![s("XINFO"), s("STREAM"), key, s("full")],
        _ => {
            let count = dice.pick(&["0", "0", "0", "1", "-1", "x"]).as_bytes().to_vec();
            vec![s("XINFO"), s("STREAM"), key, s("FULL"), s("COUNT"), count]
        }
    }
}

fn xsetid(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![b"XSETID".to_vec(), key];
    argv.push(match dice.below(3) {
        0 => id(dice),
        _ => dice.tick().to_string().into_bytes(),
    });
    if dice.once_in(3) {
        argv.push(dice.word(&["ENTRIESADDED"]));
        argv.push(dice.recent(2000).to_string().into_bytes());
    }
    if dice.once_in(3) {
        argv.extend([dice.word(&["MAXDELETEDID"]), id(dice)]);
    }
    argv
}

/// XDELEX and XACKDEL.
fn deletion(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = match dice.below(2) {
        0 => vec![b"XDELEX".to_vec(), key],
        _ => vec![b"XACKDEL".to_vec(), key, group(dice)],
    };
    if dice.once_in(2) {
        argv.push(dice.word(&["KEEPREF", "DELREF", "ACKED", "FOO"]));
    }
    let ids = ids(dice);
    let count = if dice.once_in(10) { dice.index() } else { ids.len().to_string().into_bytes() };
    argv.extend([dice.word(&["IDS"]), count]);
    argv.extend(ids);
    argv
}

/// Idle times and points in time may differ by what passes between the two.
fn same_but_times(ours: &Reply, theirs: &Reply) -> bool {
    let (Reply::Array(Some(ours)), Reply::Array(Some(theirs))) = (ours, theirs) else {
        return ours == theirs;
    };
    let near = |at: usize| match (&ours[at], &theirs[at]) {
        (Reply::Int(a), Reply::Int(b)) => (a - b).abs() < 5000,
        _ => false,
    };
    let is_time = |at: usize| {
        let named = |before: &Reply| match before {
            Reply::Bulk(Some(name)) => {
                [&b"idle"[..], b"inactive", b"seen-time", b"active-time"].contains(&&name[..])
            }
            _ => false,
        };
        let kinds: Vec<bool> = theirs.iter().map(|item| matches!(item, Reply::Int(_))).collect();
        // id, consumer, time, deliveries; or id, time, deliveries
        (at > 0 && named(&theirs[at - 1]))
            || (kinds == [false, false, true, true] && at == 2)
            || (kinds == [false, true, true] && at == 1)
    };
    ours.len() == theirs.len()
        && (0..ours.len()).all(|at| match is_time(at) {
            true => near(at),
            false => same_but_times(&ours[at], &theirs[at]),
        })
}

const CHOSEN: &[&str] = &[
    "XADD x:1 1-1 a",
    "XADD x:1 * ",
    "XADD x:1 0-0 a 1",
    "XADD x:1 0 a 1",
    "XADD x:1 0-* a 1",
    "XADD x:1 0-1 a 1",
    "XADD x:1 MAXLEN 10",
    "XADD x:1 MAXLEN ~ 1-1 a 1",
    "XADD x:1 MAXLEN 5 MINID 5 2-1 a 1",
    "XADD x:1 LIMIT 5 2-1 a 1",
    "XADD x:1 MAXLEN 5 LIMIT 5 2-1 a 1",
    "XADD x:1 MAXLEN ~ 5 LIMIT 5 2-1 a 1",
    "XADD x:1 FOO 2-2 a 1",
    "XADD x:1 18446744073709551615-18446744073709551614 a 1",
    "XADD x:1 18446744073709551615-* a 1",
    "XADD x:1 18446744073709551615-* a 1",
    "XADD x:1 * a 1",
    "XRANGE x:1 - +",
    "XRANGE x:1 (18446744073709551615-18446744073709551615 +",
    "XRANGE x:1 - (0",
    "XRANGE x:1 - (0-0",
    "XRANGE x:1 ( +",
    "XRANGE x:1 (- +",
    "XRANGE x:1 + -",
    "XREVRANGE x:1 + - COUNT 1",
    "XRANGE x:1 - + COUNT 0",
    "XRANGE x:none - + COUNT 0",
    "XRANGE x:1 - + COUNT -5",
    "XRANGE x:1 - + COUNT",
    "XRANGE x:1 - + COUNT 1 COUNT x",
    "XINFO STREAM x:1",
    "XINFO STREAM x:none",
    "XINFO GROUPS x:1",
    "XINFO CONSUMERS x:1 none",
    "XINFO STREAM x:1 FULL COUNT",
    "XINFO STREAM x:1 COUNT 1",
    "XINFO FOO x:1",
    "XINFO",
    "XGROUP",
    "XGROUP FOO x:1 g",
    "XGROUP CREATE x:2 g",
    "XGROUP CREATE x:2 g 0",
    "XGROUP CREATE x:2 g x MKSTREAM",
    "EXISTS x:2",
    "XGROUP CREATE x:2 g $ MKSTREAM",
    "XGROUP CREATE x:2 g $ MKSTREAM",
    "XGROUP CREATE x:2 g2 0 ENTRIESREAD -2",
    "XGROUP CREATE x:2 g2 0 ENTRIESREAD 5",
    "XGROUP CREATE x:2 g3 0 ENTRIESREAD",
    "XGROUP CREATE x:2 g3 0 FOO",
    "XGROUP SETID x:2 g 0 MKSTREAM",
    "XGROUP SETID x:2 g -",
    "XGROUP SETID x:2 g +",
    "XGROUP SETID x:2 none 0",
    "XGROUP SETID x:none g 0",
    "XGROUP DESTROY x:none g",
    "XGROUP DESTROY x:2 none",
    "XGROUP DELCONSUMER x:2 g none",
    "XGROUP CREATECONSUMER x:2 none c",
    "XINFO STREAM x:2 FULL",
    "XREADGROUP GROUP g c STREAMS x:2 $",
    "XREADGROUP GROUP none c STREAMS x:2 >",
    "XREADGROUP GROUP g c STREAMS x:none >",
    "XREADGROUP GROUP g c STREAMS x:2",
    "XREADGROUP COUNT 1 COUNT 2 STREAMS x:2 >",
    "XREADGROUP GROUP g c COUNT x STREAMS x:2 >",
    "XREADGROUP GROUP g c FOO STREAMS x:2 >",
    "XREADGROUP GROUP g c COUNT 5 NOACK x:2 >",
    "XREAD STREAMS x:2 >",
    "XREAD GROUP g c STREAMS x:2 0",
    "XREAD BLOCK x STREAMS x:2 0",
    "XREAD BLOCK -1 STREAMS x:2 0",
    "XREAD BLOCK 10 STREAMS x:1 0",
    "XREAD COUNT 1 x:1 0",
    "XREAD COUNT -1 STREAMS x:1 0",
    "XACK x:2 g x",
    "XACK x:none g x",
    "XACK x:2 none x",
    "XCLAIM x:2 g c 0 x",
    "XCLAIM x:2 g c x 1-1",
    "XCLAIM x:2 none c x 1-1",
    "XCLAIM x:2 g c 0 1-1 FOO",
    "XCLAIM x:2 g c 0 1-1 IDLE x",
    "XCLAIM x:2 g c 0 1-1 LASTID 5-5",
    "XINFO GROUPS x:2",
    "XAUTOCLAIM x:2 g c 0 0 COUNT 0",
    "XAUTOCLAIM x:2 g c 0 0 COUNT x",
    "XAUTOCLAIM x:2 g c x 0",
    "XAUTOCLAIM x:2 g c 0 x",
    "XAUTOCLAIM x:2 g c 0 (18446744073709551615-18446744073709551615",
    "XPENDING x:2 g",
    "XPENDING x:2 none",
    "XPENDING x:2 g - +",
    "XPENDING x:2 g IDLE 5 - +",
    "XPENDING x:2 g IDLE 5 - + 10",
    "XPENDING x:2 g IDLE x - + 10",
    "XPENDING x:2 g - + x",
    "XPENDING x:2 g x + 10",
    "XPENDING x:2 g - + 10 none",
    "XPENDING x:2 g - + 10 none more more more",
    "XSETID x:none 1-1",
    "XSETID x:1 1-1",
    "XSETID x:2 5-5 ENTRIESADDED -1",
    "XSETID x:2 5-5 MAXDELETEDID 6-6",
    "XSETID x:2 5-5 MAXDELETEDID 5-5 ENTRIESADDED 7",
    "XSETID x:2 4-4",
    "XSETID x:2 - ",
    "XSETID x:2 6-6 FOO",
    "XINFO STREAM x:2",
    "XTRIM x:2 MAXLEN",
    "XTRIM x:2 FOO 1",
    "XTRIM x:2 LIMIT 5",
    "XTRIM x:2 LIMIT 0",
    "XTRIM x:none MAXLEN 5",
    "XDEL x:1 x",
    "XDEL x:none x",
    "SET x:3 v",
    "XADD x:3 * a 1",
    "XLEN x:3",
    "XREAD STREAMS x:3 0",
    "XREADGROUP GROUP g c STREAMS x:3 >",
    "XINFO STREAM x:3",
    "XGROUP CREATE x:3 g 0",
    "XPENDING x:3 g",
    "XACK x:3 g x",
];
