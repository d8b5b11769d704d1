//! Small hashes and sorted sets hold the very bytes that servers hold: what `DUMP` gives of a key.

use rdbtool::engine::Engine;
use rdbtool::value::{HashRef, Packed, Value};

use crate::servers::{Client, Reply};

/// Compares every packed key of database 0; how many there were.
pub(crate) fn compare(engine: &Engine, client: &mut Client) -> usize {
    let keys = engine.keyspace(0).into_iter().flat_map(|space| space.iter());
    let packed = keys.filter_map(|key| {
        let (rdb_type, bytes) = match key.value {
            Value::Hash(hash) => match hash.as_ref() {
                HashRef::Pairs(packed) => (16, packed.as_bytes()),
                HashRef::Triples(packed) => (25, packed.as_bytes()),
                HashRef::Table => return None,
            },
            Value::Zset(zset) => (17, zset.as_packed()?.as_bytes()),
            _ => return None,
        };
        Some((key.key, rdb_type, bytes))
    });
    let mut count = 0;
    for (key, rdb_type, bytes) in packed {
        let Reply::Bulk(Some(dump)) = client.command(&[b"DUMP", key]).unwrap() else {
            panic!("no {}", key.escape_ascii())
        };
        assert_eq!(dump[0], rdb_type, "{}", key.escape_ascii());
        // The version and the checksum at the end; the earliest time of a field in front.
        let body = &dump[if rdb_type == 25 { 9 } else { 1 }..dump.len() - 10];
        let theirs = string(body);
        let same = theirs == bytes || rdb_type == 25 && same_but_for_times(theirs, bytes);
        assert!(same, "{}:\n{theirs:02x?}\n{bytes:02x?}", key.escape_ascii());
        count += 1;
    }
    count
}

/// The same fields in the same order: times to live begin when a command arrives.
fn same_but_for_times(theirs: &[u8], ours: &[u8]) -> bool {
    let [theirs, ours] = [theirs, ours].map(Packed::from_blob);
    let same = theirs.groups::<3>().zip(ours.groups::<3>()).all(|((_, a), (_, b))| {
        let times = [a[2], b[2]].map(|time| time.as_int().unwrap());
        a[..2] == b[..2] && (times[0] - times[1]).abs() < 2000 && (times[0] == 0) == (times[1] == 0)
    });
    same && theirs.len() == ours.len()
}

/// The string that an RDB has here, not compressed.
fn string(body: &[u8]) -> &[u8] {
    let (head, len) = match body[0] >> 6 {
        0 => (1, usize::from(body[0])),
        1 => (2, usize::from(body[0] & 0x3f) << 8 | usize::from(body[1])),
        _ => (5, u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize),
    };
    assert_eq!(body.len(), head + len);
    &body[head..]
}
