//! Stepping through a listpack that somebody else has checked, or built: to find an element among many
//! without making an [`Entry`] of each.

use super::entry;
use crate::encoding::Entry;

/// How many bytes the entry at the start of `i` takes, its back length unread where it is a short one.
/// `None` at the end, and where there is no entry; the bytes themselves may be missing.
#[inline(always)]
pub fn stored_len(i: &[u8]) -> Option<usize> {
    Some(match *i.first()? {
        first @ 0x80..=0xbf => usize::from(first & 0x3f) + 2,
        0..=0x7f => 2,
        0xc0..=0xdf => 3,
        first @ 0xf1..=0xf3 => usize::from(first & 3) + 3,
        0xf4 => 10,
        _ => return long_len(i),
    })
}

#[cold]
fn long_len(i: &[u8]) -> Option<usize> {
    // The end is no entry, and no fault to be told of.
    let (rest, _) = if i.len() > 1 { entry(i).ok()? } else { return None };
    Some(i.len() - rest.len())
}

/// Asks whether the entry at the start of some bytes stands for `text`. For many of them: the text is
/// looked at once.
#[inline(always)]
pub fn stored_as(text: &[u8]) -> impl Fn(&[u8]) -> bool + '_ {
    let wanted = Entry::from_text(text);
    // An integer may be stored as one or, by a careless writer, as text; what is none only as text.
    let number = matches!(wanted, Entry::Int(_));
    let last = text.last().copied();
    move |i| match i.first() {
        Some(&first @ 0x80..=0xbf) => {
            let len = usize::from(first & 0x3f);
            // Fields of a hash mostly begin alike: their ends differ first.
            len == text.len()
                && last.is_none_or(|last| i.get(len) == Some(&last))
                && i.get(1..=len) == Some(text)
        }
        Some(0..=0x7f | 0xc0..=0xdf | 0xf1..=0xf4) if !number => false,
        Some(_) => i.len() > 1 && entry(i).is_ok_and(|(_, (entry, _))| entry.same_text(&wanted)),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::encoding::listpack::{BacklenWidth, append_entry};

    /// Entries of every kind, each followed by another.
    #[test]
    fn steps_as_the_reader_does() {
        let mut entries: Vec<Vec<u8>> = [0, 127, -1, 4095, -4097, 70_000, 8_388_608, i64::MIN]
            .map(|value: i64| value.to_string().into_bytes())
            .to_vec();
        entries.extend(
            [0, 1, 63, 64, 126, 127, 128, 4095, 4096, 16_378, 16_380, 70_000]
                .map(|len| vec![b'x'; len]),
        );
        for text in &entries {
            for stored in [Entry::from_text(text), Entry::Str(text)] {
                let mut bytes = Vec::new();
                append_entry(stored, BacklenWidth::Wide, &mut bytes);
                let len = bytes.len();
                append_entry(Entry::Int(5), BacklenWidth::Wide, &mut bytes);
                bytes.push(0xff);
                assert_eq!(stored_len(&bytes), Some(len));
                for other in &entries {
                    assert_eq!(stored_as(other)(&bytes), other == text, "{stored:?}");
                }
            }
        }
        assert_eq!(stored_len(b"\xff"), None);
        assert_eq!(stored_len(b""), None);
        for byte in 0..=255 {
            assert!(!stored_as(b"x")(&[byte]));
        }
    }
}
