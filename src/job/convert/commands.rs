//! Keys as commands ([`crate::aof::rebuild`]). A module's value, of which no commands are known, is restored
//! from its payload: so an AOF with vector sets can be written, which the servers' own rewrite cannot.

use super::{Body, Converter, Out};
use crate::aof::rebuild::Server;
use crate::encoding::crc64::crc64;
use crate::encoding::resp::write_command;
use crate::finding::{KeyPlace, Severity};
use crate::loss::Loss;
use crate::rdb::target::Target;
use crate::rdb::types::DataType;
use crate::record::KeyRecord;

/// Whose commands a target takes.
pub(super) fn server(target: Target) -> Server {
    Server { valkey: !target.is_redis(), version: target.release.version() }
}

impl Converter<'_> {
    /// Writes the commands of a key that was selected.
    pub(super) fn commands(&mut self, key: &KeyRecord<'_>, name: &[u8], out: &mut Out) {
        let place = || KeyPlace {
            db: key.db,
            key: name.to_vec(),
            type_name: key.rdb_type.name,
            elements: key.stated_count(),
        };
        let mut text = Vec::new();
        if key.rdb_type.data == DataType::Module {
            match self.value(key, out, place) {
                Some(Ok(written)) => {
                    let body: &[u8] = match written.body {
                        Body::AsItWas => key.payload,
                        Body::Anew => &self.body,
                    };
                    let payload = payload(written.code, body, self.options.target);
                    let args: [&[u8]; 4] = [b"RESTORE", name, b"0", &payload];
                    write_command(args.into_iter(), &mut text);
                }
                Some(Err(loss)) => {
                    out.lose(loss, Some(place()), key.offset, true);
                    out.counts.lost += 1;
                    return;
                }
                None => return,
            }
        } else {
            self.rebuild.begin(name, self.options.shift_ttl_ms);
            self.walker.value(key.rdb_type, key.payload, key.offset, &mut self.rebuild);
            let damage = self.walker.findings.drain(..);
            let mut damage: Vec<_> = damage.filter(|f| f.severity() == Severity::Error).collect();
            if !damage.is_empty() {
                damage.iter_mut().for_each(|finding| finding.key = Some(place()));
                out.damage.append(&mut damage);
                return;
            }
            let (commands, losses) = self.rebuild.finish();
            let whole = losses.contains(&Loss::Type);
            for loss in losses.iter().filter(|loss| !whole || **loss == Loss::Type) {
                out.lose(*loss, Some(place()), key.offset, whole);
            }
            if whole {
                out.counts.lost += 1;
                return;
            }
            text.extend_from_slice(commands);
        }
        if key.idle_s.is_some() || key.freq.is_some() {
            out.lose(Loss::Access, Some(place()), key.key_offset, false);
        }
        if key.meta.is_some() {
            out.lose(Loss::KeyMeta, Some(place()), key.key_offset, false);
        }
        if let Some(at) = key.expire_at_ms {
            let at = at.saturating_add(self.options.shift_ttl_ms).to_string();
            let args: [&[u8]; 3] = [b"PEXPIREAT", name, at.as_bytes()];
            write_command(args.into_iter(), &mut text);
        }
        out.counts.encoded += 1;
        self.piece_for(key, out).bytes.extend_from_slice(&text);
    }
}

/// A payload as DUMP gives it (FORMATS A.9).
fn payload(code: u8, body: &[u8], target: Target) -> Vec<u8> {
    let mut payload = vec![code];
    payload.extend_from_slice(body);
    payload.extend_from_slice(&target.version.to_le_bytes());
    payload.extend_from_slice(&crc64(&payload).to_le_bytes());
    payload
}
