//! Commands that servers have and this engine does not run yet: their names, keys and numbers of
//! arguments are known, so that a log which holds them is not taken for damaged. Running one is an
//! error that says so. A row leaves this file when its command is built.

use crate::engine::command::flag::{READONLY, WRITE};
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};

pub(super) const COMMANDS: &[Command] = &[
    cmd("dump", 2, READONLY, Keys::ONE, Since::both(2, 6), unbuilt),
    cmd("restore", -4, WRITE, Keys::ONE, Since::both(2, 6), unbuilt),
    cmd("restore-asking", -4, WRITE, Keys::ONE, Since::both(3, 0), unbuilt),
];

fn unbuilt(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    Err(Failure::unsupported(ctx.command.name))
}
