//! Sound streams of all five versions, with the edges of groups, tombstones and producers.

use crate::made::*;
use crate::sample::Sample;
use crate::stream::*;

/// RDB type and RDB version of each stream version.
const ROWS: [(u8, u8, u32); 5] = [(1, 15, 9), (2, 19, 10), (3, 21, 11), (4, 26, 13), (5, 27, 14)];

fn file(version: u8, stream: &Stream) -> Vec<u8> {
    let row = ROWS.iter().find(|row| row.0 == version).expect("a stream version");
    Rdb::redis(row.2).db(0).key(row.1, "stream", stream.bytes(version)).end()
}

/// Two groups: one with two consumers of three pending entries, one that knows nothing.
fn groups() -> Stream {
    let busy = Group {
        last: (2, 0),
        read: 3,
        pel: vec![((1, 1), THEN, 1), ((1, 2), THEN + 5, 7), ((2, 0), THEN + 9, 2)],
        consumers: vec![
            ("alice", THEN + 9, THEN + 9, vec![(1, 1), (2, 0)]),
            ("bob", THEN + 5, THEN + 5, vec![(1, 2)]),
            ("idle", THEN, -1, vec![]),
        ],
        ..Group::new("busy")
    };
    let unsure = Group { last: (1, 1), read: UNKNOWN, ..Group::new("unsure") };
    Stream::three().group(busy).group(unsure)
}

/// Two nodes, fields of its own, deleted entries, negative deltas.
fn mixed() -> Stream {
    let first = [
        same(0, 0, &["v", "w"]),
        tombstone(0, 1, &["gone", "too"]),
        own(3, -7, &["other", "x", "", "empty name"]),
    ];
    let second =
        [same(0, 0, &["5"]), same(0, 200, &[&"long ".repeat(100)]), tombstone(1, -900, &["7"])];
    let nodes = vec![
        (key(1, 7), node(&["f", "g"], &first)),
        (key(1_700_000_000_000, 900), node(&["n"], &second)),
    ];
    let last = (1_700_000_000_001, 0);
    Stream { nodes, max_deleted: last, added: 6, ..Stream::counts(4, (1, 7), last) }
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for (version, rdb_type, _) in ROWS {
        let name = format!("type-{rdb_type}-stream-{version}");
        let mut add = |suffix: &str, what: &str, stream: &Stream| {
            let bytes = file(version, stream);
            samples.push(Sample::good(&format!("{name}{suffix}"), what, "", bytes));
        };
        add("", "three entries, two groups, three consumers", &groups());
        add("-mixed", "two nodes, own fields, tombstones, negative deltas", &mixed());
        let emptied = Stream { last: (5, 0), max_deleted: (5, 0), added: 3, ..Stream::empty() };
        let group = Group { last: (5, 0), read: 3, ..Group::new("left") };
        add("-emptied", "no entry left, but a last id and a group", &emptied.group(group));
        add(
            "-never",
            "made by XGROUP CREATE with MKSTREAM",
            &Stream::empty().group(Group::new("g")),
        );
    }
    samples.push(Sample::good(
        "type-26-stream-4-idmp",
        "two producers, one without messages",
        "",
        file(4, &producers()),
    ));
    samples.push(Sample::good(
        "type-27-stream-5-idmp",
        "producers in version 5",
        "",
        file(5, &producers()),
    ));
    let nacked = Group {
        last: (2, 0),
        read: 3,
        pel: vec![((1, 1), THEN, 1), ((1, 2), 0, 3), ((2, 0), 0, 2)],
        consumers: vec![("alice", THEN, THEN, vec![(1, 1)])],
        nack: vec![(2, 0), (1, 2)],
        ..Group::new("g")
    };
    let nacked = file(5, &Stream::three().group(nacked));
    samples.push(Sample::good(
        "type-27-stream-5-nack",
        "two of three pending entries handed back",
        "",
        nacked,
    ));
    samples
}

fn producers() -> Stream {
    let messages = vec![("m1", (1, 1)), ("m2", (1, 2))];
    let idmp = Idmp {
        duration: 86_400,
        maxsize: 10_000,
        producers: vec![("p1", messages), ("silent", vec![])],
        added: 5,
        duplicates: 2,
    };
    Stream { idmp, ..Stream::three() }
}
