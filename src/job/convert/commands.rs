//! Keys as commands: those that make a value anew ([`crate::aof::rebuild`]), or one that restores it from
//! its payload. The latter is what becomes of a module's value in any case, since no commands of it are
//! known: so an AOF with vector sets can be written, which the servers' own rewrite cannot.

use super::Form;
use super::key::Key;
use super::worker::{Body, Converter, Out};
use crate::element::Ignore;
use crate::encoding::number::{MAX_I64_TEXT, i64_text};
use crate::encoding::resp::write_command;
use crate::job::payload::{seal, server_of};
use crate::loss::Loss;
use crate::rdb::types::DataType;
use crate::rdb::writer::KeyHead;

impl Converter<'_> {
    /// Writes the commands of a key that was selected.
    pub(super) fn commands(&mut self, key: &Key<'_>, out: &mut Out) {
        let is_restored = key.data() == DataType::Module && !key.is_built_vectorset();
        let payload = if is_restored {
            let Some(payload) = self.payload(key, out) else { return };
            // Of a module's value nothing is lost by that.
            self.encoder.pen.losses.clear();
            Some(payload)
        } else {
            if !self.rebuilt(key, out) {
                return;
            }
            None
        };
        if key.head.idle_s.is_some() || key.head.freq.is_some() {
            out.lose_of(Loss::Access, key);
        }
        if key.head.meta.is_some() {
            out.lose_of(Loss::KeyMeta, key);
        }
        let expire = self.expire(key, out);
        out.counts.encoded += 1;
        let bytes = &mut self.piece_for(key, out).bytes;
        match payload {
            Some(payload) => {
                let args: [&[u8]; 4] = [b"RESTORE", key.name, b"0", &payload];
                write_command(args.into_iter(), bytes);
            }
            None => bytes.extend_from_slice(self.rebuild.commands()),
        }
        write_expire(key, expire, bytes);
    }

    /// Whether a key's value was made into commands; else `out` tells why not.
    fn rebuilt(&mut self, key: &Key<'_>, out: &mut Out) -> bool {
        self.rebuild.begin(key.name, self.options.shift_ttl_ms);
        let server = self.options.server();
        if !key.walk(&mut self.walker, &mut self.rebuild, server, &mut out.damage) {
            return false;
        }
        if self.walker.is_empty {
            out.counts.empty += 1;
            return false;
        }
        self.rebuild.finish();
        let losses = self.rebuild.losses();
        if let Some(whole) = losses.iter().find(|loss| loss.is_of_whole_keys()) {
            out.lose_key(*whole, key);
            return false;
        }
        losses.iter().for_each(|loss| out.lose_of(*loss, key));
        true
    }

    /// Writes a key as a RESTORE of its payload.
    pub(super) fn restore(&mut self, key: &Key<'_>, out: &mut Out) {
        let Some(payload) = self.payload(key, out) else { return };
        for loss in std::mem::take(&mut self.encoder.pen.losses) {
            out.lose_of(loss, key);
        }
        let target = self.options.target;
        let has_options = server_of(target).has_redis(5, 0);
        let at = self.expire_at_ms(key);
        // 0 stands for none, and what is below is an error: PEXPIREAT takes both.
        let takes = |at: &i64| has_options && *at > 0;
        let is_apart = at.is_some_and(|at| !takes(&at));
        let at = at.filter(takes).unwrap_or(0).to_string();
        let mut args: Vec<&[u8]> = vec![b"RESTORE", key.name, at.as_bytes(), &payload];
        if server_of(target).has_redis(3, 0) {
            args.push(b"REPLACE");
        }
        let mark;
        if has_options {
            args.extend((at != "0").then_some(&b"ABSTTL"[..]));
            let named = match (key.head.freq, key.head.idle_s) {
                (Some(freq), _) => Some((&b"FREQ"[..], u64::from(freq))),
                // What is beyond 63 bits servers pass over in a file, and refuse here.
                (None, idle) => idle
                    .filter(|idle| i64::try_from(*idle).is_ok())
                    .map(|idle| (&b"IDLETIME"[..], idle)),
            };
            if let Some((name, value)) = named {
                mark = value.to_string();
                args.extend([name, mark.as_bytes()]);
            }
        }
        if !has_options && (key.head.idle_s.is_some() || key.head.freq.is_some()) {
            out.lose_of(Loss::Access, key);
        }
        let expire = if is_apart { self.expire(key, out) } else { None };
        out.counts.encoded += 1;
        let bytes = &mut self.piece_for(key, out).bytes;
        write_command(args.into_iter(), bytes);
        write_expire(key, expire, bytes);
    }

    /// The command by which a key expires, and its time in the command's unit.
    fn expire(&self, key: &Key<'_>, out: &mut Out) -> Option<(&'static [u8], i64)> {
        let at = self.expire_at_ms(key)?;
        if server_of(self.options.target).has_redis(2, 6) {
            return Some((b"PEXPIREAT", at));
        }
        let time = at.div_euclid(1000);
        if time.checked_mul(1000) != Some(at) {
            out.lose_of(Loss::ExpireTime, key);
        }
        Some((b"EXPIREAT", time))
    }

    /// The key's value as DUMP gives it (FORMATS A.9); `None` if it has none, of which `out` tells.
    fn payload(&mut self, key: &Key<'_>, out: &mut Out) -> Option<Vec<u8>> {
        let written = match self.value(key, &mut out.damage)? {
            Ok(written) => written,
            Err(loss) => {
                out.lose_key(loss, key);
                return None;
            }
        };
        let body: &[u8] = match written.body {
            // What a RESTORE holds is not looked into when it is read back.
            Body::AsItWas(payload) => {
                let server = self.options.server();
                if !key.walk(&mut self.walker, &mut Ignore, server, &mut out.damage) {
                    return None;
                }
                payload
            }
            Body::Anew => &self.body,
        };
        // RESTORE refuses what servers pass over in a file.
        if self.walker.is_empty {
            out.counts.empty += 1;
            return None;
        }
        let target = self.options.target;
        let mut payload = Vec::new();
        // Of what stands before a value only metadata goes into a payload.
        let head = KeyHead { meta: key.head.meta, ..KeyHead::default() };
        if self.options.form == Form::Restore {
            head.write(target, &mut payload, |loss| out.lose_of(loss, key));
        }
        payload.push(written.code);
        payload.extend_from_slice(body);
        seal(&mut payload, target.version);
        Some(payload)
    }
}

fn write_expire(key: &Key<'_>, expire: Option<(&[u8], i64)>, out: &mut Vec<u8>) {
    let Some((name, time)) = expire else { return };
    let mut text = [0; MAX_I64_TEXT];
    let args: [&[u8]; 3] = [name, key.name, i64_text(time, &mut text)];
    write_command(args.into_iter(), out);
}
