//! Module values: one that no server knows, and vector sets, which Redis 8 stores as a module's value.
//! Sound ones first, then one file for each thing that can be wrong.

use crate::made::*;
use crate::sample::Sample;

/// A module id: nine characters of six bits, ten bits of version.
pub(crate) fn module_id(name: &str, version: u64) -> u64 {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = name.bytes().fold(0, |id, letter| {
        let index = letters.iter().position(|l| *l == letter).expect("a letter of the charset");
        id << 6 | index as u64
    });
    bits << 10 | version
}

/// The parts of a module's value: an opcode and its payload each.
trait Parts {
    fn sint(self, n: i64) -> Self;
    fn uint(self, n: u64) -> Self;
    fn text(self, bytes: impl AsRef<[u8]>) -> Self;
}

impl Parts for Bytes {
    fn sint(self, n: i64) -> Self {
        self.len(1).len(n as u64)
    }

    fn uint(self, n: u64) -> Self {
        self.len(2).len(n)
    }

    fn text(self, bytes: impl AsRef<[u8]>) -> Self {
        self.len(5).str(bytes)
    }
}

fn unknown() -> Bytes {
    b().len(module_id("rdb-tools", 3))
}

fn value(version: u32, value: Bytes) -> Vec<u8> {
    Rdb::redis(version).db(0).key(7, "key", value).end()
}

/// The header of a vector set: dimension, members, quantization with 16 links a node, flags.
fn vectors(dimension: u64, count: u64, quantization: u64, flags: u64) -> Bytes {
    let set = b().len(module_id("vectorset", 0)).uint(dimension).uint(count);
    set.uint(16 << 8 | quantization).uint(flags)
}

/// A lone node's parameters: its id, one level without links, and two floats.
fn lone(set: Bytes, id: u64) -> Bytes {
    set.uint(6).uint(id).uint(1 << 24).uint(0).uint(32).uint(0).uint(0x3f80_0000_3f80_0000)
}

pub(crate) fn samples() -> Vec<Sample> {
    sound().into_iter().chain(parts()).chain(vectorsets()).collect()
}

fn sound() -> Vec<Sample> {
    let every = unknown().sint(-7).uint(7).len(3).f32le(0.5).len(4).f64le(0.25).text("text");
    let int8 = lone(vectors(3, 1, 1, 0).text("only").text([127, 0, 0]), 1).len(0);
    let floats = [1f32, 0.0, -1.0].map(f32::to_le_bytes).concat();
    let matrix = [0.5f32; 12].map(f32::to_le_bytes).concat();
    let projected = vectors(3, 1, 0, 3).uint(4).text(matrix).text("only").text("{\"a\":1}");
    let projected = lone(projected.text(floats), 1).len(0);
    vec![
        Sample::good(
            "type-07-module",
            "a module's value with every kind of part",
            "module-unknown",
            value(8, every.len(0)),
        ),
        Sample::good("type-07-vectorset", "one vector of 8-bit numbers", "", value(12, int8)),
        Sample::good(
            "type-07-vectorset-projected",
            "one vector of floats with a projection matrix and attributes",
            "",
            value(12, projected),
        ),
    ]
}

fn parts() -> Vec<Sample> {
    let aux = b().u8(247).raw(unknown().0).text("x").len(0).0;
    vec![
        Sample::bad(
            "module-unknown",
            "value",
            "a module's value",
            value(8, unknown().uint(5).len(0)),
        ),
        Sample::bad(
            "module-opcode",
            "value",
            "a part of kind 9",
            value(8, unknown().len(9).len(0)),
        ),
        Sample::bad(
            "module-opcode",
            "aux",
            "module data that does not begin with when",
            Rdb::redis(9).raw(aux).db(0).string("key", "value").end(),
        ),
    ]
}

fn vectorsets() -> Vec<Sample> {
    let bad = |name: &str, what: &str, set: Bytes| {
        Sample::bad("vectorset", name, what, value(12, set.len(0)))
    };
    let head =
        |dimension, count, quantization| vectors(dimension, count, quantization, 0).text("only");
    vec![
        bad("fewer", "two members promised, one there", lone(head(3, 2, 1).text([127, 0, 0]), 1)),
        bad(
            "more",
            "a part behind the last member",
            lone(head(3, 1, 1).text([127, 0, 0]), 1).uint(1),
        ),
        bad(
            "vector",
            "a vector of two bytes for three dimensions",
            lone(head(3, 1, 1).text([127, 0]), 1),
        ),
        bad("quantization", "quantization 7", lone(head(3, 1, 7).text([127, 0, 0]), 1)),
        bad(
            "params",
            "a node of three parameters",
            head(3, 1, 1).text([127, 0, 0]).uint(3).uint(1).uint(0).uint(0),
        ),
        bad("links", "more links promised than there are parameters", {
            head(3, 1, 1)
                .text([127, 0, 0])
                .uint(6)
                .uint(1)
                .uint(1 << 24)
                .uint(9)
                .uint(32)
                .uint(0)
                .uint(0)
        }),
        bad("part", "a float where the dimension is due", {
            b().len(module_id("vectorset", 0)).len(4).f64le(3.0).uint(1)
        }),
        bad("matrix", "a projection matrix that is too short", {
            let set = vectors(3, 1, 1, 1).uint(4).text([0; 8]).text("only").text([127, 0, 0]);
            lone(set, 1)
        }),
    ]
}
