//! Stand-in for the store.

use crate::engine::command::flag;
use crate::engine::{Command, Engine, Failure, Mode, Reply, Session};

/// Stand-in.
#[derive(Debug)]
pub struct Store {
    engine: Engine,
    read_only: bool,
}

/// Stand-in.
#[derive(Debug)]
pub struct Fatal;

#[allow(missing_docs)]
impl Store {
    pub fn read_only(mut engine: Engine) -> Store {
        engine.set_mode(Mode::Serving);
        Store { engine, read_only: true }
    }

    pub fn in_memory(mut engine: Engine) -> Store {
        engine.set_mode(Mode::Serving);
        Store { engine, read_only: false }
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn set_clock(&mut self, now_ms: i64) {
        self.engine.set_clock(now_ms);
    }

    pub fn execute(&mut self, session: &mut Session, command: &'static Command, argv: &[&[u8]]) -> Reply {
        if self.read_only && command.is(flag::WRITE) {
            return Reply::Error(Failure::new("READONLY You can't write against a read only replica."));
        }
        self.engine.dispatch(session, command, argv)
    }

    pub fn before_replies(&mut self, _: i64) -> Result<(), Fatal> {
        Ok(())
    }

    pub fn tick(&mut self, _: i64) -> Result<(), Fatal> {
        Ok(())
    }

    pub fn wants_tick(&self) -> bool {
        false
    }

    pub fn settings(&self) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }

    pub fn set(&mut self, _: &str, _: &[u8]) -> Result<(), Failure> {
        Err(Failure::SYNTAX)
    }

    pub fn info(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    pub fn shutdown(&mut self, _: Option<bool>, _: i64) -> Result<(), Fatal> {
        Ok(())
    }
}
