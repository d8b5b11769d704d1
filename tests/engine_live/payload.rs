//! DUMP and RESTORE: what the engine dumps, the server's own dump is byte for byte wherever the value
//! decides the bytes; and each restores the other's.

use rdbtool::engine::Release;
use rdbtool::job::payload::PLAIN_PAYLOADS;
use rdbtool::value::{HashRef, SetRef, Value};

use crate::dice::{Cmd, Compare, Dice};
use crate::{Pair, Reply};

/// Whether a server of this release must dump this value to the very bytes that we do, rdbcompression
/// being off.
fn is_determined(value: &Value, release: Release) -> bool {
    match value {
        // Up to 7.0 a quicklist is divided in other places than since.
        Value::List(_) => release.has_redis(7, 2),
        // What lies in a table comes in the order of its seed, also if it was packed only later.
        Value::Set(set) => matches!(set.as_ref(), SetRef::Intset(_)),
        // Expire times of fields are those of two clocks; and where all of them are gone, Redis still
        // writes a listpackex, which our writer makes the listpack that it could be.
        Value::Hash(hash) => matches!(hash.as_ref(), HashRef::Pairs(_)),
        // A consumer's times are those of two clocks.
        Value::Stream(stream) => stream.groups.iter().all(|(_, group)| group.consumer_count() == 0),
        Value::Str(_) | Value::Zset(_) | Value::Array(_) => true,
        Value::Module(_) | Value::VectorSet(_) => false,
    }
}

/// A RESTORE of something small, sometimes damaged.
pub(crate) fn draw(dice: &mut Dice, key: Vec<u8>) -> Cmd {
    let value = Value::from(rdbtool::value::Str::new(&dice.value()));
    let mut payload = PLAIN_PAYLOADS.dump(&value, dice.release).unwrap();
    let end = payload.len();
    match dice.below(8) {
        0 => payload[end - 1] ^= 1,
        1 => payload.truncate(dice.below(end)),
        _ => {}
    }
    let ttl = match dice.below(6) {
        // Not a few milliseconds: they would end between the server's turn and ours.
        0 => dice.ttl(1),
        1 => b"100000".to_vec(),
        _ => b"0".to_vec(),
    };
    let mut argv = vec![dice.word(&["RESTORE", "RESTORE", "RESTORE-ASKING"]), key, ttl, payload];
    for _ in 0..dice.below(4) {
        argv.push(
            dice.word(&["REPLACE", "REPLACE", "ABSTTL", "IDLETIME", "FREQ", "10", "-1", "300"]),
        );
    }
    Cmd { argv, compare: Compare::Exact }
}

impl Pair {
    /// DUMP of every key: the same bytes where they are determined. Then each side restores what the
    /// other has dumped, and the digests are the same.
    pub(crate) fn compare_payloads(&mut self, seed: u64) {
        let release = self.engine.config().release;
        let now_ms = crate::now_ms();
        let style = release.digest_style(now_ms);
        let db = self.session.db();
        let keys = self.engine.keyspace(db).into_iter().flat_map(|space| space.iter());
        // A dead key would go when the server is asked for it, and then only there.
        let keys = keys.filter(|key| key.expire_at_ms.is_none_or(|at| at > now_ms));
        let names: Vec<Vec<u8>> = keys.map(|key| key.key.to_vec()).collect();
        for name in names {
            let Reply::Bulk(Some(theirs)) = self.client.command(&[b"DUMP", &name[..]]).unwrap()
            else {
                continue;
            };
            let value = self.engine.value(db, &name).unwrap();
            let Ok(ours) = PLAIN_PAYLOADS.dump(value, release) else {
                // A graph that only the server builds.
                assert!(matches!(value, Value::VectorSet(_)), "{}", name.escape_ascii());
                continue;
            };
            let digest = rdbtool::value::digest::of_value(value, false, style);
            if is_determined(value, release) && ours != theirs {
                self.show_past(&Cmd::new(&[b"x", &name[..]]));
                let at = theirs.iter().zip(&ours).take_while(|(a, b)| a == b).count();
                panic!(
                    "seed {seed}, command {}: payloads of {} ({} bytes and {}) differ from byte {at} on",
                    self.done,
                    name.escape_ascii(),
                    theirs.len(),
                    ours.len()
                );
            }
            // Small ones are packed when they are restored, and lose the sign of -0.
            if let Value::Zset(zset) = value
                && zset.iter().any(|(_, score)| score == 0.0 && score.is_sign_negative())
            {
                continue;
            }
            let limits = self.engine.config().packed;
            let read = PLAIN_PAYLOADS.restore(&theirs, release, &limits).unwrap();
            let read = rdbtool::value::digest::of_value(&read, false, style);
            assert_eq!(read, digest, "seed {seed}: theirs of {}", name.escape_ascii());
            let argv: [&[u8]; 5] = [b"RESTORE", b"restored", b"0", &ours, b"REPLACE"];
            let reply = self.client.command(&argv).unwrap();
            assert_eq!(reply, Reply::Status("OK".into()), "seed {seed}: {}", name.escape_ascii());
            let argv: [&[u8]; 3] = [b"DEBUG", b"DIGEST-VALUE", b"restored"];
            let told = self.client.command(&argv).unwrap();
            let want = Reply::Array(Some(vec![Reply::Status(digest.to_string())]));
            assert_eq!(told, want, "seed {seed}: ours of {}", name.escape_ascii());
        }
        self.client.command(&["DEL", "restored"]).unwrap();
    }
}

/// Hashes whose fields expire, at moments that are given and not counted from now: the same bytes.
#[test]
fn field_ttls_byte_for_byte() {
    let mut dice = Dice::new(5, crate::now_ms(), Release::redis(7, 4));
    for binary in crate::servers().filter(|binary| crate::release_of(binary).has((7, 4), (255, 0)))
    {
        let (server, release) = crate::start(binary);
        let mut pair = Pair::new(&server, release);
        let (mut compared, mut without) = (0, 0);
        for round in 0..300 {
            let mut commands = vec![Cmd::new(&["DEL", "h"])];
            for _ in 0..1 + dice.below(12) {
                let field = format!("f{}", dice.below(6)).into_bytes();
                let at = (4_102_444_800_000 + dice.below(1 << 40) as i64).to_string();
                let argv: Vec<Vec<u8>> = match dice.below(8) {
                    0..3 => vec!["HSET".into(), "h".into(), field, dice.value()],
                    3 => vec!["HDEL".into(), "h".into(), field],
                    4 => ["HPERSIST", "h", "FIELDS", "1"]
                        .map(Vec::from)
                        .into_iter()
                        .chain([field])
                        .collect(),
                    _ => {
                        let words = ["HPEXPIREAT", "h", &at, "FIELDS", "1"].map(Vec::from);
                        words.into_iter().chain([field]).collect()
                    }
                };
                commands.push(Cmd { argv, compare: Compare::Exact });
            }
            pair.run(commands, round);
            let Some(value) = pair.engine.value(0, b"h") else { continue };
            let ours = PLAIN_PAYLOADS.dump(value, release).unwrap();
            let theirs = pair.client.command(&["DUMP", "h"]).unwrap();
            let Reply::Bulk(Some(theirs)) = theirs else { panic!("{theirs:?}") };
            let Value::Hash(hash) = value else { panic!("{value:?}") };
            if hash.min_expire().is_none() && theirs[0] == 25 {
                // The server keeps the form when the last expire time has gone.
                without += 1;
                continue;
            }
            if matches!(hash.as_ref(), HashRef::Table) {
                // Their order is that of a seed.
                continue;
            }
            compared += 1;
            // The server's earliest time at the head may be that of a field which has lost it since.
            let earliest = |bytes: &[u8]| i64::from_le_bytes(bytes[1..9].try_into().unwrap());
            let expires = ours[0] == 25;
            assert!(!expires || earliest(&theirs) <= earliest(&ours), "{release}, round {round}");
            let show = |bytes: &[u8]| match expires {
                true => {
                    [&bytes[..1], &bytes[9..bytes.len() - 8]].concat().escape_ascii().to_string()
                }
                false => bytes.escape_ascii().to_string(),
            };
            assert_eq!(show(&ours), show(&theirs), "{release}, round {round}");
        }
        assert!(compared > 100, "{release}: {compared}, {without} without");
    }
}
