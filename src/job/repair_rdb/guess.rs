//! What the first nine bytes of an RDB must have been.

use crate::rdb::header::{Dialect, Header, header};
use crate::rdb::target::Target;
use crate::rdb::versions::{RELEASES, Release, newest};

/// Bytes from the start of the file in which a server says who it is.
pub const ENOUGH: usize = 256;

/// Characters of a magic that are evidence of it.
const ALIKE: usize = 3;

const AUX: u8 = 0xfa;

/// First version with AUX fields.
const SINCE_AUX: u16 = 7;

/// The header of a file that begins so, and whether it had to be made up; `None` if nothing says that it is an
/// RDB.
pub fn guess(head: &[u8]) -> Option<(Header, bool)> {
    let (_, rest) = head.split_at_checked(Header::LEN)?;
    let writer = rest.starts_with(&[AUX]).then(|| writer(rest)).flatten();
    let read = header(head).ok().map(|(_, header)| header);
    if let Some(read) = read {
        let known = read.version <= newest(read.dialect) && read.is_strict();
        let contradicts = read.version < SINCE_AUX && rest.starts_with(&[AUX]);
        if (known && !contradicts) || writer.is_none() {
            return Some((read, false));
        }
    }
    if let Some(release) = writer {
        return made_up(release);
    }
    let alike =
        |dialect: &Dialect| head.iter().zip(dialect.magic()).filter(|(a, b)| a == b).count();
    let dialect = [Dialect::Valkey, Dialect::Redis].into_iter().max_by_key(alike)?;
    if alike(&dialect) < ALIKE {
        return None;
    }
    made_up(RELEASES.iter().rfind(|release| release.dialect == dialect)?)
}

fn made_up(release: &'static Release) -> Option<(Header, bool)> {
    let magic = Target::of(release).magic();
    header(magic.as_bytes()).ok().map(|(_, header)| (header, true))
}

/// The release that wrote the file, by what it says of itself: `redis-ver`, a length, `7.2.6`.
fn writer(rest: &[u8]) -> Option<&'static Release> {
    let names: [(&[u8], Dialect); 2] =
        [(b"valkey-ver", Dialect::Valkey), (b"redis-ver", Dialect::Redis)];
    names.into_iter().find_map(|(name, dialect)| {
        let at = rest.windows(name.len()).take(ENOUGH).position(|window| window == name)?;
        let (&len, text) = rest.get(at + name.len()..)?.split_first()?;
        let text = std::str::from_utf8(text.get(..usize::from(len))?).ok()?;
        let mut numbers = text.split('.').map(|number| number.parse::<u8>().ok());
        let version = (numbers.next()??, numbers.next()??);
        RELEASES.iter().find(|row| row.dialect == dialect && row.version() == version)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn headers() {
        let with = |magic: &[u8]| {
            [magic, b"\xfa\x09redis-ver\x057.2.6\xfa\x0aredis-bits\xc0\x40"].concat()
        };
        let guessed = |head: &[u8]| guess(head).map(|(header, new)| (header.bytes, new));
        assert_eq!(guessed(&with(b"REDIS0011")), Some((*b"REDIS0011", false)));
        assert_eq!(guessed(&with(b"\0\0\0\0\0\0\0\0\0")), Some((*b"REDIS0011", true)));
        assert_eq!(guessed(&with(b"REDIS0911")), Some((*b"REDIS0011", true)));
        assert_eq!(guessed(&with(b"REDIS0001")), Some((*b"REDIS0011", true)));
        assert_eq!(guessed(b"REDIQ0003\xfe\0\0\x01k\x01v"), Some((*b"REDIS0014", true)));
        assert_eq!(guessed(b"VALKEX080\xfe\0\0\x01k\x01v"), Some((*b"VALKEY080", true)));
        assert_eq!(guessed(b"REDIS0099\xfe\0\0\x01k\x01v"), Some((*b"REDIS0099", false)));
        assert_eq!(guessed(b"hello, world"), None);
        assert_eq!(guessed(b"REDIS"), None);
    }
}
