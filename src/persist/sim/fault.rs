//! Operations that fail where they are told to.

use std::io;
use std::path::PathBuf;

/// One operation that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// Its name, as in the traits.
    pub name: &'static str,
    /// What it was about.
    pub path: PathBuf,
}

/// How an operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not done, and says so with this error number.
    Fails(i32),
    /// It is done, and says that it failed with this error number.
    FailsAfter(i32),
    /// A write takes only the first half; other operations go well.
    ShortWrite,
    /// The power goes before it.
    PowerOff,
}

/// Which later operations go wrong as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// None.
    Once,
    /// Those of the same name: every write after a write, every sync after a sync.
    SameName,
    /// All.
    Forever,
}

/// What is to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// At which operation, counted from 0.
    pub at: u64,
    /// How.
    pub kind: FaultKind,
    /// And then.
    pub repeat: Repeat,
}

/// Counts operations, remembers them, and says which fail.
#[derive(Debug, Default)]
pub struct Faults {
    plan: Option<Fault>,
    struck: Option<&'static str>,
    power_off: bool,
    trace: Vec<Op>,
}

impl Faults {
    /// Plans a fault, counted from now on.
    pub fn plan(&mut self, fault: Option<Fault>) {
        *self = Faults { plan: fault, ..Faults::default() };
    }

    /// The operations since the plan was made.
    pub fn trace(&self) -> &[Op] {
        &self.trace
    }

    /// Notes an operation, and says what goes wrong with it.
    ///
    /// # Errors
    /// When it is not to be done at all.
    pub fn begin(&mut self, name: &'static str, path: PathBuf) -> io::Result<Option<FaultKind>> {
        let number = self.trace.len() as u64;
        self.trace.push(Op { name, path });
        if self.power_off {
            return Err(off());
        }
        let Some(Fault { at, kind, repeat }) = self.plan else { return Ok(None) };
        let again = match repeat {
            Repeat::Once => false,
            Repeat::SameName => self.struck == Some(name),
            Repeat::Forever => self.struck.is_some(),
        };
        if number != at && !again {
            return Ok(None);
        }
        self.struck = Some(name);
        match kind {
            FaultKind::PowerOff => {
                self.power_off = true;
                Err(off())
            }
            kind => Ok(Some(kind)),
        }
    }
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}
