//! What the commands before a place in an AOF mean for those after it: the database, an open transaction,
//! the last timestamp (FORMATS B.1, B.2). Cutting keeps it to start chunks with, reading to place
//! records.

use crate::encoding::number::parse_i64;
use crate::limits::DATABASES_MAX;

/// What must be known to go on at a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// The selected database: 0 at the start of every file.
    pub db: u64,
    /// Whether a SELECT has said so.
    pub selected: bool,
    /// The transaction that is open.
    pub multi: Option<Multi>,
    /// The last `#TS:`, in seconds.
    pub timestamp: Option<i64>,
}

/// An open transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multi {
    /// Absolute offset of its MULTI.
    pub offset: u64,
    /// Commands in it so far.
    pub commands: u64,
    /// Where the writes of another run of the server begin inside it. After a start a server selects
    /// its database anew before it writes; within a run it does so only to change it.
    pub torn_at: Option<u64>,
}

/// What a command is for the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing special.
    Plain,
    /// It selects a database.
    Select(u64),
    /// It selects what is no database.
    SelectInvalid,
    /// It opens a transaction.
    Multi,
    /// It is a MULTI inside a transaction.
    MultiNested,
    /// It ends this transaction.
    Exec(Multi),
    /// It is an EXEC without a MULTI.
    ExecAlone,
}

impl State {
    /// Takes note of a command by its name and first argument.
    #[inline]
    pub fn command(&mut self, name: &[u8], first: &[u8], offset: u64) -> Step {
        let step = match name {
            [b'm' | b'M', ..] if name.eq_ignore_ascii_case(b"multi") => self.multi(offset),
            [b'e' | b'E', ..] if name.eq_ignore_ascii_case(b"exec") => return self.exec(),
            [b's' | b'S', ..] if name.eq_ignore_ascii_case(b"select") => self.select(first, offset),
            _ => Step::Plain,
        };
        if let Some(multi) = &mut self.multi {
            multi.commands += u64::from(step != Step::Multi);
        }
        step
    }

    fn multi(&mut self, offset: u64) -> Step {
        if self.multi.is_some() {
            return Step::MultiNested;
        }
        self.multi = Some(Multi { offset, commands: 0, torn_at: None });
        Step::Multi
    }

    fn exec(&mut self) -> Step {
        self.multi.take().map_or(Step::ExecAlone, Step::Exec)
    }

    fn select(&mut self, db: &[u8], offset: u64) -> Step {
        let number = parse_i64(db).and_then(|db| u64::try_from(db).ok());
        let Some(db) = number.filter(|db| *db <= DATABASES_MAX) else { return Step::SelectInvalid };
        if let Some(multi) = &mut self.multi
            && self.selected
            && self.db == db
        {
            multi.torn_at.get_or_insert(offset);
        }
        self.db = db;
        self.selected = true;
        Step::Select(db)
    }

    /// Takes note of an annotation, by its text without the `#`. Returns the timestamp before it, if it
    /// is one.
    pub fn annotation(&mut self, text: &[u8]) -> Option<Stamp> {
        let number = text.strip_prefix(b"TS:")?;
        let Some(seconds) = parse_i64(number) else { return Some(Stamp::Invalid) };
        let before = self.timestamp.replace(seconds);
        Some(Stamp::At { seconds, before })
    }
}

/// A timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// The text behind `TS:` is no number.
    Invalid,
    /// A time.
    At {
        /// Unix time.
        seconds: i64,
        /// The timestamp before it.
        before: Option<i64>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_open_and_close() {
        let mut state = State::default();
        let steps: &[(&str, &str, Step)] = &[
            ("SET", "k", Step::Plain),
            ("exec", "", Step::ExecAlone),
            ("Multi", "", Step::Multi),
            ("SET", "k", Step::Plain),
            ("MULTI", "", Step::MultiNested),
            ("DISCARD", "", Step::Plain),
            ("EXEC", "", Step::Exec(Multi { offset: 2, commands: 3, torn_at: None })),
            ("SELECT", "01", Step::SelectInvalid),
            ("SELECT", "-1", Step::SelectInvalid),
            ("select", "2147483647", Step::Select(2_147_483_647)),
        ];
        for (offset, (name, first, want)) in steps.iter().enumerate() {
            let got = state.command(name.as_bytes(), first.as_bytes(), offset as u64);
            assert_eq!(got, *want, "{name} {first}");
        }
        assert_eq!(
            state,
            State { db: 2_147_483_647, selected: true, multi: None, timestamp: None }
        );
    }

    #[test]
    fn a_database_selected_again_inside_a_transaction_is_another_run() {
        let torn = |commands: &[(&str, &str)]| {
            let mut state = State::default();
            for (offset, (name, first)) in commands.iter().enumerate() {
                state.command(name.as_bytes(), first.as_bytes(), offset as u64);
            }
            state.multi.and_then(|multi| multi.torn_at)
        };
        assert_eq!(torn(&[("MULTI", ""), ("SELECT", "0"), ("SET", "k")]), None);
        assert_eq!(torn(&[("SELECT", "0"), ("MULTI", ""), ("SELECT", "1"), ("SELECT", "0")]), None);
        assert_eq!(torn(&[("SELECT", "3"), ("MULTI", ""), ("SET", "k"), ("SELECT", "3")]), Some(3));
    }

    #[test]
    fn timestamps() {
        let mut state = State::default();
        assert_eq!(state.annotation(b"TS:7"), Some(Stamp::At { seconds: 7, before: None }));
        assert_eq!(state.annotation(b"TS:x"), Some(Stamp::Invalid));
        assert_eq!(state.annotation(b"HDR:v1;3"), None);
        assert_eq!(state.annotation(b"TS:5"), Some(Stamp::At { seconds: 5, before: Some(7) }));
    }
}
