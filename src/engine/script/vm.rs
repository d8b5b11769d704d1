//! A Lua machine: what is in it, what a script may use up.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, LuaOptions, Result, StdLib, Table, VmState};

use super::cjson::Settings;
use super::library::given;
use super::random::Random;
use crate::engine::failure::Failure;
use crate::engine::reply::Resp;

/// Instructions of one script.
const INSTRUCTIONS: u64 = 200_000_000;
/// Instructions between two looks at the budgets.
const STEP: u32 = 1000;
/// No script that a server was willing to wait for takes so long.
const TIME: Duration = Duration::from_secs(20);
/// Bytes that a machine may take.
const MEMORY: usize = 256 << 20;
/// Bytes with which a machine is still kept for the next script.
const KEPT: usize = 16 << 20;
/// Scripts kept compiled.
const COMPILED: usize = 500;
/// The name of a script in its errors.
pub(super) const CHUNK: &str = "user_script";

/// What a run uses up and finds out.
#[derive(Debug)]
pub(super) struct State {
    instructions: Cell<u64>,
    until: Cell<Option<Instant>>,
    /// Why the run cannot go on, or what it asked for that there is not.
    stopped: RefCell<Option<String>>,
    /// The line of the error that ended the run.
    pub(super) line: Cell<usize>,
    pub(super) random: Random,
    /// What `redis.setresp` said.
    pub(super) resp: Cell<Resp>,
    /// `redis.replicate_commands` was called: chance is allowed.
    pub(super) effects: Cell<bool>,
    /// What `cjson` was told.
    pub(super) json: Rc<Cell<Settings>>,
    /// Are the words those of 7.0 and later?
    pub(super) newer: Cell<bool>,
}

impl State {
    pub(super) fn stop(&self, why: &str) -> mlua::Error {
        self.stopped.borrow_mut().get_or_insert_with(|| why.to_owned());
        mlua::Error::runtime(why)
    }

    /// Why the run could not be what it is on a server.
    pub(super) fn stopped(&self) -> Option<String> {
        self.stopped.borrow().clone()
    }

    fn spend(&self) -> Result<()> {
        let spent = self.instructions.get() + u64::from(STEP);
        self.instructions.set(spent);
        if spent > INSTRUCTIONS || self.until.get().is_some_and(|until| Instant::now() > until) {
            return Err(self.stop("a script that takes so long"));
        }
        self.check()
    }

    pub(super) fn check(&self) -> Result<()> {
        match self.stopped.borrow().as_deref() {
            Some(why) => Err(mlua::Error::runtime(why)),
            None => Ok(()),
        }
    }
}

/// A machine.
pub(super) struct Vm {
    pub(super) lua: Lua,
    pub(super) state: Rc<State>,
    /// What Rust gives the prelude; its field `call` is another in each run.
    pub(super) given: Table,
    /// (keys, arguments) to the surroundings of a script.
    pub(super) surroundings: Function,
    /// Runs a function and catches its error.
    pub(super) guarded: Function,
    compiled: RefCell<HashMap<String, Function>>,
}

thread_local! {
    static MACHINE: RefCell<Option<Vm>> = const { RefCell::new(None) };
}

/// Does something with this thread's machine.
pub(super) fn with<T>(
    act: impl FnOnce(&Vm) -> std::result::Result<T, Failure>,
) -> std::result::Result<T, Failure> {
    let broken = |error: mlua::Error| Failure::unsupported(&error.to_string());
    let vm = match MACHINE.take() {
        Some(vm) => vm,
        None => Vm::new().map_err(broken)?,
    };
    let result = act(&vm);
    let mut keep = vm.state.stopped.borrow().is_none();
    if keep && vm.lua.used_memory() > KEPT {
        keep = vm.lua.gc_collect().is_ok() && vm.lua.used_memory() <= KEPT;
    }
    if keep {
        MACHINE.replace(Some(vm));
    }
    result
}

impl Vm {
    fn new() -> Result<Vm> {
        let libs = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libs, LuaOptions::new())?;
        lua.set_memory_limit(MEMORY)?;
        let state = Rc::new(State {
            instructions: Cell::new(0),
            until: Cell::new(None),
            stopped: RefCell::new(None),
            line: Cell::new(0),
            random: Random::new(),
            resp: Cell::new(Resp::V2),
            effects: Cell::new(false),
            json: Rc::default(),
            newer: Cell::new(true),
        });
        let watched = Rc::clone(&state);
        lua.set_global_hook(HookTriggers::new().every_nth_instruction(STEP), move |_, _| {
            watched.spend().map(|()| VmState::Continue)
        })?;
        let given = given(&lua, &state)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=prelude");
        let (surroundings, guarded) = prelude.call(given.clone())?;
        Ok(Vm { lua, state, given, surroundings, guarded, compiled: RefCell::default() })
    }

    /// Makes everything as it is when a script begins.
    pub(super) fn begin(&self, newer: bool) {
        self.state.instructions.set(0);
        self.state.until.set(Instant::now().checked_add(TIME));
        self.state.line.set(0);
        self.state.random.begin(!newer);
        self.state.resp.set(Resp::V2);
        self.state.effects.set(false);
        self.state.newer.set(newer);
    }

    /// The function that this code is; `name` is its SHA-1.
    ///
    /// # Errors
    /// As a server words them.
    pub(super) fn compile(
        &self,
        name: &str,
        code: &[u8],
    ) -> std::result::Result<Function, Failure> {
        if let Some(function) = self.compiled.borrow().get(name) {
            return Ok(function.clone());
        }
        let chunk = self.lua.load(code).set_name(format!("@{CHUNK}")).set_mode(ChunkMode::Text);
        let function = chunk.into_function().map_err(|error| {
            let text = match error {
                mlua::Error::SyntaxError { message, .. } => message,
                other => other.to_string(),
            };
            Failure::new(format!("ERR Error compiling script (new function): {text}"))
        })?;
        let mut compiled = self.compiled.borrow_mut();
        if compiled.len() >= COMPILED {
            compiled.clear();
        }
        compiled.insert(name.to_owned(), function.clone());
        Ok(function)
    }
}
