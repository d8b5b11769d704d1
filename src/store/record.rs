//! A key of the engine as bytes of a file: the record of an RDB, or the commands that make it anew.

use crate::aof::rebuild::Rebuild;
use crate::element::Str;
use crate::encoding::resp::write_command;
use crate::engine::{KeyRef, Release};
use crate::job::payload::{data_type, seal, server_of, target_of};
use crate::loss::Loss;
use crate::rdb::encode::{Encoder, Form as Table};
use crate::rdb::target::Target;
use crate::rdb::writer::KeyHead;
use crate::value::{PackedLimits, Value};

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An RDB.
    Rdb,
    /// An RDB that is the base of an AOF.
    Preamble,
    /// Commands.
    Commands,
}

impl Form {
    /// Is it an RDB?
    pub(super) fn is_rdb(self) -> bool {
        self != Form::Commands
    }
}

/// Writes keys.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) form: Form,
    pub(super) target: Target,
    encoder: Encoder,
    rebuild: Rebuild,
    body: Vec<u8>,
}

impl Records {
    /// For files that a release reads.
    pub(super) fn new(form: Form, release: Release, compress: bool) -> Records {
        let target = target_of(release);
        Records {
            form,
            target,
            encoder: Encoder::new(target, compress, PackedLimits::DEFAULT),
            rebuild: Rebuild::new(server_of(target)),
            body: Vec::new(),
        }
    }

    /// The writer of strings, whose buffers are used again.
    pub(super) fn strings(&mut self) -> &mut crate::rdb::string::Strings {
        &mut self.encoder.pen.strings
    }

    /// Appends a key.
    ///
    /// # Errors
    /// What of it the release's files cannot hold.
    pub(super) fn key(&mut self, key: KeyRef<'_>, out: &mut Vec<u8>) -> Result<(), Loss> {
        match self.form {
            Form::Commands => self.commands(key, out),
            Form::Rdb | Form::Preamble => self.rdb(key, out),
        }
    }

    /// Writes the value into `body`; the code of its row.
    fn encode(&mut self, value: &Value) -> Result<u8, Loss> {
        self.encoder.begin(data_type(value), Table::Table);
        value.elements(&mut self.encoder);
        self.body.clear();
        let row = self.encoder.finish(&mut self.body)?;
        match self.encoder.pen.losses.first() {
            Some(loss) => Err(*loss),
            None => Ok(row.code),
        }
    }

    fn rdb(&mut self, key: KeyRef<'_>, out: &mut Vec<u8>) -> Result<(), Loss> {
        let code = self.encode(key.value)?;
        let (idle_s, freq) = key.idle_and_freq();
        let head = KeyHead { expire_at_ms: key.expire_at_ms, idle_s, freq, meta: None };
        // A mark that an old server does not know tells nothing of the data.
        head.write(self.target, out, |_| {});
        out.push(code);
        self.encoder.pen.strings.write_stored(Str::Raw(key.key), out);
        out.extend_from_slice(&self.body);
        Ok(())
    }

    fn commands(&mut self, key: KeyRef<'_>, out: &mut Vec<u8>) -> Result<(), Loss> {
        let by_payload = match key.value {
            Value::VectorSet(set) => set.payload().is_some(),
            value => matches!(value, Value::Module(_)),
        };
        if by_payload {
            let code = self.encode(key.value)?;
            let mut payload = vec![code];
            payload.extend_from_slice(&self.body);
            seal(&mut payload, self.target.version);
            write_command([&b"RESTORE"[..], key.key, b"0", &payload].into_iter(), out);
        } else {
            self.rebuild.begin(key.key, 0);
            key.value.elements(&mut self.rebuild);
            self.rebuild.finish();
            let mut losses = self.rebuild.losses().iter();
            if let Some(loss) = losses.find(|loss| !loss.is_usual_in_commands()) {
                return Err(*loss);
            }
            out.extend_from_slice(self.rebuild.commands());
        }
        if let Some(at) = key.expire_at_ms {
            let at = at.to_string();
            write_command([&b"PEXPIREAT"[..], key.key, at.as_bytes()].into_iter(), out);
        }
        Ok(())
    }
}
