//! A string that rarely needs the allocator: keys, members and fields. 24 bytes, of which 22 hold the
//! text itself; longer texts lie on the heap, exactly as long as they are. (A boxed slice alone takes
//! 16 bytes and a block of at least 24, and a cache miss on each comparison.)

use std::fmt;

/// Longest text kept without the heap.
const INLINE: usize = 22;

/// A byte string of fixed content.
#[derive(Clone)]
pub struct Bytes(Repr);

#[derive(Clone)]
enum Repr {
    Inline(u8, [u8; INLINE]),
    Heap(Box<[u8]>),
}

impl Bytes {
    /// A copy of `text`.
    pub fn new(text: &[u8]) -> Bytes {
        let mut inline = [0; INLINE];
        match (inline.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(text);
                Bytes(Repr::Inline(len, inline))
            }
            _ => Bytes(Repr::Heap(text.into())),
        }
    }

    /// The text.
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(len, text) => text.get(..usize::from(*len)).unwrap_or(text),
            Repr::Heap(text) => text,
        }
    }

    /// Bytes on the heap.
    pub fn heap(&self) -> usize {
        match &self.0 {
            Repr::Inline(..) => 0,
            Repr::Heap(text) => super::block(text.len()),
        }
    }
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::new(b"")
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

/// Sorted and hashed collections of texts are asked with a slice.
impl std::borrow::Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl std::hash::Hash for Bytes {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl From<&[u8]> for Bytes {
    fn from(text: &[u8]) -> Bytes {
        Bytes::new(text)
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(text: Vec<u8>) -> Bytes {
        if text.len() <= INLINE { Bytes::new(&text) } else { Bytes(Repr::Heap(text.into())) }
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Bytes) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Bytes {}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Bytes) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes {
    fn cmp(&self, other: &Bytes) -> std::cmp::Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_slice().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_length() {
        assert_eq!(size_of::<Bytes>(), 24);
        assert_eq!(size_of::<Option<Bytes>>(), 24, "the tag has room for None");
        let text: Vec<u8> = (0..=255).collect();
        for len in 0..=text.len() {
            let bytes = Bytes::new(&text[..len]);
            assert_eq!(bytes.as_slice(), &text[..len]);
            assert_eq!(Bytes::from(text[..len].to_vec()), bytes);
            assert_eq!(bytes.heap() == 0, len <= INLINE);
        }
    }
}
