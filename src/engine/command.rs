//! The command table: one row a command, contributed by one file a data type (`cmd/`).
//!
//! ```text
//! cmd("set", -3, WRITE | DENYOOM, Keys::ONE, Since::both(1, 0), set),
//!      name  arity  flags          keys        first release      handler
//! ```
//! A negative arity is a minimum, the name itself counting, as in the servers' tables. A command with
//! subcommands is a row made by [`container`]; theirs are named in full, `"object|encoding"`.

use std::sync::LazyLock;

use hashbrown::hash_table::HashTable;

use super::cmd;
use super::ctx::Ctx;
use super::failure::{Failure, Outcome};
use super::release::{Family, Release};

/// Flags of a command.
pub mod flag {
    /// May change data; what it did belongs into an AOF.
    pub const WRITE: u16 = 1;
    /// Never changes data (but for removing what has expired).
    pub const READONLY: u16 = 2;
    /// May need memory: refused when the budget is used up.
    pub const DENYOOM: u16 = 4;
    /// Runs at once even between MULTI and EXEC (while serving; while loading only EXEC does).
    pub const IMMEDIATE: u16 = 8;
    /// Its answer is not determined by data and arguments.
    pub const RANDOM: u16 = 16;
    /// Not to be called by scripts.
    pub const NOSCRIPT: u16 = 32;
    /// What follows the arguments that its arity asks for are options: words that it knows, and their values.
    pub const OPTIONS: u16 = 64;
}

/// A command's code. `argv` begins with the command's name and has passed the arity check.
pub type Handler = fn(&mut Ctx<'_>, &[&[u8]]) -> Outcome;

/// Which arguments are keys.
#[derive(Debug, Clone, Copy)]
pub enum Keys {
    /// None.
    None,
    /// `first` to `last` (negative: from the end) in steps.
    Range {
        /// First key.
        first: usize,
        /// Last key; −1 is the last argument.
        last: isize,
        /// From key to key.
        step: usize,
    },
    /// Argument `count` says how many keys follow it; `more` are the positions of further ones.
    Counted {
        /// Where the number is.
        count: usize,
        /// Keys elsewhere, such as a destination.
        more: &'static [usize],
    },
    /// Looked for by a function.
    Find(fn(&[&[u8]]) -> Vec<usize>),
}

impl Keys {
    /// The first argument.
    pub const ONE: Keys = Keys::Range { first: 1, last: 1, step: 1 };
    /// The first two arguments.
    pub const TWO: Keys = Keys::Range { first: 1, last: 2, step: 1 };
    /// Every argument.
    pub const ALL: Keys = Keys::Range { first: 1, last: -1, step: 1 };
    /// Every second argument.
    pub const PAIRS: Keys = Keys::Range { first: 1, last: -1, step: 2 };
}

/// The first release of each family that has a command; `None` if it never had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// Redis, (major, minor).
    pub redis: Option<(u8, u8)>,
    /// Valkey, which began as Redis 7.2.
    pub valkey: Option<(u8, u8)>,
}

impl Since {
    /// In Redis since then, and in every Valkey.
    pub const fn both(major: u8, minor: u8) -> Since {
        Since { redis: Some((major, minor)), valkey: Some((7, 2)) }
    }

    /// Only in Redis.
    pub const fn redis(major: u8, minor: u8) -> Since {
        Since { redis: Some((major, minor)), valkey: None }
    }

    /// Only in Valkey.
    pub const fn valkey(major: u8, minor: u8) -> Since {
        Since { redis: None, valkey: Some((major, minor)) }
    }

    /// In both, added to each after they parted.
    pub const fn each(redis: (u8, u8), valkey: (u8, u8)) -> Since {
        Since { redis: Some(redis), valkey: Some(valkey) }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// Lower case; a subcommand's begins with its command's and a bar.
    pub name: &'static str,
    /// Number of arguments, the name counted; negative: at least so many.
    pub arity: i16,
    /// See [`flag`].
    pub flags: u16,
    /// Which arguments are keys.
    pub keys: Keys,
    /// Who knows it.
    pub since: Since,
    /// Its code.
    pub run: Handler,
    /// Its subcommands, if it is only the name for them.
    pub subcommands: &'static [Command],
}

/// A row.
pub const fn cmd(
    name: &'static str,
    arity: i16,
    flags: u16,
    keys: Keys,
    since: Since,
    run: Handler,
) -> Command {
    Command { name, arity, flags, keys, since, run, subcommands: &[] }
}

/// A row for a command that is only the name for its subcommands.
pub const fn container(
    name: &'static str,
    since: Since,
    subcommands: &'static [Command],
) -> Command {
    Command { name, arity: -2, flags: 0, keys: Keys::None, since, run: no_code, subcommands }
}

/// A container's own code: never run, since looking one up gives a subcommand or an error.
fn no_code(_: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    Err(Failure::unknown_command(argv))
}

impl Since {
    /// Has this release it?
    pub fn is_in(self, release: Release) -> bool {
        let first = match release.family {
            Family::Redis => self.redis,
            Family::Valkey => self.valkey,
        };
        first.is_some_and(|first| release.version >= first)
    }
}

impl Command {
    /// Does it have this flag?
    pub fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Does this number of arguments, the name counted, fit?
    pub fn takes(&self, argc: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { argc >= wanted } else { argc == wanted }
    }

    /// Where the key is, for commands on exactly one: known without looking at the arguments.
    pub fn only_key(&self) -> Option<usize> {
        match self.keys {
            Keys::Range { first, last, .. } if usize::try_from(last) == Ok(first) => Some(first),
            _ => None,
        }
    }

    /// Positions of all keys in `argv`.
    pub fn key_positions(&self, argv: &[&[u8]]) -> Vec<usize> {
        match self.keys {
            Keys::None => Vec::new(),
            Keys::Range { first, last, step } => {
                let end = match usize::try_from(last) {
                    Ok(last) => last.saturating_add(1).min(argv.len()),
                    Err(_) => (argv.len() + 1).saturating_sub(last.unsigned_abs()),
                };
                (first..end).step_by(step.max(1)).collect()
            }
            Keys::Counted { count, more } => {
                let said = argv.get(count).and_then(|arg| crate::encoding::number::parse_i64(arg));
                let said = said.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
                let end = (count + 1).saturating_add(said).min(argv.len());
                let more = more.iter().copied().filter(|at| *at < argv.len());
                more.chain(count + 1..end).collect()
            }
            Keys::Find(find) => find(argv),
        }
    }
}

/// Looks a command up by `argv`, down to its subcommand, and checks the number of arguments.
pub fn resolve(argv: &[&[u8]]) -> Result<&'static Command, Failure> {
    let name = argv.first().copied().unwrap_or_default();
    let Some(mut command) = TABLE.find(name) else {
        return Err(Failure::unknown_command(argv));
    };
    if let (false, Some(sub)) = (command.subcommands.is_empty(), argv.get(1)) {
        let row = command.subcommands.iter().find(|row| {
            let (_, name) = row.name.split_once('|').unwrap_or(("", row.name));
            name.as_bytes().eq_ignore_ascii_case(sub)
        });
        command = row.ok_or_else(|| Failure::unknown_subcommand(command.name, sub))?;
    }
    if command.takes(argv.len()) { Ok(command) } else { Err(Failure::arity(command.name)) }
}

/// Every command there is, subcommands not counted.
pub fn all() -> impl Iterator<Item = &'static Command> {
    cmd::GROUPS.iter().copied().flatten()
}

/// Names to rows. Names come in any case; the hash and the comparison fold it, so that looking one up
/// takes no copy. (The names are ours: there is nothing to aim at, and a plain hash will do.)
struct Table(HashTable<&'static Command>);

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = HashTable::new();
    for command in all() {
        table.insert_unique(hash(command.name.as_bytes()), command, |command: &&Command| {
            hash(command.name.as_bytes())
        });
    }
    Table(table)
});

impl Table {
    fn find(&self, name: &[u8]) -> Option<&'static Command> {
        let same = |command: &&Command| command.name.as_bytes().eq_ignore_ascii_case(name);
        self.0.find(hash(name), same).copied()
    }
}

/// FNV-1a over the name in lower case, its high bits stirred for the table's tags.
fn hash(name: &[u8]) -> u64 {
    let hash = name.iter().take(32).fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte | 0x20)).wrapping_mul(0x100_0000_01b3)
    });
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_name_is_found_once_in_any_case() {
        let mut names = std::collections::HashSet::new();
        for command in all() {
            assert!(names.insert(command.name), "{} has two rows", command.name);
            assert_eq!(command.name, command.name.to_ascii_lowercase());
            let upper = command.name.to_ascii_uppercase();
            assert!(std::ptr::eq(TABLE.find(upper.as_bytes()).unwrap(), command));
            for sub in command.subcommands {
                assert_eq!(sub.name.split_once('|').unwrap().0, command.name);
            }
        }
        assert!(TABLE.find(b"").is_none());
        assert!(TABLE.find(&[b'x'; 1000]).is_none());
    }

    #[test]
    fn key_positions() {
        let row = |keys| cmd("x", -1, 0, keys, Since::both(1, 0), no_code);
        let argv: Vec<&[u8]> = vec![b"x", b"2", b"a", b"b", b"c"];
        let cases: &[(Keys, &[usize])] = &[
            (Keys::None, &[]),
            (Keys::ONE, &[1]),
            (Keys::TWO, &[1, 2]),
            (Keys::ALL, &[1, 2, 3, 4]),
            (Keys::PAIRS, &[1, 3]),
            (Keys::Range { first: 2, last: -2, step: 1 }, &[2, 3]),
            (Keys::Range { first: 7, last: 7, step: 1 }, &[]),
            (Keys::Counted { count: 1, more: &[] }, &[2, 3]),
            (Keys::Counted { count: 1, more: &[4, 9] }, &[4, 2, 3]),
            (Keys::Counted { count: 2, more: &[] }, &[]),
        ];
        for (keys, want) in cases {
            assert_eq!(row(*keys).key_positions(&argv), *want, "{keys:?}");
        }
        assert_eq!(row(Keys::ONE).only_key(), Some(1));
        assert_eq!(row(Keys::ALL).only_key(), None);
    }
}
