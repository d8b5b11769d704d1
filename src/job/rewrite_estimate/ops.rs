//! What commands do to the size of a key, as far as they say it themselves.

use crate::encoding::number::parse_i64;
use crate::engine::command::{Command, flag};
use crate::job::distinct::key_hash;

/// What a command does to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is a string of so many bytes now; whether it expires.
    Replaces(u64, bool),
    /// The string is longer by so many bytes.
    Appends(u64),
    /// The string has at least so many bytes.
    AtLeast(u64),
    /// It has these elements, each once.
    Sets,
    /// It does not have these elements.
    Unsets,
    /// It has these elements more, however often it has them.
    Pushes,
    /// It has so many elements less.
    Pops(u64),
    /// It has so many elements at most.
    Keeps(u64),
    /// It expires, or does not.
    Expires(bool),
    /// It is what this key is, which is gone if the second is true.
    Becomes(u64, bool),
    /// It is there, and what it holds is about as much as before.
    Changes,
    /// It is gone.
    Removes,
    /// All keys are gone, or those of one database.
    RemovesAll(Option<u64>),
}

/// One command on one key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Op {
    /// Hash of database and key.
    pub(super) key: u64,
    pub(super) db: u64,
    /// Bytes of the key's name.
    pub(super) name: u64,
    /// Bytes of the command, or its part of them where it is on several keys.
    pub(super) bytes: u64,
    pub(super) effect: Effect,
    /// How many elements belong to it.
    pub(super) elements: usize,
}

/// What some commands do, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Ops {
    pub(super) ops: Vec<Op>,
    /// Hashes of elements and their bytes in a command, those of the first operation first.
    pub(super) elements: Vec<(u64, u64)>,
    /// Bytes of commands without a key.
    pub(super) keyless: u64,
    /// Bytes of all.
    pub(super) bytes: u64,
}

/// Stands for the database of function libraries.
pub(super) const FUNCTIONS: u64 = u64::MAX;

/// Bytes of an argument: `$3\r\nfoo\r\n`.
pub(super) fn bulk(len: usize) -> u64 {
    let digits = len.checked_ilog10().unwrap_or(0) + 1;
    len as u64 + u64::from(digits) + 5
}

/// A command, and what is about to be noted of it.
struct Noted<'o, 'a> {
    ops: &'o mut Ops,
    db: u64,
    args: &'a [&'a [u8]],
    keys: &'o [usize],
    share: u64,
}

impl Ops {
    /// Takes a command: its row of the table if it is known, and the positions of its keys.
    pub fn command(
        &mut self,
        db: u64,
        row: Option<&Command>,
        args: &[&[u8]],
        keys: &[usize],
        bytes: u64,
    ) {
        self.bytes += bytes;
        let share = bytes / keys.len().max(1) as u64;
        let Some(row) = row else {
            // What a module makes of it nobody knows: that it stays is the safe guess.
            let mut noted = Noted { ops: self, db, args, keys, share };
            return noted.keys(|_| Effect::Appends(bytes));
        };
        if !row.is(flag::WRITE) && row.name != "function|load" {
            self.keyless += bytes;
            return;
        }
        Noted { ops: self, db, args, keys, share }.note(row.name);
    }
}

impl Noted<'_, '_> {
    fn arg(&self, at: usize) -> &[u8] {
        self.args.get(at).copied().unwrap_or_default()
    }

    fn number(&self, at: usize) -> i64 {
        parse_i64(self.arg(at)).unwrap_or(0)
    }

    fn len(&self, at: usize) -> u64 {
        self.arg(at).len() as u64
    }

    /// The place of a word among the options.
    fn word(&self, word: &str) -> Option<usize> {
        let is = |arg: &&[u8]| arg.eq_ignore_ascii_case(word.as_bytes());
        self.args.iter().skip(2).position(is).map(|at| at + 2)
    }

    /// Notes the effect on the key at a position.
    fn key(&mut self, at: usize, effect: Effect, elements: usize) {
        let key = self.args.get(at).copied().unwrap_or_default();
        let op = Op {
            key: key_hash(self.db, key),
            db: self.db,
            name: bulk(key.len()),
            bytes: self.share,
            effect,
            elements,
        };
        self.ops.ops.push(op);
    }

    /// The same for every key.
    fn keys(&mut self, effect: impl Fn(usize) -> Effect) {
        if self.keys.is_empty() {
            self.ops.keyless += self.share;
        }
        for at in self.keys {
            self.key(*at, effect(*at), 0);
        }
    }

    /// Notes elements of the first key: every `step` arguments from `from` on one, which is told apart by
    /// the argument `name` places behind its first.
    fn elements(&mut self, effect: Effect, from: usize, step: usize, name: usize) {
        let groups = self.args.get(from..).unwrap_or_default().chunks_exact(step.max(1));
        let before = self.ops.elements.len();
        self.ops.elements.extend(groups.map(|group| {
            let hash = key_hash(0, group.get(name).copied().unwrap_or_default());
            (hash, group.iter().map(|arg| bulk(arg.len())).sum())
        }));
        let count = self.ops.elements.len() - before;
        self.key(1, effect, count);
    }

    /// The first argument of `ZADD` behind its flags.
    fn behind_flags(&self) -> usize {
        let flags: [&[u8]; 6] = [b"nx", b"xx", b"gt", b"lt", b"ch", b"incr"];
        let is_flag = |arg: &&&[u8]| flags.iter().any(|flag| arg.eq_ignore_ascii_case(flag));
        2 + self.args.iter().skip(2).take_while(is_flag).count()
    }

    /// The first field behind `FIELDS n`.
    fn fields(&self) -> usize {
        self.word("fields").map_or(self.args.len(), |at| at + 2)
    }

    fn popped(&self, at: usize) -> Effect {
        let count = if self.args.len() > at { self.number(at) } else { 1 };
        Effect::Pops(count.unsigned_abs())
    }

    fn note(&mut self, name: &str) {
        use Effect::{
            Appends, AtLeast, Changes, Expires, Keeps, Pops, Pushes, Removes, RemovesAll, Replaces,
            Sets, Unsets,
        };
        match name {
            "set" => {
                let expires = ["ex", "px", "exat", "pxat"].iter().any(|w| self.word(w).is_some());
                self.key(1, Replaces(bulk(self.arg(2).len()), expires), 0);
            }
            "setnx" | "getset" => self.key(1, Replaces(bulk(self.arg(2).len()), false), 0),
            "setex" | "psetex" | "restore" | "restore-asking" => {
                let expires = !name.starts_with("restore") || self.number(2) > 0;
                self.key(1, Replaces(bulk(self.arg(3).len()), expires), 0);
            }
            "mset" | "msetnx" | "msetex" => {
                let args = self.args;
                let len = |at: usize| args.get(at + 1).map_or(0, |value| value.len());
                self.keys(|at| Replaces(bulk(len(at)), name == "msetex"));
            }
            "append" => self.key(1, Appends(self.len(2)), 0),
            "setrange" => {
                let end = self.number(2).unsigned_abs().saturating_add(self.len(3));
                self.key(1, AtLeast(end.min(STRING)), 0);
            }
            "setbit" => {
                let end = self.number(2).unsigned_abs() / 8 + 1;
                self.key(1, AtLeast(end.min(STRING)), 0);
            }
            "hset" | "hmset" | "hsetnx" | "hincrby" | "hincrbyfloat" => {
                self.elements(Sets, 2, 2, 0);
            }
            "hsetex" => self.elements(Sets, self.fields(), 2, 0),
            "hdel" | "srem" | "zrem" => self.elements(Unsets, 2, 1, 0),
            "hgetdel" => self.elements(Unsets, self.fields(), 1, 0),
            "sadd" | "pfadd" => self.elements(Sets, 2, 1, 0),
            "zadd" => self.elements(Sets, self.behind_flags(), 2, 1),
            "zincrby" => self.elements(Sets, 2, 2, 1),
            "geoadd" => self.elements(Sets, self.behind_flags(), 3, 2),
            "rpush" | "lpush" | "rpushx" | "lpushx" => self.elements(Pushes, 2, 1, 0),
            "linsert" => self.elements(Pushes, 4, 1, 0),
            "lpop" | "rpop" | "spop" | "zpopmin" | "zpopmax" => {
                let effect = self.popped(2);
                self.key(1, effect, 0);
            }
            "lrem" => {
                let count = self.number(2).unsigned_abs().max(1);
                self.key(1, Pops(count), 0);
            }
            "zremrangebyrank" => self.range(Pops),
            "ltrim" => match (self.number(2), self.number(3)) {
                (0, last @ ..0) => self.key(1, Pops(last.unsigned_abs() - 1), 0),
                (first @ 0.., -1) => self.key(1, Pops(first.unsigned_abs()), 0),
                _ => self.range(Keeps),
            },
            "xadd" => {
                self.ops.elements.push((0, self.share));
                self.key(1, Pushes, 1);
                self.share = 0;
                self.trim();
            }
            "xtrim" => self.trim(),
            "xdel" | "xdelex" | "xackdel" => {
                let ids = self.args.len().saturating_sub(2) as u64;
                self.key(1, Pops(ids), 0);
            }
            "pexpireat" | "expireat" | "expire" | "pexpire" | "getex" => {
                self.key(1, Expires(true), 0);
            }
            "persist" => self.key(1, Expires(false), 0),
            "del" | "unlink" | "getdel" | "move" => self.keys(|_| Removes),
            "flushdb" => self.key(0, RemovesAll(Some(self.db)), 0),
            "flushall" | "swapdb" => self.key(0, RemovesAll(None), 0),
            "rename" | "renamenx" => self.derived(2, 1, true),
            "copy" => self.derived(2, 1, false),
            "sort" if self.word("store").is_some() => {
                let to = self.word("store").map_or(1, |at| at + 1);
                self.derived(to, 1, false);
            }
            "bitop" => self.derived(2, 3, false),
            "sunionstore" | "sinterstore" | "sdiffstore" | "zrangestore" | "geosearchstore" => {
                self.derived(1, 2, false);
            }
            "zunionstore" | "zinterstore" | "zdiffstore" => self.derived(1, 3, false),
            "smove" => {
                let hash = (key_hash(0, self.arg(3)), bulk(self.arg(3).len()));
                self.ops.elements.extend([hash, hash]);
                self.key(1, Unsets, 1);
                self.key(2, Sets, 1);
            }
            "lmove" | "rpoplpush" | "blmove" | "brpoplpush" => {
                self.key(1, Pops(1), 0);
                self.ops.elements.push((0, MOVED));
                self.key(2, Pushes, 1);
            }
            "function|load" => self.library(),
            _ => self.keys(|_| Changes),
        }
    }

    /// What is from a first to a last place, both counted from the start.
    fn range(&mut self, effect: impl Fn(u64) -> Effect) {
        let (first, last) = (self.number(2), self.number(3));
        let effect = match last.checked_sub(first) {
            Some(len @ 0..) if first >= 0 => effect(len.unsigned_abs() + 1),
            _ => Effect::Changes,
        };
        self.key(1, effect, 0);
    }

    /// `MAXLEN [=|~] n`.
    fn trim(&mut self) {
        let effect = match self.word("maxlen") {
            Some(at) => {
                let sign = matches!(self.arg(at + 1), b"=" | b"~");
                Effect::Keeps(self.number(at + 1 + usize::from(sign)).unsigned_abs())
            }
            None => Effect::Changes,
        };
        self.key(1, effect, 0);
    }

    /// A key that is made of another.
    fn derived(&mut self, to: usize, from: usize, moved: bool) {
        let from = key_hash(self.db, self.arg(from));
        self.share *= self.keys.len().max(1) as u64;
        self.key(to, Effect::Becomes(from, moved), 0);
    }

    /// A function library is told apart by the line that has its name.
    fn library(&mut self) {
        let code = self.args.last().copied().unwrap_or_default();
        let head = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
        self.ops.ops.push(Op {
            key: key_hash(FUNCTIONS, head),
            db: FUNCTIONS,
            name: 0,
            bytes: self.share,
            effect: Effect::Replaces(bulk(code.len()), false),
            elements: 0,
        });
    }
}

/// Longest string, in bytes: an offset beyond is refused.
const STRING: u64 = 512 << 20;

/// Bytes taken for an element that comes from another list.
const MOVED: u64 = 20;
