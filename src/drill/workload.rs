//! What clients of a drill send: commands of every type on a few keys of three databases, transactions and
//! scripts, so that nearly every one of them changes something that others have changed before.

use crate::persist::sim::crash::Random;

/// Keys of each type.
const KEYS: u64 = 12;

/// A command.
pub(super) type Argv = Vec<Vec<u8>>;

/// The next commands that belong together: one, or a transaction.
pub(super) fn next(random: &mut Random, longest: u64) -> Vec<Argv> {
    let key = format!("k{}", random.below(KEYS));
    let other = format!("k{}", random.below(KEYS));
    let value = match random.below(12) {
        // Longer than a sector of the disk, if it may be.
        0 => "x".repeat(usize::try_from(random.below(longest)).unwrap_or(0)),
        _ => format!("v{}", random.below(1_000_000)),
    };
    let (list, hash, zset) = (format!("l{key}"), format!("h{key}"), format!("z{key}"));
    let command = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect();
    let one = |words: &[&str]| vec![command(words)];
    match random.below(40) {
        0 => one(&["FLUSHALL"]),
        1 => one(&["SWAPDB", "0", "1"]),
        2 | 3 => one(&["SELECT", &random.below(3).to_string()]),
        4..7 => one(&["DEL", &key, &other]),
        7..10 => one(&["RPUSH", &list, &value, "x"]),
        10 => one(&["LPOP", &list]),
        11..14 => one(&["HSET", &hash, &other, &value]),
        14..16 => one(&["ZADD", &zset, "1.5", &value]),
        16 => one(&["XADD", "stream", "*", "f", &value]),
        17 => one(&["SPOP", "set"]),
        18..20 => one(&["SADD", "set", &key, &value]),
        20 => one(&["RENAME", &key, &other]),
        21 => one(&["PEXPIRE", &key, "100000000"]),
        22..25 => one(&["INCR", "counter"]),
        25 => {
            let script = "redis.call('SET', KEYS[1], ARGV[1]) redis.call('INCR', 'counter')";
            one(&["EVAL", script, "1", &key, &value])
        }
        26..29 => vec![
            command(&["MULTI"]),
            command(&["SET", &key, &value]),
            command(&["SELECT", "2"]),
            command(&["INCR", "counter"]),
            command(&["RPUSH", &list, &value]),
            command(&["EXEC"]),
        ],
        _ => one(&["SET", &key, &value]),
    }
}
