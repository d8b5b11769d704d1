//! Sorted sets.

use crate::dice::{Cmd, Compare, Dice, Kind};

pub(crate) const KIND: Kind = Kind { name: "zset", draw, chosen: CHOSEN };

/// A member: few, so that they meet; sometimes any of four hundred, so that sorted sets grow large.
fn member(dice: &mut Dice) -> Vec<u8> {
    match dice.below(12) {
        0 => dice.value(),
        1 | 2 => dice.below(400).to_string().into_bytes(),
        _ => dice.pick(&["a", "b", "c", "d", "e", "f", "g", "1", "2", "-3", "10"]).into(),
    }
}

/// A score: mostly small, so that ranges catch something and scores are shared.
fn score(dice: &mut Dice) -> Vec<u8> {
    match dice.below(4) {
        0 => dice.float_text(),
        _ => (dice.below(12) as i32 - 3).to_string().into_bytes(),
    }
}

fn score_bound(dice: &mut Dice) -> Vec<u8> {
    let open = dice.once_in(3);
    let bound = match dice.below(4) {
        0 => dice.pick(&["-inf", "+inf", "inf"]).into(),
        _ => score(dice),
    };
    if open { [b"(", &bound[..]].concat() } else { bound }
}

fn lex_bound(dice: &mut Dice) -> Vec<u8> {
    let text = match dice.below(8) {
        0..=1 => return dice.pick(&["-", "+", "-", "+", "x", "", "+x"]).into(),
        2 => dice.value(),
        _ => member(dice),
    };
    [if dice.once_in(2) { b"[" } else { b"(" }, &text[..]].concat()
}

/// Sorted sets whose members all have the same score: what ranges by member are about. (With other
/// scores, what a server finds depends on the luck of its skip list.) No other kind knows these keys.
fn lex_key(dice: &mut Dice) -> Vec<u8> {
    dice.pick(&["lex:1", "lex:2", "lex:3"]).into()
}

/// Sets take part in unions and their like, once the engine has commands for them.
fn has_sets() -> bool {
    rdbtool::engine::command::all().any(|command| command.name == "sadd")
}

fn draw(dice: &mut Dice) -> Cmd {
    let (key, name) = (dice.key(b'z'), member(dice));
    let s = |word: &str| word.as_bytes().to_vec();
    let mut compare = Compare::Exact;
    let argv = match dice.below(46) {
        0..=7 => zadd(dice, key),
        8 => vec![s("ZINCRBY"), key, score(dice), name],
        9 | 10 => vec![s("ZREM"), key, name, member(dice)],
        11 => vec![s("ZCARD"), key],
        12 => vec![s("ZSCORE"), key, name],
        13 => vec![s("ZMSCORE"), key, name, member(dice)],
        14 | 15 => {
            let mut argv = vec![dice.word(&["ZRANK", "ZREVRANK"]), key, name];
            let newer = dice.release.has_redis(7, 2);
            argv.extend((newer && dice.once_in(2)).then(|| dice.word(&["WITHSCORE", "FOO"])));
            argv
        }
        16..=19 => by_rank(dice, key),
        20..=23 => by_score(dice, key),
        24 => vec![s("ZCOUNT"), key, score_bound(dice), score_bound(dice)],
        25 => vec![s("ZREMRANGEBYRANK"), key, dice.index(), dice.index()],
        26 if dice.once_in(3) => {
            vec![s("ZREMRANGEBYSCORE"), key, score_bound(dice), score_bound(dice)]
        }
        27..=30 => lex(dice),
        31 | 32 => pop(dice, key),
        33..=37 => set_operation(dice),
        38 => range_store(dice, key),
        39 => {
            // Only what is no matter of luck: all members, or none.
            compare = Compare::Unordered;
            let count = dice.pick(&["0", "5000", "x", "-9223372036854775808"]);
            let mut argv = vec![s("ZRANDMEMBER"), key, count.into()];
            argv.extend(dice.once_in(2).then(|| dice.word(&["WITHSCORES", "WITHSCORES", "FOO"])));
            argv
        }
        40 => {
            compare = Compare::Unordered;
            let mut argv = vec![s("ZSCAN"), key, s("0"), s("COUNT"), s("100000")];
            argv.extend(dice.once_in(3).then(|| [s("MATCH"), s("?")]).into_iter().flatten());
            argv
        }
        41 => vec![s("OBJECT"), s("ENCODING"), key],
        42 if dice.once_in(3) => {
            // More than a listpack may have, or as many words with few members.
            let mut argv = vec![s("ZADD"), key];
            let of = dice.pick(&[5, 60, 400]);
            for _ in 0..dice.pick(&[100, 129, 200]) {
                argv.extend([score(dice), dice.below(of).to_string().into_bytes()]);
            }
            argv
        }
        43 if dice.once_in(4) => vec![s("DEL"), key],
        44 if has_sets() => vec![s("SADD"), dice.key(b'e'), name, member(dice)],
        _ => zadd(dice, key),
    };
    Cmd { argv, compare }
}

fn zadd(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![dice.word(&["ZADD"]), key];
    if dice.once_in(3) {
        for _ in 0..dice.below(4) {
            argv.push(dice.word(&["NX", "XX", "GT", "LT", "CH", "CH", "INCR"]));
        }
    }
    for _ in 0..[1, 1, 1, 2, 4][dice.below(5)] {
        argv.extend([score(dice), member(dice)]);
    }
    if dice.once_in(30) {
        argv.pop();
    }
    argv
}

fn limit(dice: &mut Dice, argv: &mut Vec<Vec<u8>>) {
    if dice.once_in(3) {
        let (offset, count) = (dice.below(8) as i32 - 1, dice.below(8) as i32 - 2);
        argv.extend(
            [&b"LIMIT"[..], offset.to_string().as_bytes(), count.to_string().as_bytes()]
                .map(<[u8]>::to_vec),
        );
    }
}

fn by_rank(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![dice.word(&["ZRANGE", "ZREVRANGE"]), key, dice.index(), dice.index()];
    for _ in 0..dice.below(3) {
        argv.push(dice.word(&["WITHSCORES", "WITHSCORES", "REV", "FOO"]));
    }
    argv
}

fn by_score(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let name = dice.word(&["ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZRANGE", "ZRANGE"]);
    let any = name.eq_ignore_ascii_case(b"zrange");
    let mut argv = vec![name, key, score_bound(dice), score_bound(dice)];
    if any {
        argv.push(dice.word(&["BYSCORE", "BYSCORE", "BYSCORE", "FOO"]));
        argv.extend(dice.once_in(2).then(|| dice.word(&["REV"])));
    }
    argv.extend(dice.once_in(2).then(|| dice.word(&["WITHSCORES"])));
    limit(dice, &mut argv);
    argv
}

fn lex(dice: &mut Dice) -> Vec<Vec<u8>> {
    let key = lex_key(dice);
    let (min, max) = (lex_bound(dice), lex_bound(dice));
    let s = |word: &str| word.as_bytes().to_vec();
    match dice.below(14) {
        0..=2 => vec![s("ZADD"), key, s("0"), member(dice), s("0"), member(dice)],
        3 => {
            let mut argv = vec![s("ZADD"), key];
            (0..60).for_each(|_| argv.extend([s("0"), dice.below(300).to_string().into_bytes()]));
            argv
        }
        4 => vec![s("ZLEXCOUNT"), key, min, max],
        5 => vec![s("ZREMRANGEBYLEX"), key, min, max],
        6 => vec![s("ZREM"), key, member(dice)],
        7 if dice.once_in(3) => vec![s("DEL"), key],
        8 | 9 => {
            let mut argv = vec![s("ZRANGE"), key, min, max, dice.word(&["BYLEX"])];
            argv.extend(dice.once_in(2).then(|| dice.word(&["REV", "WITHSCORES"])));
            limit(dice, &mut argv);
            argv
        }
        10 => vec![s("ZRANGESTORE"), lex_key(dice), key, min, max, s("BYLEX")],
        _ => {
            let mut argv = vec![dice.word(&["ZRANGEBYLEX", "ZREVRANGEBYLEX"]), key, min, max];
            limit(dice, &mut argv);
            argv
        }
    }
}

fn pop(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let other = dice.key(b'z');
    let s = |word: &str| word.as_bytes().to_vec();
    let end = dice.word(&["MIN", "MAX", "MIN", "MAX", "FOO"]);
    match dice.below(5) {
        0 => vec![dice.word(&["ZPOPMIN", "ZPOPMAX"]), key],
        1 => vec![dice.word(&["ZPOPMIN", "ZPOPMAX"]), key, dice.index()],
        2 => vec![dice.word(&["BZPOPMIN", "BZPOPMAX"]), key, other, s("0.001")],
        3 => vec![s("BZMPOP"), s("0.001"), s("2"), key, other, end],
        _ => {
            let mut argv = vec![
                s("ZMPOP"),
                dice.pick(&["2", "2", "2", "1", "3", "x"]).into(),
                key,
                other,
                end,
            ];
            argv.extend(
                dice.once_in(2)
                    .then(|| [dice.word(&["COUNT"]), dice.index()])
                    .into_iter()
                    .flatten(),
            );
            argv
        }
    }
}

/// Sources are sets too.
fn set_operation(dice: &mut Dice) -> Vec<Vec<u8>> {
    let name = dice.word(&[
        "ZUNIONSTORE",
        "ZINTERSTORE",
        "ZDIFFSTORE",
        "ZUNION",
        "ZINTER",
        "ZDIFF",
        "ZINTERCARD",
        "ZUNIONSTORE",
        "ZINTERSTORE",
    ]);
    let store = name.to_ascii_uppercase().ends_with(b"STORE");
    let count = 1 + dice.below(3);
    let mut argv = vec![name];
    argv.extend(store.then(|| dice.key(b'z')));
    argv.push(if dice.once_in(20) { dice.index() } else { count.to_string().into_bytes() });
    for _ in 0..count {
        let pool = dice.pick(b"zzze");
        argv.push(dice.key(pool));
    }
    if dice.once_in(2) {
        argv.push(dice.word(&["WEIGHTS"]));
        (0..count).for_each(|_| argv.push(score(dice)));
    }
    if dice.once_in(2) {
        argv.extend([
            dice.word(&["AGGREGATE"]),
            dice.word(&["SUM", "MIN", "MAX", "MIN", "MAX", "FOO"]),
        ]);
    }
    if dice.once_in(3) {
        argv.push(dice.word(&["WITHSCORES"]));
    }
    if dice.once_in(8) {
        argv.extend([dice.word(&["LIMIT"]), dice.index()]);
    }
    argv
}

fn range_store(dice: &mut Dice, key: Vec<u8>) -> Vec<Vec<u8>> {
    let mut argv = vec![b"ZRANGESTORE".to_vec(), dice.key(b'z'), key];
    if dice.once_in(2) {
        argv.extend([dice.index(), dice.index()]);
    } else {
        argv.extend([score_bound(dice), score_bound(dice), dice.word(&["BYSCORE"])]);
        limit(dice, &mut argv);
    }
    argv.extend(dice.once_in(3).then(|| dice.word(&["REV", "WITHSCORES"])));
    argv
}

const CHOSEN: &[&str] = &[
    "ZADD z:1 1",
    "ZADD z:1 NX 1",
    "ZADD z:1 NX XX 1 a",
    "ZADD z:1 NX GT 1 a",
    "ZADD z:1 GT LT 1 a",
    "ZADD z:1 INCR 1 a 2 b",
    "ZADD z:1 NX 1 a x b",
    "ZADD z:1 XX 1 a",
    "ZADD z:1 XX INCR 1 a",
    "EXISTS z:1",
    "ZADD z:1 1 a 2 b 3 c 4 d 5 e",
    "ZADD z:1 infinity f +inf f -inf g 1e400 h",
    "ZADD z:1 1e-400 h",
    "ZADD z:1 0x10 h",
    "ZADD z:1 .5 h 5. i",
    "ZRANGE z:1 0 -1 WITHSCORES",
    "ZRANGEBYSCORE z:1 \"\" 3",
    "ZRANGEBYSCORE z:1 ( 3",
    "ZRANGEBYSCORE z:1 (1 (3",
    "ZRANGEBYSCORE z:1 0x1 3",
    "ZRANGEBYSCORE z:1 1 3\\x00x",
    "ZRANGEBYSCORE z:1 1e400 5",
    "ZRANGEBYSCORE z:1 1e-400 5",
    "ZRANGEBYSCORE z:1 \\x201 5",
    "ZRANGEBYSCORE z:1 1\\x20 5",
    "ZRANGEBYSCORE z:1 1 nan",
    "ZRANGEBYSCORE z:1 -inf inf LIMIT -1 2",
    "ZRANGEBYSCORE z:1 -inf inf LIMIT 1 -9",
    "ZREVRANGEBYSCORE z:1 inf -inf LIMIT 1 2",
    "ZRANGEBYSCORE z:1 -inf inf LIMIT 1",
    "ZRANGEBYSCORE z:1 -inf inf LIMIT 1 1 LIMIT 2 2 WITHSCORES",
    "ZRANGE z:1 0 -1 LIMIT 0 -1",
    "ZRANGE z:1 0 -1 LIMIT 0 1",
    "ZADD mixed:4 1 b 2 a",
    "ZLEXCOUNT mixed:4 [b [c",
    "ZREMRANGEBYLEX mixed:4 [b [c",
    "ZREVRANGEBYLEX mixed:4 [b [b",
    "ZRANGE z:1 0 -1 BYLEX WITHSCORES",
    "ZRANGE z:1 - +\\x00x BYLEX",
    "ZRANGE z:1 0 -1 BYSCORE BYLEX",
    "ZRANGE z:1 0 -1 REV REV",
    "ZRANGE z:1 -9223372036854775808 9223372036854775807",
    "ZADD z:1 inf i",
    "ZADD z:1 INCR -inf i",
    "ZINCRBY z:1 -inf i",
    "ZINCRBY z:1 nan i",
    "ZADD z:2 0.1 j 3.14159265358979 k 1e21 l 123456789012345680 m 1e16 n",
    "ZADD z:2 4611686018427387904 a 5e18 b 4611686018427390000 c 0.00001 g 1e-7 h 123456.789 j",
    "ZRANGE z:2 0 -1 WITHSCORES",
    "ZUNIONSTORE z:3 1 z:1 WEIGHTS inf",
    "ZRANGE z:3 0 -1 WITHSCORES",
    "ZUNIONSTORE z:3 2 z:1 z:1 WEIGHTS 1 -1",
    "ZRANGE z:3 0 -1 WITHSCORES",
    "ZINTERSTORE z:3 2 z:1 z:1 WEIGHTS 0 1 AGGREGATE MIN",
    "ZRANGE z:3 0 -1 WITHSCORES",
    "ZINTERSTORE z:3 2 z:1 z:1 WEIGHTS 1 0 AGGREGATE MAX",
    "ZRANGE z:3 0 -1 WITHSCORES",
    "ZUNION 9223372036854775807 z:1",
    "ZUNION 0 z:1",
    "ZUNIONSTORE z:3 -1 z:1",
    "ZINTERCARD 2 z:1 z:1 LIMIT 2",
    "ZINTERCARD 2 z:1 z:1 LIMIT 0",
    "ZINTERCARD 2 z:1 z:1 LIMIT -1",
    "ZINTERCARD 2 z:1 z:1 WITHSCORES",
    "ZDIFF 1 z:1 WEIGHTS 1",
    "SET s:1 x",
    "ZUNION 2 z:1 s:1 FOO",
    "ZPOPMIN s:1 0",
    "ZPOPMIN z:1 0",
    "ZPOPMIN z:1 -1",
    "ZPOPMIN z:none",
    "ZPOPMIN z:none 1",
    "ZPOPMIN z:1 1 2",
    "ZMPOP 9223372036854775807 z:1 MIN",
    "ZMPOP 1 z:1 MIN COUNT 1 COUNT 1",
    "ZMPOP 1 z:none MIN",
    "BZPOPMIN z:none x",
    "BZPOPMIN z:none -1",
    "BZPOPMIN z:none 1e300",
    "BZPOPMIN z:none nan",
    "BZPOPMIN z:none s:1 0.01",
    "BZMPOP x 0 z:none FOO",
    "BZMPOP x 1 z:none MIN",
    "ZRANDMEMBER z:1 -9223372036854775808",
    "ZRANDMEMBER z:1 9223372036854775807 WITHSCORES",
    "ZADD z:9 1 a",
    "ZRANDMEMBER z:9",
    "ZRANDMEMBER z:9 -3",
    "ZRANDMEMBER z:9 -3 WITHSCORES",
    "ZRANDMEMBER z:none",
    "ZRANK z:9 a x y",
    "ZREMRANGEBYRANK z:9 x 1",
    "ZREMRANGEBYSCORE s:1 x 1",
    "ZREMRANGEBYLEX s:1 - +",
    "ZRANGESTORE z:8 z:none 0 -1",
    "ZRANGESTORE z:9 z:none 0 -1",
    "EXISTS z:9",
    "ZRANGESTORE z:9 z:1 0 -1 WITHSCORES",
    "ZSCAN z:1 0 NOVALUES FOO",
];
