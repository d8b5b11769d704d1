//! What the commands of an AOF are to a server: known, of a module, unknown, or with too few arguments.
//! The one table of commands is the engine's.

mod idle;

use std::ops::Range;

use crate::aof::state::{Multi, State, Step};
use crate::engine::command::{self, Command};
use crate::finding::{Code, Finding, shown};

/// What a command is.
#[derive(Debug, Clone, Copy)]
pub enum Known {
    /// One that servers have.
    Yes(&'static Command),
    /// One that servers have, though no log does: it leaves the data as it is.
    Idle(&'static Command),
    /// One of those that a server may not get over, or that leads it away from its data.
    Stray(&'static Command),
    /// One of a module, by its name.
    Module,
    /// One that no server has.
    No,
    /// One that takes another number of arguments: so many, its name counted, and if negative at least
    /// so many.
    Arity(&'static Command),
}

/// Commands of modules whose names do not tell. Vector sets are built in from Redis 8.0 on.
const MODULES: [&str; 3] = ["vadd", "vrem", "vsetattr"];

/// Looks a command up in the engine's table.
#[inline]
pub fn look(args: &[&[u8]]) -> Known {
    match command::resolve(args) {
        Ok(row) => Known::Yes(row),
        Err(_) => other(args),
    }
}

#[cold]
fn other(args: &[&[u8]]) -> Known {
    let name = args.first().copied().unwrap_or_default();
    if is_module(name) {
        return Known::Module;
    }
    let rows = || command::all().chain(idle::TABLE).filter(|row| same(row.name, name));
    let sub = args.get(1).copied().unwrap_or_default();
    let named = |row: &&Command| row.name.split_once('|').is_some_and(|(_, name)| same(name, sub));
    let found = rows().flat_map(|row| row.subcommands).find(named);
    let alone = || rows().find(|row| row.subcommands.is_empty());
    match found.or_else(alone) {
        Some(row) if !row.takes(args.len()) => Known::Arity(row),
        Some(row) if idle::is_stray(row) => Known::Stray(row),
        Some(row) => Known::Idle(row),
        None => match rows().next() {
            Some(row) if args.len() == 1 => Known::Arity(row),
            _ => Known::No,
        },
    }
}

fn same(name: &str, given: &[u8]) -> bool {
    name.as_bytes().eq_ignore_ascii_case(given)
}

/// Whether a name is a module's: they put a dot between module and command.
fn is_module(name: &[u8]) -> bool {
    if MODULES.iter().any(|module| same(module, name)) {
        return true;
    }
    let Some(dot) = name.iter().position(|byte| *byte == b'.') else { return false };
    let (module, command) = name.split_at(dot);
    let word = |part: &[u8]| part.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b));
    !module.is_empty() && command.len() > 1 && word(module) && word(command)
}

/// What to say of a MULTI, EXEC or SELECT that does not belong where it is, for a server with so many
/// databases.
#[cold]
pub fn misplaced(
    step: Step,
    args: &[&[u8]],
    state: &State,
    databases: u64,
    span: Range<u64>,
) -> Option<Finding> {
    Some(match step {
        Step::Plain | Step::Multi => return None,
        Step::Select(db) if db < databases => return None,
        Step::Select(db) => {
            let expected = format!("a database below {databases}, the `databases` setting");
            Finding::new(Code::AofDbRange, span, expected, db.to_string())
        }
        Step::SelectInvalid => {
            let found = shown(args.get(1).copied().unwrap_or_default());
            Finding::new(Code::AofDbInvalid, span, "a database number below 2^31", found)
        }
        Step::MultiNested => {
            let open = state.multi.map_or(0, |multi| multi.offset);
            let expected = format!("EXEC for the MULTI at {open:#x}");
            Finding::new(Code::AofMultiNested, span, expected, "another MULTI")
        }
        Step::ExecAlone => {
            Finding::new(Code::AofExecAlone, span, "EXEC only after MULTI", "EXEC alone")
        }
        Step::Exec(multi) => {
            let end = format!("the EXEC of another transaction at {:#x}", span.start);
            torn_multi(multi, multi.torn_at?, &end)
        }
    })
}

/// What to say of a transaction with the writes of another run in it.
pub(super) fn torn_multi(multi: Multi, torn: u64, end: &str) -> Finding {
    let found = format!(
        "the writes of another run of the server from {torn:#x} on, and then {end}; {} commands in all",
        multi.commands
    );
    Finding::new(Code::AofMultiTorn, multi.offset..torn, "EXEC", found)
}

/// What to say of a command that is not known.
#[cold]
pub fn unknown(args: &[&[u8]], known: Known, span: Range<u64>) -> Finding {
    let name = shown(args.first().copied().unwrap_or_default());
    match known {
        Known::Arity(row) => {
            let least = if row.arity < 0 { "at least " } else { "" };
            let wanted = row.arity.unsigned_abs();
            let expected = format!("{least}{wanted} arguments, the name counted");
            let found = format!("{} with {}", row.name, args.len());
            Finding::new(Code::AofArity, span, expected, found)
        }
        Known::Stray(row) => {
            let expected = "commands that a server logs";
            Finding::new(Code::AofStrayCommand, span, expected, row.name)
        }
        Known::Module => {
            let expected = "commands that every server knows";
            Finding::new(Code::AofModuleCommand, span, expected, name)
        }
        _ => Finding::new(Code::AofUnknownCommand, span, "the name of a command", name),
    }
}

/// What to say of a command whose options no server takes.
#[cold]
pub fn no_options(row: &Command, args: &[&[u8]], span: Range<u64>) -> Finding {
    let options = args.iter().skip(usize::from(row.arity.unsigned_abs())).take(4);
    let found: Vec<_> = options.map(|option| shown(option)).collect();
    Finding::new(Code::AofSyntax, span, format!("options of {}", row.name), found.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_arguments() {
        let cases: &[(&[&str], &str)] = &[
            (&["SET", "k", "v"], "set"),
            (&["set", "k", "v", "PXAT", "1"], "set"),
            (&["SET", "k"], "arity set"),
            (&["GET", "a", "b"], "arity get"),
            (&["XGROUP", "CREATE", "k", "g", "$"], "xgroup|create"),
            (&["XGROUP", "CREATE", "k"], "arity xgroup|create"),
            (&["XGROUP", "NONE", "k"], "no"),
            (&["XGROUP"], "arity xgroup"),
            (&["HQET", "k", "f"], "no"),
            (&["AUTH", "x"], "idle auth"),
            (&["AUTH"], "arity auth"),
            (&["CLIENT", "LIST"], "idle client|list"),
            (&["CLIENT", "FOO"], "no"),
            (&["CLIENT"], "arity client"),
            (&["OBJECT", "HELP"], "idle object|help"),
            (&["OBJECT", "ENCODING", "k"], "object|encoding"),
            (&["OBJECT", "ENCODING"], "arity object|encoding"),
            (&["OBJECT", "FOO", "k"], "no"),
            (&["DEBUG", "SLEEP", "0"], "idle debug"),
            (&["debug", "digest"], "debug|digest"),
            (&["Cluster", "Nodes"], "idle cluster|nodes"),
            (&["RESET"], "stray reset"),
            (&["JSON.SET", "k", "$", "1"], "module"),
            (&["BF.ADD"], "module"),
            (&["VADD", "k"], "module"),
            (&[".SET"], "no"),
            (&["SET.", "k"], "no"),
            (&["a\0b.c"], "no"),
            (&[""], "no"),
        ];
        for (args, want) in cases {
            let args: Vec<_> = args.iter().map(|arg| arg.as_bytes()).collect();
            let got = match look(&args) {
                Known::Yes(row) => row.name.to_owned(),
                Known::Arity(row) => format!("arity {}", row.name),
                Known::Idle(row) => format!("idle {}", row.name),
                Known::Stray(row) => format!("stray {}", row.name),
                Known::Module => "module".to_owned(),
                Known::No => "no".to_owned(),
            };
            assert_eq!(got, *want, "{args:?}");
        }
    }
}
