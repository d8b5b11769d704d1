//! Healing of DUMP payloads, by the checksum that each ends with.

use super::{CERTAIN, Patch};
use crate::encoding::crc64::crc64;
use crate::encoding::polynomial::REDIS;
use crate::encoding::syndrome::{bursts, longest};
use crate::engine::Release;
use crate::job::payload::PAYLOADS;
use crate::limits::PackedLimits;

/// Bytes of a payload's version and checksum.
const FOOTER: usize = 10;

/// What is to be said of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Its checksum is right.
    Sound,
    /// This change makes it right, and a server takes it then.
    Heals(Patch),
    /// There is no such change, or more than one.
    Beyond,
    /// Its checksum is switched off: nothing vouches for it.
    NoChecksum,
    /// It is too short to be one.
    Short,
}

/// Looks at a payload, as DUMP gives it.
pub fn look(payload: &[u8]) -> Standing {
    match () {
        () if payload.len() <= FOOTER => Standing::Short,
        () if payload.ends_with(&[0; 8]) => Standing::NoChecksum,
        () if crc64(payload) == 0 => Standing::Sound,
        () => heal_payload(payload).map_or(Standing::Beyond, Standing::Heals),
    }
}

/// The one change that makes a payload right, if it is certain; RESTORE takes it then.
pub fn heal_payload(payload: &[u8]) -> Option<Patch> {
    let syndrome = crc64(payload);
    if payload.len() <= FOOTER || syndrome == 0 || payload.ends_with(&[0; 8]) {
        return None;
    }
    let len = payload.len() as u64;
    let mut found =
        bursts(&REDIS, syndrome, len, longest(len, CERTAIN), 1).into_iter().filter_map(|burst| {
            let at = usize::try_from(burst.offset).ok()?;
            let xor = burst.bytes();
            let old = payload.get(at..)?.get(..xor.len())?.to_vec();
            let new = old.iter().zip(&xor).map(|(old, xor)| old ^ xor).collect();
            let patch = Patch { offset: burst.offset, old, new };
            let mut healed = payload.to_vec();
            patch.put_into(&mut healed, 0);
            is_sound(&healed).then_some(patch)
        });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// Whether some server takes it.
fn is_sound(payload: &[u8]) -> bool {
    [Release::NEWEST, Release::valkey(9, 1)].into_iter().any(|release| {
        PAYLOADS.restore(payload, release, &PackedLimits::DEFAULT).is_ok()
            || PAYLOADS.unpack_functions(payload, u16::MAX).is_ok()
    })
}
