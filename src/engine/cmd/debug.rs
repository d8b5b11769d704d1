//! DEBUG: only what says what the data is.

use crate::engine::command::flag::{NOSCRIPT, READONLY};
use crate::engine::command::{Command, Keys, Since, cmd, container};
use crate::engine::ctx::Ctx;
use crate::engine::failure::Outcome;
use crate::engine::reply::Reply;

pub(super) const COMMANDS: &[Command] = &[container("debug", Since::both(1, 0), DEBUG)];

const DEBUG: &[Command] = &[
    cmd("debug|digest", 2, READONLY | NOSCRIPT, Keys::None, Since::both(2, 0), digest),
    cmd("debug|digest-value", -2, READONLY | NOSCRIPT, VALUES, Since::both(5, 0), digest_value),
];

const VALUES: Keys = Keys::Range { first: 2, last: -1, step: 1 };

fn digest(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let style = ctx.engine.config().release.digest_style(ctx.now_ms());
    Ok(Reply::word(&ctx.engine.digest(style, 1).to_string()))
}

fn digest_value(ctx: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let style = ctx.engine.config().release.digest_style(ctx.now_ms());
    let keys = argv.iter().skip(2);
    let one = |key: &&[u8]| ctx.engine.digest_value(ctx.session.db(), key, style).to_string();
    Ok(Reply::Array(keys.map(|key| Reply::word(&one(key))).collect()))
}
