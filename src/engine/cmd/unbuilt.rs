//! Commands that servers have and this engine does not run yet: their names, keys and numbers of
//! arguments are known, so that a log which holds them is not taken for damaged. Running one is an
//! error that says so. A row leaves this file when its command is built.

use crate::engine::command::flag::WRITE;
use crate::engine::command::{Command, Keys, Since, cmd};
use crate::engine::ctx::Ctx;
use crate::engine::failure::{Failure, Outcome};

const SCRIPT: Keys = Keys::Counted { count: 2, more: &[] };

pub(super) const COMMANDS: &[Command] = &[
    cmd("eval", -3, WRITE, SCRIPT, Since::both(2, 6), unbuilt),
    cmd("evalsha", -3, WRITE, SCRIPT, Since::both(2, 6), unbuilt),
    cmd("script", -2, WRITE, Keys::None, Since::both(2, 6), unbuilt),
    cmd("fcall", -3, WRITE, SCRIPT, Since::both(7, 0), unbuilt),
    cmd("publish", 3, 0, Keys::None, Since::both(2, 0), unbuilt),
    cmd("spublish", 3, 0, Keys::None, Since::both(7, 0), unbuilt),
    cmd("sflush", -3, WRITE, Keys::None, Since::redis(8, 0), unbuilt),
    cmd("trimslots", -5, WRITE, Keys::None, Since::redis(8, 4), unbuilt),
    cmd("cluster", -2, 0, Keys::None, Since::both(3, 0), unbuilt),
];

fn unbuilt(_: &mut Ctx<'_>, argv: &[&[u8]]) -> Outcome {
    let name = argv.first().copied().unwrap_or_default();
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    Err(Failure::new(format!("ERR this engine does not run '{name}' yet")))
}
