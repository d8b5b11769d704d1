//! Numbers as the text that Redis reads and prints.
//!
//! Integers stand for their canonical decimal text wherever RDB stores a string as an integer (FORMATS
//! A.3 and A.6), so only text that comes back the same may become one. Doubles are scores: `%.17g` up to
//! Redis 7.0 ([`double_17g`]), another layout with other digits since ([`double_grisu`], FORMATS D).

mod double;
mod grisu;

pub use double::{double_17g, parse_double, whole};
pub use grisu::double_grisu;

/// Longest text of an i64: a sign and 19 digits.
pub const MAX_I64_TEXT: usize = 20;

/// The integer that `text` is the canonical decimal of: no plus, no leading zero, no "-0", no blank.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let (&first, more) = digits.split_first()?;
    if digits.len() >= MAX_I64_TEXT {
        return None;
    }
    match first {
        b'0' => return (more.is_empty() && !negative).then_some(0),
        b'1'..=b'9' => {}
        _ => return None,
    }
    // 19 digits stay below 2^64.
    let mut value = u64::from(first - b'0');
    for &byte in more {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// Appends the decimal text of `value`.
#[inline]
pub fn write_i64(value: i64, out: &mut Vec<u8>) {
    let mut buffer = [0; MAX_I64_TEXT];
    out.extend_from_slice(i64_text(value, &mut buffer));
}

/// How long the decimal text of `value` is.
#[inline]
pub fn i64_text_len(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1);
    digits + usize::from(value < 0)
}

/// The decimal text of `value`, built at the end of `buffer`.
#[inline]
pub fn i64_text(value: i64, buffer: &mut [u8; MAX_I64_TEXT]) -> &[u8] {
    let mut rest = value.unsigned_abs();
    let mut start = MAX_I64_TEXT;
    while rest >= 100 {
        start -= 2;
        buffer[start..start + 2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
        rest /= 100;
    }
    if rest >= 10 {
        start -= 2;
        buffer[start..start + 2].copy_from_slice(&PAIRS[rest as usize]);
    } else {
        start -= 1;
        buffer[start] = b'0' + rest as u8;
    }
    if value < 0 {
        start -= 1;
        buffer[start] = b'-';
    }
    &buffer[start..]
}

/// "00" to "99".
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every edge of the packed integer widths, and of i64 itself.
    fn edges() -> impl Iterator<Item = i64> {
        let powers = (0..63).map(|bit| 1i64 << bit).chain((0..19).map(|ten| 10i64.pow(ten)));
        powers.flat_map(|n| [n - 1, n, -n, 1 - n, -n - 1]).chain([i64::MIN, i64::MAX, i64::MIN + 1])
    }

    #[test]
    fn integers_are_their_text() {
        let mut out = Vec::new();
        for value in edges() {
            let text = value.to_string();
            out.clear();
            write_i64(value, &mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(i64_text_len(value), text.len());
            assert_eq!(parse_i64(text.as_bytes()), Some(value));
        }
    }

    #[test]
    fn other_spellings_are_no_integers() {
        for text in [
            "",
            "-",
            "+1",
            "01",
            "-01",
            "-0",
            "00",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "0x1",
            "a",
            "1a",
            "--1",
            "9223372036854775808",
            "-9223372036854775809",
            "10000000000000000000",
            "18446744073709551616",
            "99999999999999999999",
            "123456789012345678901",
            "1\0",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn only_canonical_text_is_an_integer(text in "[-+0-9 ]{0,21}") {
            let canonical = text.parse::<i64>().ok().filter(|n| n.to_string() == text);
            prop_assert_eq!(parse_i64(text.as_bytes()), canonical);
        }

        #[test]
        fn any_integer(value: i64, shift in 0..64u32) {
            let value = value >> shift;
            let mut out = Vec::new();
            write_i64(value, &mut out);
            prop_assert!(out == value.to_string().as_bytes());
            prop_assert_eq!(i64_text_len(value), out.len());
            prop_assert_eq!(parse_i64(&out), Some(value));
        }
    }
}
