//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//! A loader queues everything between MULTI and EXEC, DISCARD and a second MULTI too (FORMATS B.1).
//! When EXEC comes to them, MULTI is an error, and DISCARD ends the transaction there.

use crate::engine::Family;
use crate::engine::command::flag::{IMMEDIATE, NOSCRIPT};
use crate::engine::command::{Command, Keys, Since, cmd, resolve};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};
use crate::engine::reply::Reply;
use crate::engine::session::{Multi, Session};

pub(super) const COMMANDS: &[Command] = &[
    cmd("multi", 1, IMMEDIATE | NOSCRIPT, Keys::None, Since::both(1, 2), multi),
    cmd("exec", 1, IMMEDIATE | NOSCRIPT, Keys::None, Since::both(1, 2), exec),
    cmd("discard", 1, IMMEDIATE | NOSCRIPT, Keys::None, Since::both(2, 0), discard),
    cmd("watch", -2, IMMEDIATE | NOSCRIPT, Keys::ALL, Since::both(2, 2), watch),
    cmd("unwatch", 1, NOSCRIPT, Keys::None, Since::both(2, 2), unwatch),
];

fn multi(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    match ctx.session.multi {
        Multi::No => {
            ctx.session.multi = Multi::Queuing(Default::default());
            Ok(Reply::OK)
        }
        _ => {
            spoil(ctx);
            Err(Failure::NESTED_MULTI)
        }
    }
}

/// MULTI and WATCH inside MULTI are errors everywhere; Valkey since 8.1 also gives up the transaction.
fn spoil(ctx: &mut Ctx<'_>) {
    let release = ctx.engine.config().release;
    let gives_up = release.family == Family::Valkey && release.version >= (8, 1);
    ctx.session.spoiled |= gives_up && matches!(ctx.session.multi, Multi::Queuing(_));
}

fn exec(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let queue = match std::mem::take(&mut ctx.session.multi) {
        Multi::Queuing(queue) => queue,
        other => {
            ctx.session.multi = other;
            return Err(Failure::EXEC_WITHOUT_MULTI);
        }
    };
    let spoiled = std::mem::take(&mut ctx.session.spoiled);
    let intact = end_watch(ctx);
    if spoiled {
        return Err(Failure::EXEC_ABORT);
    }
    if !intact {
        return Ok(Reply::NilArray);
    }
    ctx.session.multi = Multi::Running;
    let mut replies = Vec::new();
    for argv in queue.iter() {
        replies.push(match resolve(&argv) {
            Ok(command) => ctx.engine.call(ctx.session, command, &argv),
            Err(failure) => Reply::Error(failure),
        });
        if !matches!(ctx.session.multi, Multi::Running) {
            break;
        }
    }
    ctx.session.multi = Multi::No;
    ctx.log_nothing();
    Ok(Reply::Array(replies))
}

fn discard(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    if let Multi::No = ctx.session.multi {
        return Err(Failure::DISCARD_WITHOUT_MULTI);
    }
    let Session { multi, spoiled, .. } = &mut *ctx.session;
    (*multi, *spoiled) = (Multi::No, false);
    end_watch(ctx);
    Ok(Reply::OK)
}

fn watch(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    if !matches!(ctx.session.multi, Multi::No) {
        spoil(ctx);
        return Err(Failure::WATCH_INSIDE_MULTI);
    }
    let db = ctx.session.db;
    for key in argv.iter().skip(1) {
        if ctx.session.watched.iter().any(|(at, seen, _)| *at == db && seen == key) {
            continue;
        }
        // A key that expires before EXEC has changed; one that had expired already has not.
        ctx.exists(key);
        let version = ctx.engine.watch.begin(db, key);
        ctx.session.watched.push((db, key.to_vec(), version));
    }
    Ok(Reply::OK)
}

fn unwatch(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    end_watch(ctx);
    Ok(Reply::OK)
}

/// Lets go of every watched key. Were all of them as they had been?
fn end_watch(ctx: &mut Ctx<'_>) -> bool {
    let mut intact = true;
    for (db, key, version) in std::mem::take(&mut ctx.session.watched) {
        ctx.engine.find(db, &key);
        intact &= ctx.engine.watch.end(db, key, version);
    }
    intact
}
