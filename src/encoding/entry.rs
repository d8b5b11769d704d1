//! One element of a listpack or a ziplist. Both store text that is a canonical integer as that integer;
//! the element still *is* the text.

use super::number::{MAX_I64_TEXT, i64_text, i64_text_len, parse_i64, write_i64};

/// An element as it is stored. `==` compares how it is stored; [`Entry::same_text`] what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry<'a> {
    /// Stored as an integer: stands for its decimal text.
    Int(i64),
    /// Stored as it is.
    Str(&'a [u8]),
}

impl<'a> Entry<'a> {
    /// How a server stores `text`: as an integer if it is the canonical decimal of one.
    #[inline]
    pub fn from_text(text: &'a [u8]) -> Self {
        match parse_i64(text) {
            Some(value) => Entry::Int(value),
            None => Entry::Str(text),
        }
    }

    /// The text, built in `buffer` where it is not there already.
    #[inline]
    pub fn text<'b>(&self, buffer: &'b mut [u8; MAX_I64_TEXT]) -> &'b [u8]
    where
        'a: 'b,
    {
        match *self {
            Entry::Int(value) => i64_text(value, buffer),
            Entry::Str(text) => text,
        }
    }

    /// Appends the text.
    #[inline]
    pub fn write_text(&self, out: &mut Vec<u8>) {
        match *self {
            Entry::Int(value) => write_i64(value, out),
            Entry::Str(text) => out.extend_from_slice(text),
        }
    }

    /// How long the text is.
    #[inline]
    pub fn text_len(&self) -> usize {
        match *self {
            Entry::Int(value) => i64_text_len(value),
            Entry::Str(text) => text.len(),
        }
    }

    /// Whether the two stand for the same text.
    #[inline]
    pub fn same_text(&self, other: &Entry<'_>) -> bool {
        match (*self, *other) {
            (Entry::Int(a), Entry::Int(b)) => a == b,
            (Entry::Str(a), Entry::Str(b)) => a == b,
            (Entry::Int(n), Entry::Str(text)) | (Entry::Str(text), Entry::Int(n)) => {
                parse_i64(text) == Some(n)
            }
        }
    }

    /// Asks entries whether they stand for `text`. For many of them: the text is looked at once.
    #[inline]
    pub fn matcher(text: &[u8]) -> impl Fn(&Entry<'_>) -> bool + '_ {
        let number = parse_i64(text);
        move |entry| match *entry {
            Entry::Int(value) => number == Some(value),
            Entry::Str(stored) => stored == text,
        }
    }

    /// The integer the text is the canonical decimal of, whichever way it is stored.
    #[inline]
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            Entry::Int(value) => Some(value),
            Entry::Str(text) => parse_i64(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_its_text() {
        for (entry, text) in [
            (Entry::Int(0), "0"),
            (Entry::Int(-1), "-1"),
            (Entry::Int(i64::MIN), "-9223372036854775808"),
            (Entry::Str(b""), ""),
            (Entry::Str(b"007"), "007"),
        ] {
            let mut out = Vec::new();
            entry.write_text(&mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(entry.text(&mut [0; MAX_I64_TEXT]), text.as_bytes());
            assert_eq!(entry.text_len(), text.len());
            assert_eq!(Entry::from_text(text.as_bytes()), entry);
            assert!(entry.same_text(&Entry::Str(text.as_bytes())));
            assert!(Entry::Str(text.as_bytes()).same_text(&entry));
            assert!(Entry::matcher(text.as_bytes())(&entry));
            assert!(Entry::matcher(text.as_bytes())(&Entry::Str(text.as_bytes())));
        }
        assert!(!Entry::Int(7).same_text(&Entry::Str(b"007")));
        assert!(!Entry::Int(7).same_text(&Entry::Int(-7)));
        assert!(!Entry::matcher(b"7")(&Entry::Str(b"007")));
        assert!(!Entry::matcher(b"007")(&Entry::Int(7)));
        assert_eq!(Entry::Str(b"12").as_int(), Some(12));
        assert_eq!(Entry::Str(b"+12").as_int(), None);
    }
}
