//! FUNCTION: libraries are kept, loaded, deleted and listed; nothing is run.

use crate::engine::args::{self, Args};
use crate::engine::command::flag::{DENYOOM, NOSCRIPT, READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd, container};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::functions::Shebang;
use crate::engine::reply::Reply;
use crate::engine::{Origin, Release};
use crate::glob;

const S: Since = Since::both(7, 0);

pub(super) const COMMANDS: &[Command] = &[container("function", S, FUNCTION)];

const FUNCTION: &[Command] = &[
    cmd("function|load", -3, WRITE | NOSCRIPT | DENYOOM, Keys::None, S, load),
    cmd("function|delete", 3, WRITE | NOSCRIPT, Keys::None, S, delete),
    cmd("function|flush", -2, WRITE | NOSCRIPT, Keys::None, S, flush),
    cmd("function|restore", -3, WRITE | NOSCRIPT | DENYOOM, Keys::None, S, restore),
    cmd("function|dump", 2, READONLY | NOSCRIPT, Keys::None, S, dump),
    cmd("function|list", -2, READONLY | NOSCRIPT, Keys::None, S, list),
];

fn exists(name: &[u8]) -> Failure {
    Failure::format("ERR Library '%s' already exists", &[name])
}

/// `FUNCTION LOAD [REPLACE] code`
fn load(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let mut replace = false;
    let Some((code, options)) = argv.split_last() else {
        return Err(Failure::arity("function|load"));
    };
    for word in options.get(2..).unwrap_or_default() {
        if !args::is(word, "replace") {
            return Err(Failure::format("ERR Unknown option given: %s", &[word]));
        }
        replace = true;
    }
    if argv.len() == 3 && args::is(code, "replace") {
        return Err(Failure::new("ERR Function code is missing"));
    }
    let name = Shebang::parse(code)?.name;
    ctx.check_memory(code.len())?;
    if !replace && ctx.engine.function(name).is_some() {
        return Err(exists(name));
    }
    ctx.engine.put_function(name, code);
    ctx.changed_beside(1);
    Ok(Reply::bulk(name))
}

fn delete(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    if ctx.engine.remove_function(argv[2]).is_none() {
        return Err(Failure::new("ERR Library not found"));
    }
    ctx.changed_beside(1);
    Ok(Reply::OK)
}

/// `FUNCTION FLUSH [ASYNC | SYNC]`
fn flush(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    match argv.get(2..).unwrap_or_default() {
        [] => {}
        [word] if args::is(word, "sync") || args::is(word, "async") => {}
        _ => {
            let text = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option";
            return Err(Failure::new(text));
        }
    }
    ctx.engine.clear_functions();
    ctx.changed_beside(1);
    Ok(Reply::OK)
}

/// `FUNCTION RESTORE payload [FLUSH | APPEND | REPLACE]`: all of its libraries or none.
fn restore(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (mut replace, mut flush) = (false, false);
    match argv.get(3..).unwrap_or_default() {
        [] => {}
        [word] if args::is(word, "append") => {}
        [word] if args::is(word, "replace") => replace = true,
        [word] if args::is(word, "flush") => flush = true,
        [_] => {
            let text = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or \
                        REPLACE.";
            return Err(Failure::new(text));
        }
        _ => return Err(Failure::subcommand_syntax("function", argv[1])),
    }
    let payloads = ctx.engine.config().payloads;
    let newest = match ctx.engine.config().origin {
        Origin::Clients => ctx.release().rdb_version(),
        // The server whose log this is took it.
        _ => Release::NEWEST_VALKEY.rdb_version(),
    };
    let codes = payloads.unpack_functions(argv[2], newest)?;
    ctx.check_memory(codes.iter().map(Vec::len).sum())?;
    let mut names = Vec::new();
    for code in &codes {
        let name = Shebang::parse(code)?.name;
        let taken = !flush && !replace && ctx.engine.function(name).is_some();
        if taken || names.contains(&name) {
            return Err(exists(name));
        }
        names.push(name);
    }
    if flush {
        ctx.engine.clear_functions();
    }
    for (name, code) in names.into_iter().zip(&codes) {
        ctx.engine.put_function(name, code);
    }
    ctx.changed_beside(1);
    Ok(Reply::OK)
}

fn dump(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let version = ctx.release().rdb_version();
    let codes: Vec<_> = ctx.engine.functions().map(|(_, code)| code).collect();
    Ok(Reply::Bulk(ctx.engine.config().payloads.pack_functions(&codes, version)))
}

/// `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]`
fn list(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let (mut pattern, mut with_code) = (None, false);
    let mut args = Args::from(argv, 2);
    while let Some(word) = args.next() {
        if !with_code && args::is(word, "withcode") {
            with_code = true;
        } else if pattern.is_none() && args::is(word, "libraryname") {
            let missing = || Failure::new("ERR library name argument was not given");
            pattern = Some(args.next().ok_or_else(missing)?);
        } else {
            return Err(Failure::format("ERR Unknown argument %s", &[word]));
        }
    }
    let wanted = |name: &[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name));
    let libraries = ctx.engine.functions().filter(|(name, _)| wanted(name));
    let show = |(name, code): (&[u8], &[u8])| {
        let engine = Shebang::parse(code).map(|shebang| shebang.engine.to_ascii_uppercase());
        let mut rows = vec![
            (Reply::bulk("library_name"), Reply::bulk(name)),
            (Reply::bulk("engine"), Reply::Bulk(engine.unwrap_or_default())),
            (Reply::bulk("functions"), Reply::Array(Vec::new())),
        ];
        if with_code {
            rows.push((Reply::bulk("library_code"), Reply::bulk(code)));
        }
        Reply::Map(rows)
    };
    Ok(Reply::Array(libraries.map(show).collect()))
}
