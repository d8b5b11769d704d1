//! One file for each finding about a stream.

use crate::made::*;
use crate::sample::Sample;
use crate::stream::*;

/// A stream of version 2 in an RDB of version 10.
fn v2(codes: &str, name: &str, what: &str, stream: Stream) -> Sample {
    let bytes = Rdb::redis(10).db(0).key(19, "stream", stream.bytes(2)).end();
    Sample::bad(codes, name, what, bytes)
}

/// A stream of the newest version, for NACKs and producers.
fn v5(codes: &str, name: &str, what: &str, stream: Stream) -> Sample {
    let bytes = Rdb::redis(14).db(0).key(27, "stream", stream.bytes(5)).end();
    Sample::bad(codes, name, what, bytes)
}

/// [`Stream::one`] with another listpack in its node.
fn with_node(blob: Vec<u8>) -> Stream {
    Stream { nodes: vec![(key(1, 1), blob)], ..Stream::one() }
}

pub(crate) fn samples() -> Vec<Sample> {
    [nodes(), entries(), counts(), groups(), pending(), newest()].into_iter().flatten().collect()
}

fn nodes() -> Vec<Sample> {
    let node = Stream::one().nodes[0].1.clone();
    let keyed = |key: &[u8]| Stream { nodes: vec![(key.to_vec(), node.clone())], ..Stream::one() };
    let twice =
        Stream { nodes: vec![(key(1, 1), node.clone()); 2], ..Stream::counts(2, (1, 1), (1, 1)) };
    let swapped = vec![(key(5, 0), node.clone()), (key(1, 1), node.clone())];
    let swapped = Stream { nodes: swapped, ..Stream::counts(2, (1, 1), (5, 0)) };
    let disorder = [same(0, 4, &["v"]), same(0, 0, &["v"])];
    let disorder = Stream {
        nodes: vec![(key(1, 1), crate::stream::node(&["f"], &disorder))],
        ..Stream::counts(2, (1, 1), (1, 5))
    };
    vec![
        v2("stream-node-key", "short", "a key of eight bytes", keyed(&[0; 8])),
        v2("stream-node-key+stream-order", "twice", "two nodes of one key", twice),
        v2("stream-order", "nodes", "node 5-0 before node 1-1", swapped),
        v2("stream-order", "entries", "entry 1-5 before entry 1-1", disorder),
    ]
}

fn entries() -> Vec<Sample> {
    let int = lpe::int;
    let items = |items: &[Vec<u8>]| with_node(lp(items));
    let master = [int(1), int(0), int(1), lpe::text("f"), int(0)];
    let after = |rest: &[Vec<u8>]| items(&[&master[..], rest].concat());
    let (flags, zero) = (lpe::u7(2), int(0));
    let entry =
        |count: i64| [flags.clone(), zero.clone(), zero.clone(), lpe::text("v"), int(count)];
    let negative = [lpe::u7(0), int(0), int(0), int(-1), int(2)];
    vec![
        v2("stream-node-empty", "listpack", "a node without a master entry", items(&[])),
        v2(
            "stream-node",
            "count-text",
            "a live count that is a word",
            items(&[
                lpe::text("one"),
                int(0),
                int(1),
                lpe::text("f"),
                int(0),
                flags.clone(),
                zero.clone(),
                zero.clone(),
                lpe::text("v"),
                int(4),
            ]),
        ),
        v2(
            "stream-node",
            "master-end",
            "a master entry that does not end in 0",
            items(&[
                int(1),
                int(0),
                int(1),
                lpe::text("f"),
                int(9),
                flags.clone(),
                zero.clone(),
                zero.clone(),
                lpe::text("v"),
                int(4),
            ]),
        ),
        v2(
            "stream-node",
            "master-fields",
            "more master fields than there are entries",
            items(&[int(1), int(0), int(1000), lpe::text("f"), int(0)]),
        ),
        v2("stream-node", "lp-count", "an entry that counts itself wrong", after(&entry(5))),
        v2("stream-node", "negative-fields", "an entry of minus one fields", after(&negative)),
        v2(
            "stream-node",
            "cut",
            "an entry that stops after its flags",
            after(std::slice::from_ref(&flags)),
        ),
        v2(
            "stream-node",
            "delta-text",
            "a delta that is a word",
            after(&[flags.clone(), lpe::text("x"), zero.clone(), lpe::text("v"), int(4)]),
        ),
    ]
}

fn counts() -> Vec<Sample> {
    let fields = &["f"];
    let node = |live: i64, deleted: i64, entries: &[Vec<Vec<u8>>]| {
        with_node(node_counts(live, deleted, fields, entries))
    };
    let dead = Stream {
        nodes: vec![(key(1, 1), crate::stream::node(fields, &[tombstone(0, 0, &["v"])]))],
        ..Stream::one()
    };
    vec![
        v2(
            "stream-counts",
            "live",
            "a node that counts two live entries and has one",
            node(2, 0, &[same(0, 0, &["v"])]),
        ),
        v2(
            "stream-counts",
            "deleted",
            "a node that counts a deleted entry and has none",
            node(1, 1, &[same(0, 0, &["v"])]),
        ),
        v2(
            "stream-counts",
            "negative",
            "a node that counts minus one deleted entries",
            node(1, -1, &[same(0, 0, &["v"])]),
        ),
        v2(
            "stream-counts",
            "length",
            "a length of two with one entry",
            Stream { length: 2, added: 2, ..Stream::one() },
        ),
        v2("stream-counts", "dead", "a length of one with only deleted entries", dead),
        v2(
            "stream-last-id",
            "lower",
            "the last id lower than the entry",
            Stream { last: (1, 0), ..Stream::one() },
        ),
        v2(
            "stream-entries-added",
            "fewer",
            "more entries than were ever added",
            Stream { added: 2, ..Stream::three() },
        ),
        v2(
            "stream-entries-added",
            "range",
            "2^63 entries added",
            Stream { added: 1 << 63, ..Stream::one() },
        ),
    ]
}

fn groups() -> Vec<Sample> {
    let named = Group::new("g");
    let twins = Group {
        consumers: vec![("alice", THEN, THEN, vec![]), ("alice", THEN, THEN, vec![])],
        ..named.clone()
    };
    vec![
        v2(
            "group-dup",
            "name",
            "two groups of one name",
            Stream::one().group(named.clone()).group(named.clone()),
        ),
        v2("group-entries-read", "more", "nine entries read of three added", {
            Stream::three().group(Group { last: (2, 0), read: 9, ..named })
        }),
        v2("consumer-dup", "name", "two consumers of one name", Stream::one().group(twins)),
    ]
}

fn pending() -> Vec<Sample> {
    let group = || Group::pending("g", &[(1, 1), (1, 2)]);
    let owners = |consumers: Vec<Consumer>| Stream::three().group(Group { consumers, ..group() });
    let twice =
        Group { pel: vec![((1, 1), THEN, 1), ((1, 2), THEN, 1), ((1, 2), THEN, 1)], ..group() };
    let gone = Group { last: (2, 0), ..Group::pending("g", &[(1, 1), (1, 9)]) };
    vec![
        v2("pel-dup", "group", "an id twice in a group's list", Stream::three().group(twice)),
        v2("pel-unknown", "consumer", "a consumer's id that the group does not list", {
            owners(vec![("alice", THEN, THEN, vec![(1, 1), (1, 2), (2, 0)])])
        }),
        v2("pel-shared", "two", "an id that two consumers own", {
            owners(vec![
                ("alice", THEN, THEN, vec![(1, 1), (1, 2)]),
                ("bob", THEN, THEN, vec![(1, 2)]),
            ])
        }),
        v2(
            "pel-orphan",
            "one",
            "an id that no consumer owns",
            owners(vec![("alice", THEN, THEN, vec![(1, 1)])]),
        ),
        v2("pel-dangling", "gone", "a pending id whose entry is gone", Stream::three().group(gone)),
    ]
}

fn newest() -> Vec<Sample> {
    let nacked = |nack: Vec<Id>, owned: Vec<Id>| {
        let consumers = vec![("alice", THEN, THEN, owned)];
        Stream::three().group(Group { consumers, nack, ..Group::pending("g", &[(1, 1), (1, 2)]) })
    };
    let idmp = |change: fn(&mut Idmp)| {
        let mut stream = Stream::three();
        change(&mut stream.idmp);
        stream
    };
    let twins = |idmp: &mut Idmp| {
        idmp.producers = vec![("p", vec![("m", (1, 1))]), ("p", vec![("n", (1, 2))])]
    };
    vec![
        v5(
            "nack-invalid",
            "unknown",
            "an id handed back that is not pending",
            nacked(vec![(2, 0)], vec![(1, 1), (1, 2)]),
        ),
        v5(
            "nack-invalid",
            "owned",
            "an id handed back that alice still owns",
            nacked(vec![(1, 2)], vec![(1, 1), (1, 2)]),
        ),
        v5(
            "nack-invalid",
            "twice",
            "an id handed back twice",
            nacked(vec![(1, 2), (1, 2)], vec![(1, 1)]),
        ),
        v5(
            "pel-orphan",
            "nack",
            "an id neither owned nor handed back",
            nacked(vec![], vec![(1, 1)]),
        ),
        v5("stream-idmp", "duration", "a duration of no second", idmp(|idmp| idmp.duration = 0)),
        v5(
            "stream-idmp",
            "duration-long",
            "a duration of more than a day",
            idmp(|idmp| idmp.duration = 86_401),
        ),
        v5("stream-idmp", "maxsize", "room for no message", idmp(|idmp| idmp.maxsize = 0)),
        v5("stream-idmp", "producers", "two producers of one name", idmp(twins)),
    ]
}
